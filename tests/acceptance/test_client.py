"""The client for Python programs, against the service: up, away, slow; and programs that end in every way."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any

import pytest

from acceptance.between import Between, Prepared
from acceptance.database import PATIENCE_S
from acceptance.service import Service, clean_environment, until
from aura_analytics.client import AsyncClient, Client, Drop, Options
from aura_analytics.client.options import tell_on_stderr
from aura_analytics.errors import ParameterError

StartClient = Callable[..., Client]

# Tracks as many queries as it is told into a store, and then does what it is told.
PROGRAM = """
import json, os, signal, sys
from aura_analytics.client import Client, Options
told = json.loads(sys.argv[1])
client = Client(told["url"], spool=told["spool"], options=Options(**told["options"]))
for number in range(told["first"], told["first"] + told["count"]):
    client.track_query(store_id=told["store"], query_id=f"{told['store']}-{number}", query_text=f"shoes {number}")
exec(told["then"])
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), AURA_EVALUATE="off", AURA_STATISTICS="off") as made:
        yield made


@pytest.fixture
def between(service: Service) -> Iterator[Between]:
    with Between(service.url) as made:
        yield made


@pytest.fixture
def drops() -> list[Drop]:
    return []


@pytest.fixture
def start(between: Between, drops: list[Drop], monkeypatch: pytest.MonkeyPatch) -> Iterator[StartClient]:
    """Start clients that send to `between`; options are keyword arguments. They end with the test."""
    monkeypatch.setenv("NO_PROXY", "*")
    with ExitStack() as stack:

        def made(kind: type[Client] = Client, *, spool: Path | None = None, **options: Any) -> Client:
            quick: dict[str, Any] = {
                "batch_age_s": 0.05,
                "first_pause_s": 0.05,
                "exit_timeout_s": 1.0,
                "on_drop": drops.append,
            }
            client = kind(between.url, spool=spool, options=Options(**(quick | options)))
            stack.callback(client.close)
            return client

        yield made


def track(client: Client, store: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        client.track_query(store_id=store, query_id=f"{store}-{number}", query_text=f"shoes {number}")


def stored(service: Service, store: str) -> int:
    [(count,)] = service.rows("SELECT count(*) FROM voice_queries WHERE store_id = ?", store)
    return int(count)


def program(between: Between, store: str, spool: Path, count: int, then: str, **told: Any) -> subprocess.Popen[bytes]:
    """Run a program that has a client."""
    options = {"batch_age_s": 0.05, "first_pause_s": 0.05, "exit_timeout_s": 2.0} | told.pop("options", {})
    told = {"first": 0} | told | {"url": between.url, "spool": str(spool), "store": store, "count": count}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(told | {"then": then, "options": options})],
        env=clean_environment(NO_PROXY="*"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_what_is_tracked_is_stored(service: Service, start: StartClient, name: str, drops: list[Drop]) -> None:
    client = start()
    query_id = client.track_query(store_id=name, query_text="wo ist Müsli?", fast_path=True, own={"aisle": 3})
    client.track_outcome(query_id=query_id, action_success=True, latency_ms=12.5, tools_used=["search"])
    client.track_conversion(query_id=query_id, order_id="o-1", value=89.9, currency="EUR")
    client.track_query(store_id=name, query_text="x", transcription_confidence=7)
    assert client.flush()
    row = service.row("voice_queries", query_id)
    assert (row["query_text"], row["fast_path"], json.loads(row["extra"])) == ("wo ist Müsli?", 1, {"aisle": 3})
    assert service.row("voice_outcomes", query_id)["latency_ms"] == 12.5
    assert len(service.rows("SELECT 1 FROM voice_conversions WHERE query_id = ?", query_id)) == 1
    assert [(one.reason, one.events) for one in drops] == [("rejected", 1)]
    assert "transcription_confidence" in drops[0].detail
    totals = client.totals
    assert (totals.tracked, totals.delivered, totals.dropped) == (4, 3, 1)


def test_nothing_is_raised_unless_somebody_wants_to_know(
    start: StartClient, drops: list[Drop], between: Between
) -> None:
    start().track_outcome(query_id="q", own={"thing": object()})
    assert [one.reason for one in drops] == ["invalid"]
    with pytest.raises(ParameterError, match="store_id"):
        start(debug=True).track_query(query_text="where", store_id="")

    def failing(drop: Drop) -> None:
        drops.append(drop)
        raise RuntimeError("the metrics are away")

    closed = start(on_drop=failing)
    closed.close()
    closed.close()
    closed.track_query(store_id="s", query_text="x")
    assert (drops[-1].reason, drops[-1].detail) == ("memory", "the client is closed")
    assert between.arrivals == []


@pytest.mark.parametrize("own", [["aisle"], 5])
def test_fields_of_one_s_own_that_are_none_are_counted(start: StartClient, drops: list[Drop], own: Any) -> None:
    client = start()
    query_id = client.track_query(store_id="s", query_text="x", own=own)
    client.track_outcome(query_id=query_id, own=own)
    client.track_conversion(query_id=query_id, own=own)
    assert query_id
    assert [one.reason for one in drops] == ["invalid"] * 3


def full() -> IO[str]:
    return Path("/dev/full").open("w", buffering=1)


def unread() -> IO[str]:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1)


