"""The ring of recent lines: in order, bounded, told apart from another server's, and fed from other processes."""

import os
import threading
import unicodedata

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aura_analytics import logs
from aura_analytics.recent import ATOMIC_BYTES, Recent, encode, relay


def test_the_oldest_falls_out_and_who_comes_late_is_told_how_many() -> None:
    recent = Recent(kept=3)
    for number in range(5):
        recent.hear({"n": number})

    gone, lines = recent.after(0, 10)

    assert (gone, [kept.line["n"] for kept in lines]) == (2, [2, 3, 4])
    assert [kept.number for kept in lines] == [3, 4, 5]
    assert recent.after(4, 10)[0] == 0
    assert recent.after(5, 10) == (0, [])
    assert Recent().after(0, 10) == (0, [])


def test_lines_are_given_a_page_at_a_time() -> None:
    recent = Recent()
    for number in range(5):
        recent.hear({"n": number})

    assert [kept.number for kept in recent.after(1, 2)[1]] == [2, 3]


def test_two_threads_share_no_number() -> None:
    recent = Recent(kept=10_000)
    threads = [threading.Thread(target=lambda: [recent.hear({}) for _ in range(1_000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [kept.number for kept in recent.after(0, 10_000)[1]] == list(range(1, 4_001))


def test_what_another_process_writes_is_heard_with_its_name() -> None:
    recent, (reading, writing) = Recent(), os.pipe()
    hear, take = relay(writing), recent.relayed("columns")
    hear({"event": "built", "rows": 3, "odd": {1}})
    hear({"event": "failed", "exception": "x" * 2 * ATOMIC_BYTES})
    hear({"event": "too long", "text": "x" * ATOMIC_BYTES})
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        for line in file:
            take(line)
    for nonsense in (b"no json\n", b"[1]\n", b"\xff\n"):
        take(nonsense)

    assert [kept.line for kept in recent.after(0, 10)[1]] == [
        {"event": "built", "rows": 3, "odd": [1], "process": "columns"},
        {"event": "failed", "process": "columns"},
    ]


def test_nobody_waits_for_a_pipe_that_nobody_empties() -> None:
    reading, writing = os.pipe()
    hear = relay(writing)
    for number in range(10_000):
        hear({"n": number, "text": "x" * 100})
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        assert [msgspec.json.decode(line)["n"] for line in file][:2] == [0, 1]  # and each of them is whole


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_is_logged_is_heard_without_the_values_of_variables(
    form: logs.Format, capfd: pytest.CaptureFixture[str]
) -> None:
    import structlog  # noqa: PLC0415 (its configuration is put back below)

    before = structlog.get_config()
    recent = Recent()
    try:
        logs.configure("info", form)
        log = structlog.get_logger()
        log.info("early")
        with logs.heard_by(recent.hear):
            log.info("served", path="/\x1b[31m")
            log.debug("not written, and so not heard")
            secret = "saffron"
            try:
                int(secret[:0])
            except ValueError:
                log.exception("failed")
        log.info("late")
    finally:
        structlog.configure(**before)
    first, second = (kept.line for kept in recent.after(0, 10)[1])
    assert (first["event"], first["level"]) == ("served", "info")
    assert second["event"] == "failed"
    assert second["exception"][0]["exc_type"] == "ValueError"
    assert "saffron" not in msgspec.json.encode(second, enc_hook=repr).decode()
    capfd.readouterr()


@given(st.text())
@example("\x7f\x80\x85\x9b2J\x9f\u2028\u2029")
@example("\xa0\u2027\u202a\u0fff")
def test_a_line_is_one_to_every_reader_and_nothing_in_it_acts_on_a_terminal(text: str) -> None:
    written = encode({text: [text]})

    assert msgspec.json.decode(written) == {text: [text]}
    assert len(written.decode().splitlines()) == 1
    assert [one for one in written.decode() if unicodedata.category(one) in ("Cc", "Zl", "Zp")] == []
