"""The log as a process writes it: JSON lines into a pipe, readable on a terminal, and nothing that is nobody's business."""

import json
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

# What the inner processes begin with.
BEGIN = """
import asyncio, logging, sys, threading, warnings
import structlog
from aura_analytics import logs
log = structlog.get_logger()
"""
# Any: what a line of a log can hold.
Line = dict[str, Any]


def run(code: str, *, level: str = "info", form: str = "auto") -> str:
    """Run some code in a process of its own, after logging was set up; give what it wrote to standard error."""
    program = f"{BEGIN}\nlogs.configure({level!r}, {form!r})\n{textwrap.dedent(code)}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr.decode()
    return done.stderr.decode()


def lines(code: str, *, level: str = "info", form: str = "auto") -> list[Line]:
    """The same, line by line."""
    return [json.loads(line) for line in run(code, level=level, form=form).splitlines()]


def test_a_pipe_gets_one_json_object_a_line() -> None:
    first, second = lines("""
        log.info("served", path="/ingest", status=200, none=None, own=["a", {"b": 1.5}])
        log.warning("two\\nlines and \\x1b[31m", said="übergröße 🍎")
    """)

    moment = first.pop("timestamp")
    assert first == {
        "event": "served",
        "level": "info",
        "path": "/ingest",
        "status": 200,
        "none": None,
        "own": ["a", {"b": 1.5}],
    }
    assert (second["event"], second["said"]) == ("two\nlines and \x1b[31m", "übergröße 🍎")
    age = datetime.now(UTC) - datetime.fromisoformat(moment)
    assert moment.endswith("Z")
    assert timedelta(0) <= age + timedelta(seconds=1) < timedelta(minutes=2)


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_less_severe_than_the_level_is_not_written(level: str, written: list[str]) -> None:
    found = lines('for name in ("debug", "info", "warning", "error"): getattr(log, name)(name)', level=level)

    assert [(line["event"], line["level"]) for line in found] == [(name, name) for name in written]


def test_what_json_does_not_know_is_shown() -> None:
    (line,) = lines("""
        from pathlib import Path
        log.info("odd", path=Path("a"), kind=int, error=ValueError("no"), numbers={1, 2})
    """)

    assert (line["path"], line["kind"], line["error"]) == ("PosixPath('a')", "<class 'int'>", "ValueError('no')")
    assert sorted(line["numbers"]) == [1, 2]


def test_an_exception_is_part_of_its_line() -> None:
    (line,) = lines("""
        try:
            raise ValueError("what went wrong")
        except ValueError:
            log.exception("failed", path="/ingest")
    """)

    assert (line["event"], line["level"], line["path"]) == ("failed", "error", "/ingest")
    assert "ValueError" in json.dumps(line)
    assert "what went wrong" in json.dumps(line)


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_shows_neither_what_people_said_nor_a_key(form: str) -> None:
    written = run(
        """
        def serve(body, key):
            text = body.decode()
            raise ValueError("what went wrong")

        try:
            serve(b"where is the " + b"secret" * 2, "AIza" + "very" + "secret")
        except ValueError as error:
            log.exception("failed")
            log.error("again", exc_info=error)
            logging.getLogger("library").error("again", exc_info=error)
        """,
        form=form,
    )

    assert written.count("what went wrong") >= 3
    assert "secretsecret" not in written
    assert "AIzaverysecret" not in written


class TestLibraries:
    def test_their_warnings_are_lines_like_ours(self) -> None:
        (line,) = lines('logging.getLogger("uvicorn.error").warning("odd: %s of %d %%", "one", 5)')

        assert (line["event"], line["level"], line["logger"]) == ("odd: one of 5 %", "warning", "uvicorn.error")

    def test_their_chatter_is_not_written_even_at_debug(self) -> None:
        code = """
            for name in ("uvicorn.access", "httpx", "asyncio"):
                logging.getLogger(name).info("chatter")
                logging.getLogger(name).debug("chatter")
        """

        assert lines(code, level="debug") == []

    def test_at_the_level_error_their_warnings_are_not_written_either(self) -> None:
        found = lines('logging.warning("odd"); logging.error("wrong"); logging.critical("worse")', level="error")

        assert [(line["event"], line["level"]) for line in found] == [("wrong", "error"), ("worse", "critical")]

    def test_their_exceptions_come_along(self) -> None:
        (line,) = lines("""
            try:
                1 / 0
            except ZeroDivisionError:
                logging.getLogger("library").exception("failed")
        """)

        assert (line["event"], line["logger"]) == ("failed", "library")
        assert "ZeroDivisionError" in json.dumps(line)

    def test_what_they_do_wrong_harms_nobody(self) -> None:
        found = lines("""
            logging.getLogger("library").log(35, "a level of their own")
            logging.getLogger("library").warning("%d of", "no number")
            log.info("still here")
        """)

        assert found[-1]["event"] == "still here"
        assert "a level of their own" in [line["event"] for line in found]

    def test_braces_and_percent_signs_in_what_they_say_are_only_signs(self) -> None:
        (line,) = lines('logging.getLogger("library").warning("100%s {0} %(name)s")')

        assert line["event"] == "100%s {0} %(name)s"


