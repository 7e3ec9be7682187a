"""A process of columns that is killed in the middle of its work: the next one goes on from what was whole."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aura_analytics.projection import Question
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from unit.projection.filled import Filled, filled
from unit.projection.recount import Change, interaction

# Opens the file, and stops for good within a piece of work, its transaction open; or right after it.
STOPPING = """
import sys, time
from pathlib import Path
from aura_analytics.projection import cubes, publishing, upkeep
from aura_analytics.projection.columns import ColumnFile
from aura_analytics.projection.unsettled import Ready
from aura_analytics.store.port import FeedPoint
def stop():
    print("stopped", flush=True)
    time.sleep(600)
def stopping(work):
    def stopped(*arguments):
        work(*arguments)
        stop()
    return stopped
if {within!r}:
    setattr(upkeep, {within!r}, stopping(getattr(upkeep, {within!r})))
columns = ColumnFile(Path(sys.argv[1]), memory_mb=256, threads=1, attribution_ms={window})
assert columns.open()
generation = columns.generation
{work}
stop()
"""
SETTLE = "columns.settle(generation, Ready(hours=(0, 0))); columns.settle(generation, Ready(day=0))"
APPLY = "columns.apply(['a', 'gone'], [], FeedPoint(position=9, moment=9))"
COUNTS = Question(
    sql="SELECT (SELECT sum(queries) FROM {cells})::BIGINT, (SELECT sum(queries) FROM {texts})::BIGINT,"
    " (SELECT count(*) FROM {turns}), (SELECT count(*) FROM interactions), (SELECT count(*) FROM sessions)",
    measures=("queries",),
)


@pytest.fixture
def columns(tmp_path: Path) -> Iterator[Filled]:
    """Some interactions, some settled, some changed since."""
    rows = [interaction(f"q{n}", created_at=n * HOUR_MS // 2, session_id=f"s{n % 3}") for n in range(10)]
    with filled(tmp_path / "columns.duckdb", rows=[*rows, interaction("gone")]) as made:
        made.settle_all()
        made.apply(Change([interaction("a", session_id="s9")]))
        yield made


Killed = Callable[[str, str | None], None]


@pytest.fixture
def killed(columns: Filled, tmp_path: Path) -> Killed:
    """Lets another process work on the file, and kills it where it stops."""

    def kill(work: str, within: str | None) -> None:
        columns.file.close()
        script = STOPPING.format(work=work, within=within, window=DAY_MS)
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "columns.duckdb")], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "stopped\n"
            process.kill()
            assert process.wait() == -signal.SIGKILL

    return kill


@pytest.mark.parametrize(
    ("within", "left"),
    [
        ("settle_hours", ([0, -1], [0])),
        ("settle_day", ([-1], [0])),
        (None, ([-1], [])),
    ],
)
def test_a_settling_that_was_killed_is_done_anew(
    columns: Filled, killed: Killed, within: str | None, left: tuple[list[int], list[int]]
) -> None:
    killed(SETTLE, within)
    assert columns.file.open()
    assert columns.stale() == left
    assert columns.ask(COUNTS) == [(12, 12, 12, 12, 4)]
    columns.settle_all()
    assert columns.ask(COUNTS) == [(12, 12, 12, 12, 4)]
    columns.apply(Change([interaction("b")]))
    assert columns.ask(COUNTS) == [(13, 13, 13, 13, 4)]


@pytest.mark.parametrize("within", ["mark", "keep", None])
def test_a_change_that_was_killed_is_there_wholly_or_not_at_all(
    columns: Filled, killed: Killed, within: str | None
) -> None:
    columns.settle_all()
    killed(APPLY, within)
    state = columns.file.open()
    assert state
    assert (state.point.position, columns.stale()) == ((9, ([0, -1], [0])) if within is None else (2, ([], [])))
    count = (12, 12, 12, 12, 4) if within else (10, 10, 10, 10, 3)
    assert columns.ask(COUNTS) == [count]
    columns.settle_all()
    assert columns.ask(COUNTS) == [count]