def fail(drop: Drop) -> None:
    raise RuntimeError(drop.detail)


@pytest.mark.parametrize("on_drop", [tell_on_stderr, fail])
@pytest.mark.parametrize("stderr", [full, unread, lambda: None])
def test_a_stderr_that_can_t_be_written_ends_nothing(
    service: Service,
    start: StartClient,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stderr: Callable[[], IO[str] | None],
    on_drop: Callable[[Drop], None],
) -> None:
    client = start(on_drop=on_drop)
    broken = stderr()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", broken)
        client.track_query(store_id=name, query_text="x", transcription_confidence=7)
        assert client.flush(PATIENCE_S)
        client.track_outcome(query_id="q", own={"thing": object()})
        track(client, name, 1, first=1)
        assert client.flush(PATIENCE_S)
    if broken is not None:
        with suppress(OSError):
            broken.close()
    assert (stored(service, name), client.totals.dropped) == (1, 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # that it ends so is the point
def test_a_thread_that_was_ended_is_followed_by_another_that_takes_up_what_it_left(
    service: Service, start: StartClient, between: Between, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(*_: object) -> None:
        raise SystemExit

    between.answers.append(Prepared(status=401))
    client = start(on_drop=leave)
    for number in (0, 1):
        track(client, name, 1, first=number)
        assert client.flush()
    with monkeypatch.context() as patched:  # only so can it be caused
        patched.setattr(client._course, "send", leave)
        patched.setattr(client._course, "fail", leave)
        track(client, name, 1, first=2)
        until(lambda: not client._is_sending())
    assert client.flush()
    assert (stored(service, name), client.totals.delivered) == (2, 2)


def test_who_is_told_may_close_the_client_or_never_return(start: StartClient, between: Between) -> None:
    between.answers.extend([Prepared(status=401)] * 2)
    told, go = Event(), Event()

    def close(_: Drop) -> None:
        closing.flush()
        closing.close()
        told.set()

    closing = start(on_drop=close)
    closing.track_query(store_id="s", query_text="x")
    assert told.wait(PATIENCE_S)
    assert closing.totals.dropped == 1

    def stay(_: Drop) -> None:
        told.set()
        go.wait()

    told.clear()
    held = start(on_drop=stay, exit_timeout_s=0.1)
    held.track_query(store_id="s", query_text="x")
    assert told.wait(PATIENCE_S)
    ending = Thread(target=held.close, daemon=True)
    ending.start()
    ending.join(PATIENCE_S)
    ended = not ending.is_alive()
    go.set()
    assert ended


def test_a_signal_while_the_thread_begins_holds_up_nothing(between: Between) -> None:
    """Its handler tracks, in the thread that is about to start the one that sends."""
    interrupted = """
import signal, sys, threading
from aura_analytics.client import Client
client, start = Client(sys.argv[1]), threading.Thread.start
signal.signal(signal.SIGUSR1, lambda *_: client.track_query(store_id="s", query_text="from the handler"))
def begin(thread):
    signal.raise_signal(signal.SIGUSR1)
    start(thread)
threading.Thread.start = begin
client.track_query(store_id="s", query_text="x")
client.close()
print(client.totals.delivered)
"""
    said = subprocess.run(
        [sys.executable, "-c", interrupted, between.url],
        env=clean_environment(NO_PROXY="*"),
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert (said.stdout, said.stderr) == (b"2\n", b"")


def test_a_file_of_the_spool_that_can_t_be_used_holds_up_nothing(
    service: Service, start: StartClient, between: Between, tmp_path: Path, *, name: str, drops: list[Drop]
) -> None:
    (tmp_path / "0.0.spool").mkdir()
    (tmp_path / "0.1.spool").symlink_to("0.1.spool")
    (tmp_path / "0.2.spool").symlink_to("/proc/self/mem")  # opens, and can't be read
    between.down()
    left = start(spool=tmp_path, on_drop=id)
    track(left, name, 10)
    assert left.flush()
    left.close()
    between.up()
    client = start(spool=tmp_path, longest_pause_s=0.2)
    until(lambda: len(drops) == 3)
    track(client, name, 10, first=10)
    assert client.flush()
    assert client.totals.spooled == 0
    until(lambda: stored(service, name) == 20)
    until(lambda: len(list(tmp_path.iterdir())) == 3)
    assert [(one.reason, one.events) for one in drops] == [("spool", 0)] * 3
    assert all("passed over" in one.detail for one in drops)


def test_a_fork_of_a_closed_client_is_closed(between: Between, tmp_path: Path, name: str) -> None:
    then = """
client.close()
if os.fork():
    os.wait()
else:
    client.track_query(store_id="s", query_text="x")
    print(client.totals.dropped)
"""
    said, _ = program(between, name, tmp_path, 0, then).communicate(timeout=PATIENCE_S)
    assert said == b"1\n"


def test_many_threads_and_batches(service: Service, start: StartClient, between: Between, name: str) -> None:
    client = start(batch_events=100, batch_age_s=30.0, gzip_from_bytes=100)
    threads = [Thread(target=track, args=(client, name, 100, first)) for first in range(0, 800, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: stored(service, name) == 800)
    assert client.flush()
    assert len(between.arrivals) == 8
    assert all(one.headers["content-encoding"] == "gzip" for one in between.arrivals)


def test_with_a_loop(service: Service, start: StartClient, name: str) -> None:
    async def run() -> None:
        client = start(AsyncClient)
        assert isinstance(client, AsyncClient)
        async with client:
            track(client, name, 10)
            assert await client.aflush()
            assert stored(service, name) == 10
            track(client, name, 10, first=10)

    asyncio.run(run())
    assert stored(service, name) == 20


def test_answers_that_are_lost_late_or_not_now_double_nothing(
    service: Service, start: StartClient, between: Between, name: str, drops: list[Drop]
) -> None:
    between.answers.extend(
        [
            Prepared(status=503, passed_on=True),
            Prepared(status=429, headers={"retry-after": "1"}),
            Prepared(status=413),  # then in halves
        ]
    )
    client = start(attempt_s=0.5)
    begun = time.monotonic()
    track(client, name, 9)
    assert client.flush()
    assert time.monotonic() - begun >= 1
    between.open.clear()
    track(client, name, 1, first=9)
    until(lambda: len(between.arrivals) >= 7)  # the second try of the tenth
    between.open.set()
    assert client.flush()
    assert stored(service, name) == 10
    assert (client.totals.delivered, drops) == (10, [])


def test_without_a_spool_it_waits_in_memory_up_to_a_bound(
    service: Service, start: StartClient, between: Between, name: str, drops: list[Drop]
) -> None:
    between.down()
    client = start(max_bytes=2_000)
    track(client, name, 100)
    kept = 100 - len(drops)
    assert {one.reason for one in drops} == {"memory"}
    assert 0 < kept < 40
    between.up()
    assert client.flush()
    assert stored(service, name) == kept
    between.down()
    impatient = start(retry_for_s=0.1)
    track(impatient, name, 1)
    until(lambda: impatient.totals.dropped)
    assert drops[-1].reason == "undelivered"


def test_with_a_spool_nothing_is_lost_however_long_it_is_away(
    service: Service, start: StartClient, between: Between, tmp_path: Path, name: str
) -> None:
    client = start(spool=tmp_path / "spool", max_bytes=50_000, longest_pause_s=0.2)
    for begun in range(0, 1_000, 100):
        if begun == 200:
            between.down()
        track(client, name, 100, begun)
        assert client.flush()
    assert stored(service, name) == 200
    assert client.totals.spooled == 800
    between.up()
    until(lambda: stored(service, name) == 1_000)
    until(lambda: list((tmp_path / "spool").iterdir()) == [])
    assert (client.totals.delivered, client.totals.dropped) == (1_000, 0)


def test_a_key_that_isn_t_known_is_tried_once_and_the_spool_keeps_what_it_was_for(
    start: StartClient, between: Between, tmp_path: Path, drops: list[Drop]
) -> None:
    between.answers.extend([Prepared(status=401)] * 2)
    client = start()
    client.track_query(store_id="s", query_text="x")
    assert client.flush()
    assert [one.reason for one in drops] == ["refused"]
    kept = start(spool=tmp_path, first_pause_s=30.0)
    kept.track_query(store_id="s", query_text="x")
    assert kept.flush()
    assert (len(drops), kept.totals.spooled, len(between.arrivals)) == (1, 1, 2)


def test_a_failure_that_nobody_thought_of_ends_in_the_spool_or_is_counted(
    start: StartClient, tmp_path: Path, drops: list[Drop]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of the blue")

    for spool in (tmp_path, None):
        client = start(spool=spool)
        client._wire.post = fail  # type: ignore[method-assign,assignment]  # only so can it be caused
        track(client, "s", 3)
        assert client.flush()
        assert client.totals.spooled == (3 if spool else 0)
    assert ("undelivered", 3) in [(one.reason, one.events) for one in drops]


def test_a_full_spool_is_counted(start: StartClient, between: Between, tmp_path: Path, drops: list[Drop]) -> None:
    between.down()
    client = start(spool=tmp_path, max_spool_bytes=2_000)
    for first in range(0, 50, 10):
        track(client, "s", 10, first)
        assert client.flush()
    assert {one.reason for one in drops} == {"spool"}
    assert client.totals.spooled + client.totals.dropped == 50


def test_what_was_spooled_outlives_kill_9_and_is_sent_once_by_the_next(
    service: Service, start: StartClient, between: Between, tmp_path: Path, name: str
) -> None:
    between.down()
    killed = program(between, name, tmp_path, 300, "client.flush(); os.kill(os.getpid(), signal.SIGKILL)")
    killed.communicate(timeout=PATIENCE_S)
    assert killed.returncode == -signal.SIGKILL
    [left] = tmp_path.iterdir()
    left.write_bytes(left.read_bytes() + b"0000")  # the torn beginning of a line
    between.up()
    nexts = [start(spool=tmp_path) for _ in range(3)]  # who come at once
    until(lambda: stored(service, name) == 300)
    until(lambda: list(tmp_path.iterdir()) == [])
    assert sum(one.totals.delivered for one in nexts) == 300
    assert [one.totals.dropped for one in nexts] == [0, 0, 0]


def test_processes_that_are_killed_one_after_another_lose_nothing_that_was_spooled(
    service: Service, between: Between, tmp_path: Path, name: str
) -> None:
    """Each finds what the ones before left, is killed at work, and the service has every event once."""
    for round_ in range(4):
        between.open.clear() if round_ % 2 else between.down()
        then = "client.flush(1.5); print('there', flush=True); signal.pause()"
        running = program(
            between, name, tmp_path, 50, then, first=50 * round_, options={"attempt_s": 0.2, "first_pause_s": 0.01}
        )
        assert running.stdout is not None
        assert running.stdout.readline() == b"there\n"
        running.kill()
        running.communicate()
        between.open.set() if round_ % 2 else between.up()
    last = program(between, name, tmp_path, 0, "import time\nwhile os.listdir(told['spool']): time.sleep(0.01)")
    _, said = last.communicate(timeout=PATIENCE_S)
    assert (last.returncode, said) == (0, b"")
    assert stored(service, name) == 200


@pytest.mark.parametrize("then", ["", "sys.exit(3)", "1 / 0", "raise KeyboardInterrupt"])
def test_the_end_of_a_program_sends_what_is_left(
    service: Service, between: Between, tmp_path: Path, name: str, then: str
) -> None:
    program(between, name, tmp_path, 30, then, options={"batch_age_s": 60.0}).communicate(timeout=PATIENCE_S)
    assert stored(service, name) == 30
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_a_program_isn_t_held_up_by_a_service_that_is_slow(
    service: Service, between: Between, tmp_path: Path, name: str, start: StartClient
) -> None:
    between.open.clear()
    ended = program(between, name, tmp_path, 30, "", options={"exit_timeout_s": 0.3})
    ended.communicate(timeout=PATIENCE_S)
    between.open.set()
    assert ended.returncode == 0
    start(spool=tmp_path)
    until(lambda: list(tmp_path.iterdir()) == [])
    assert stored(service, name) == 30


def test_a_fork_sends_its_own_and_nothing_of_its_parent_s(
    service: Service, between: Between, tmp_path: Path, name: str
) -> None:
    """The parent has some in memory and in its spool when it forks; each of both is sent once."""
    then = f"""
between_pids = os.fork()
for number in range(100, 130):
    client.track_query(store_id=told["store"], query_id=f"{name}-{{number}}-{{between_pids == 0}}", query_text="x")
client.close(10)
print(json.dumps([between_pids == 0, client.totals.tracked, client.totals.delivered]), flush=True)
if between_pids:
    os.waitpid(between_pids, 0)
"""
    forked = program(between, name, tmp_path, 30, then, options={"batch_age_s": 60.0})
    said, errors = forked.communicate(timeout=PATIENCE_S)
    assert sorted(json.loads(line) for line in said.splitlines()) == [[False, 60, 60], [True, 30, 30]], errors
    assert stored(service, name) == 90


def test_signed(tmp_path: Path, drops: list[Drop], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with Service(tmp_path, AURA_EVALUATE="off", AURA_STATISTICS="off") as service, Between(service.url) as between:
        made = service.aura("keys", "create", "signed", "--scope", "ingest", "--signed", "--json").stdout
        key = json.loads(made)
        until(lambda: service.http.post("/ingest", json=[]).status_code == 401)
        between.answers.append(Prepared(passed_on=True))
        options = Options(on_drop=drops.append, gzip_from_bytes=10, first_pause_s=0.01)
        with Client(between.url, key=key["key"], secret=key["signing_secret"], options=options) as client:
            track(client, "s", 20)
            assert client.flush()
        assert (client.totals.delivered, drops, len(between.arrivals)) == (20, [], 2)
        with Client(between.url, key=key["key"], options=options) as unsigned:
            track(unsigned, "s", 1)
        assert [one.reason for one in drops] == ["refused"]