class TestEventLoop:
    def test_lines_keep_their_order_and_none_is_lost(self) -> None:
        found = lines("""
            async def main():
                for number in range(50):
                    log.info("line", number=number)
                    if number % 7 == 0:
                        await asyncio.sleep(0)

            asyncio.run(main())
            log.info("line", number=50)
        """)

        assert [line["number"] for line in found] == list(range(51))

    def test_the_last_line_before_the_end_is_written(self) -> None:
        found = lines("""
            async def main():
                log.info("first")
                await asyncio.sleep(0)
                log.info("last")

            asyncio.run(main())
        """)

        assert [line["event"] for line in found] == ["first", "last"]

    def test_a_line_of_a_loop_that_goes_on_does_not_wait_for_the_next_one(self) -> None:
        code = """
            async def main():
                log.info("served")
                await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

            asyncio.run(main())
        """
        program = f"{BEGIN}\nlogs.configure('info')\n{textwrap.dedent(code)}"
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "served"
            process.communicate()
        assert process.returncode == 0

    def test_threads_write_whole_lines(self) -> None:
        found = lines("""
            def work(name):
                for number in range(200):
                    log.info("line", thread=name, number=number, text="x" * 200)

            async def main():
                await asyncio.gather(*(asyncio.to_thread(work, name) for name in "abc"))

            threads = [threading.Thread(target=work, args=(name,)) for name in "de"]
            for thread in threads: thread.start()
            asyncio.run(main())
            for thread in threads: thread.join()
        """)

        for name in "abcde":
            assert [line["number"] for line in found if line["thread"] == name] == list(range(200))

    def test_who_reads_the_log_may_go_away(self) -> None:
        code = """
            import os
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, 2)
            for _ in range(100):
                log.info("into the void")
            print("still here")
        """
        program = f"{BEGIN}\nlogs.configure('info')\n{textwrap.dedent(code)}"

        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)

        assert done.stdout == b"still here\n"


def test_what_callers_send_does_nothing_to_a_terminal() -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J\nfake line\r"
    written = run(
        f"""
        hostile = {hostile!r}
        log.info("served", path=hostile, own=[hostile])
        log.info(hostile)
        logging.getLogger("library").warning(hostile)
        """,
        form="console",
    )

    assert written.count("owned") == 4
    assert not any(sign in written for sign in ("\x1b]", "\x07", "\x1b[2J", "\r"))
    assert not any(line.startswith("fake line") for line in written.splitlines())


def on_terminal(code: str, form: str) -> str:
    """What the same program writes where standard error is a terminal."""
    ours, theirs = os.openpty()
    program = f"{BEGIN}\nlogs.configure('info', {form!r})\n{textwrap.dedent(code)}"
    try:
        process = subprocess.Popen([sys.executable, "-c", program], stderr=theirs, env=os.environ | {"TERM": "xterm"})
        os.close(theirs)
        written = b""
        while chunk := _read(ours):
            written += chunk
        assert process.wait(60) == 0
    finally:
        os.close(ours)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side is closed
        return b""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals of this kind here")
def test_a_terminal_gets_lines_for_people_unless_json_is_asked_for() -> None:
    code = 'log.info("served", status=200)'

    readable = on_terminal(code, "auto")
    asked = on_terminal(code, "json")

    assert "served" in readable
    assert not readable.startswith("{")
    assert json.loads(asked)["status"] == 200


def test_lines_for_people_can_be_asked_for_in_a_pipe() -> None:
    written = run('log.info("served", status=200)', form="console")

    assert "served" in written
    assert not written.startswith("{")
