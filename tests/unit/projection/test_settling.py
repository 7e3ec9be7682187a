"""Settling beside the feed: whatever comes between, no number is lost, and what changed meanwhile stays stale."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aura_analytics.errors import ProjectionUnavailable
from aura_analytics.projection import Question, upkeep
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.projection.unsettled import Ready
from unit.projection.filled import Filled, filled, point
from unit.projection.recount import Change, interaction

AT_MOST_S = 30
HOUR, DAY = Ready(hours=(0, 0)), Ready(day=0)
EACH = pytest.mark.parametrize(
    ("work", "ready"), [pytest.param("settle_hours", HOUR, id="hour"), pytest.param("settle_day", DAY, id="day")]
)
COUNTS = Question(
    sql="SELECT (SELECT sum(queries) FROM {cells})::BIGINT, (SELECT sum(queries) FROM {texts})::BIGINT, "
    "(SELECT count(*) FROM {turns}), (SELECT count(*) FROM interactions)",
    measures=("queries",),
)


class Gate:
    """Stops a thread at one place of its work until it may go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def stop(self) -> None:
        self.reached.set()
        assert self.opened.wait(AT_MOST_S)


def gated(work: Callable[..., None], gate: Gate, *, first: bool) -> Callable[..., None]:
    """Stop before or after some work."""

    def stopping(*arguments: Any) -> None:
        if first:
            gate.stop()
        work(*arguments)
        if not first:
            gate.stop()

    return stopping


@pytest.fixture
def columns() -> Iterator[Filled]:
    """Two interactions in the first hour, all of it stale."""
    with filled(rows=[interaction("a"), interaction("b", created_at=5)]) as made:
        yield made


def same(columns: Filled, count: int) -> None:
    assert columns.ask(COUNTS) == [(count,) * 4]


@EACH
def test_a_change_while_a_cell_is_settled_leaves_it_stale(
    columns: Filled, monkeypatch: pytest.MonkeyPatch, work: str, ready: Ready
) -> None:
    gate = Gate()
    monkeypatch.setattr(upkeep, work, gated(getattr(upkeep, work), gate, first=False))
    settling = threading.Thread(target=columns.settle, args=[ready])
    settling.start()
    assert gate.reached.wait(AT_MOST_S)
    columns.apply(Change([interaction("c", created_at=7)], ["b"]))
    columns.apply(Change([interaction("d", created_at=8)]))
    same(columns, 3)
    gate.opened.set()
    settling.join()
    monkeypatch.undo()
    hours, days = columns.stale()
    assert 0 in (hours if ready is HOUR else days)
    same(columns, 3)
    columns.settle_all()
    assert columns.stale() == ([], [])
    same(columns, 3)


@EACH
def test_a_change_that_comes_just_before_a_cell_is_read_is_in_it_or_leaves_it_stale(
    columns: Filled, monkeypatch: pytest.MonkeyPatch, work: str, ready: Ready
) -> None:
    gate = Gate()
    monkeypatch.setattr(upkeep, work, gated(getattr(upkeep, work), gate, first=True))
    settling = threading.Thread(target=columns.settle, args=[ready])
    settling.start()
    assert gate.reached.wait(AT_MOST_S)
    columns.apply(Change([interaction("c", created_at=7)]))
    gate.opened.set()
    settling.join()
    monkeypatch.undo()
    same(columns, 3)
    columns.settle_all()
    same(columns, 3)


@EACH
@pytest.mark.parametrize("first", [True, False])
def test_a_cell_that_is_settled_in_the_middle_of_a_change_is_stale_after_it(
    columns: Filled, monkeypatch: pytest.MonkeyPatch, work: str, ready: Ready, first: bool
) -> None:
    """The other way round: the change has begun before, and ends after."""
    gate = Gate()
    monkeypatch.setattr(upkeep, "mark", gated(upkeep.mark, gate, first=first))
    changing = threading.Thread(target=columns.apply, args=[Change([interaction("c", created_at=7)], ["a"])])
    changing.start()
    assert gate.reached.wait(AT_MOST_S)
    columns.settle(ready)
    same(columns, 2)
    gate.opened.set()
    changing.join()
    hours, days = columns.stale()
    assert 0 in (hours if work == "settle_hours" else days)
    same(columns, 2)
    columns.settle_all()
    same(columns, 2)


def test_only_what_was_settled_is_no_longer_stale() -> None:
    rows = [interaction(f"q{hour}", created_at=hour * HOUR_MS) for hour in range(100)]
    with filled(rows=rows) as columns:
        columns.settle(Ready(hours=(10, 19)))
        assert columns.stale() == ([*range(99, 19, -1), *range(9, -1, -1)], [4, 3, 2, 1, 0])
        columns.settle(Ready(day=2))
        assert columns.stale()[1] == [4, 3, 1, 0]
        same(columns, 100)


@EACH
def test_a_settling_that_fails_changes_nothing(
    columns: Filled, monkeypatch: pytest.MonkeyPatch, work: str, ready: Ready
) -> None:
    works = getattr(upkeep, work)

    def failing(*arguments: Any) -> None:
        works(*arguments)
        raise RuntimeError("broken")

    columns.settle_all()
    columns.apply(Change([interaction("c", created_at=7)]))
    monkeypatch.setattr(upkeep, work, failing)
    with pytest.raises(RuntimeError, match="broken"):
        columns.settle(ready)
    monkeypatch.undo()
    assert columns.stale() == ([0, -1], [0])
    same(columns, 3)
    columns.settle_all()
    same(columns, 3)


def test_a_settling_for_an_earlier_file_is_refused(columns: Filled) -> None:
    generation = columns.file.generation
    columns.file.begin("identity", "follower", point(1))
    with pytest.raises(ProjectionUnavailable):
        columns.file.settle(generation, HOUR)


def test_questions_while_changes_come_and_cells_are_settled_see_one_moment() -> None:
    """Hours, days, turns and rows of one answer always add up to the same."""
    stop = threading.Event()
    wrong: list[object] = []
    seen: set[int] = set()

    def work(do: Callable[[], None]) -> threading.Thread:
        def again() -> None:
            try:
                while not stop.is_set():
                    do()
            except Exception as error:  # noqa: BLE001 (a thread's error is the test's)
                wrong.append(error)

        return threading.Thread(target=again)

    def look() -> None:
        [counts] = held.ask(COUNTS)
        seen.add(counts[0])
        if len(set(counts)) > 1:
            wrong.append(counts)

    with filled(rows=[interaction("a")]) as held:
        threads = [work(look), work(held.settle_all)]
        for thread in threads:
            thread.start()
        for n in range(60):
            moments = [(n * 7 % 5) * HOUR_MS, (n % 2) * DAY_MS + n]
            held.apply(Change([interaction(f"{n}-{moment}", created_at=moment) for moment in moments]))
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(seen) > 1
        held.settle_all()
        same(held, 121)
