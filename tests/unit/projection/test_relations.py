"""Each relation gives the same however much of it is settled: what a recount of the rows gives."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from aura_analytics.projection import Question, Slice
from aura_analytics.projection.coverage import HOUR_MS
from aura_analytics.projection.cubes import KIND_COLUMNS, TEXT_MEASURES
from aura_analytics.projection.measures import DOUBLES, MEASURES, OF_ROWS, merged
from aura_analytics.projection.unsettled import Ready
from trying import tried
from unit.projection import recount
from unit.projection.filled import Filled, filled
from unit.projection.recount import FAR, MOMENTS, Cells, Change, Counts, histories, interaction, slices, steps

SPLITS = st.sampled_from([None, None, "store_id", *KIND_COLUMNS])
ADDITIVE = tuple(name for name in MEASURES if name != "sessions")
NEXT = ("next_id", "next_at", "next_text", "next_intent")


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """What any question may be about; its SQL is each test's own."""
    until = draw(st.one_of(MOMENTS, st.sampled_from([-FAR, FAR, FAR, FAR])))
    buckets = draw(steps())
    measures = draw(st.sampled_from([ADDITIVE, tuple(OF_ROWS), ("queries", "rephrased", "no_answer")]))
    if buckets is not None and buckets.unit_ms == HOUR_MS:
        measures = (*measures, "sessions")
    return Question(
        sql="",
        about=draw(slices()),
        answered_until=until,
        measures=measures,
        split=draw(SPLITS),
        buckets=buckets,
    )


def close(found: Counts, expected: Counts) -> None:
    """Compare counts; sums of doubles may differ in their last digit."""
    assert found.keys() == expected.keys()
    for key, counts in expected.items():
        for name, value in counts.items():
            exact = name not in DOUBLES
            assert found[key][name] == (value if exact else pytest.approx(value, abs=1e-9)), (key, name)


def cells_of(columns: Filled, question: Question) -> Counts:
    key = "bucket" if question.split is None else f"bucket, {question.split}"
    sums = ", ".join(merged(name) for name in question.measures)
    sql = f"SELECT {key}, {sums} FROM {{cells}} GROUP BY {key} HAVING sum(queries) > 0"
    width = 1 if question.split is None else 2
    return {
        line[:width]: dict(zip(question.measures, line[width:], strict=True))
        for line in columns.ask(msgspec.structs.replace(question, sql=sql))
    }


def assert_cells(columns: Filled, rows: list[Cells], question: Question) -> None:
    said = recount.Turns(rows, question.answered_until)

    def key(cells: Cells) -> tuple[Any, ...]:
        bucket = recount.bucket_of(cells, question.buckets)
        return (bucket,) if question.split is None else (bucket, cells[question.split])

    within = [cells for cells in rows if recount.holds(cells, question.about)]
    expected = {
        name: {
            measure: value
            for measure, value in recount.measured(some, said, question.answered_until).items()
            if measure in question.measures
        }
        for name, some in recount.grouped(within, key).items()
    }
    close(cells_of(columns, question), expected)


def assert_turns(columns: Filled, rows: list[Cells], question: Question) -> None:
    said = recount.Turns(rows, question.answered_until).said
    names = ("rephrased", "repeated", "cause", *NEXT)
    sql = f"SELECT id, latency_ms, {', '.join(names)} FROM {{turns}} ORDER BY id"
    assert columns.ask(msgspec.structs.replace(question, sql=sql)) == [
        (cells["id"], cells["latency_ms"], *(said[cells["id"]][name] for name in names))
        for cells in sorted(rows, key=lambda cells: str(cells["id"]))
        if recount.holds(cells, question.about)
    ]


def assert_texts(columns: Filled, rows: list[Cells], question: Question) -> None:
    sums = ", ".join(f"{'max' if name == 'last_missed' else 'sum'}({name})" for name in TEXT_MEASURES)
    sql = f"SELECT query_text, intent, {sums} FROM {{texts}} GROUP BY query_text, intent HAVING sum(queries) > 0"
    found = columns.ask(msgspec.structs.replace(question, sql=sql))
    within = [cells for cells in rows if recount.holds(cells, question.about)]
    close(
        {line[:2]: dict(zip(TEXT_MEASURES, line[2:], strict=True)) for line in found},
        recount.texts(within, question.answered_until),
    )


def assert_latencies(columns: Filled, rows: list[Cells], question: Question) -> None:
    sql = "SELECT bucket, latency_ms, sum(queries) FROM {latencies} GROUP BY bucket, latency_ms"
    within = [cells for cells in rows if recount.holds(cells, question.about) and cells["latency_ms"] is not None]
    groups = recount.grouped(within, lambda cells: (recount.bucket_of(cells, question.buckets), cells["latency_ms"]))
    assert {line[:2]: line[2] for line in columns.ask(msgspec.structs.replace(question, sql=sql))} == {
        key: len(some) for key, some in groups.items()
    }


def assert_rows(columns: Filled, rows: list[Cells], question: Question) -> None:
    found = columns.ask(msgspec.structs.replace(question, sql="SELECT id FROM {rows}"))
    within = [(cells["id"],) for cells in rows if recount.holds(cells, question.about)]
    assert sorted(found) == sorted(within)


def assert_all(columns: Filled, changes: list[Change], asked: list[Question]) -> None:
    rows = recount.after(changes)
    for question in asked:
        for check in (assert_rows, assert_turns, assert_cells, assert_texts, assert_latencies):
            check(columns, rows, question)


def settle_some(columns: Filled, chance: random.Random) -> None:
    """Settle about half of what is stale, in runs that may reach over settled hours too."""
    hours, days = columns.stale()
    for hour in hours:
        if chance.random() < 0.5:
            columns.settle(Ready(hours=(hour - chance.randrange(3), hour)))
    for day in days:
        if chance.random() < 0.5:
            columns.settle(Ready(day=day))


@tried(3, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(changes=histories(), asked=st.lists(questions(), min_size=1, max_size=2), seed=st.integers(0, 99))
def test_relations_are_the_same_whatever_is_settled(changes: list[Change], asked: list[Question], seed: int) -> None:
    with filled(rows=changes[0].rows) as columns:
        assert_all(columns, changes[:1], asked)
        columns.settle_all()
        assert columns.stale() == ([], [])
        assert_all(columns, changes[:1], asked)
        columns.apply(changes[1])
        assert_all(columns, changes[:2], asked)
        settle_some(columns, random.Random(seed))
        columns.apply(changes[2])
        assert_all(columns, changes[:3], asked)
        columns.apply(changes[3])
        columns.settle_all()
        assert_all(columns, changes, asked)


def counted(columns: Filled, **about: Any) -> int:
    question = Question(sql="SELECT sum(queries) FROM {cells}", measures=("queries",), about=Slice(**about))
    return int(columns.ask(question)[0][0] or 0)


def test_a_settled_hour_is_answered_from_its_cube() -> None:
    """Else all the other tests would compare rows with rows."""
    with filled(rows=[interaction("q")]) as columns:
        assert counted(columns) == 1
        columns.settle_all()
        with columns.file._open.cursor() as cursor:
            for table in ("cells", "kinds", "texts", "latencies"):
                cursor.execute(f"UPDATE {table} SET queries = 17")
        assert counted(columns) == 17
        assert counted(columns, start=1) == 0
        assert counted(columns, intents=("(none)",)) == 17
        assert columns.ask(Question(sql="SELECT queries FROM {texts}")) == [(17,)]
        columns.apply(Change([interaction("r")]))
        assert counted(columns) == 2
        assert columns.ask(Question(sql="SELECT sum(queries) FROM {texts}")) == [(2,)]


@pytest.mark.parametrize("stores", [("a", "(none)"), ("(none)",), ("(none)", "(none)")])
def test_no_store_at_all_is_none_of_the_stores(stores: tuple[str, ...]) -> None:
    with filled(rows=[interaction("q"), interaction("r", store_id="b")]) as columns:
        rows = counted(columns, stores=stores)
        columns.settle_all()
        assert counted(columns, stores=stores) == rows == ("a" in stores)


def test_a_turn_that_is_said_again_in_the_next_hour_makes_its_own_hour_stale() -> None:
    question = Question(sql="SELECT sum(rephrased) FROM {cells}", measures=("rephrased",))
    with filled(rows=[interaction("q", session_id="s", created_at=HOUR_MS - 1)]) as columns:
        columns.settle_all()
        assert columns.ask(question) == [(0,)]
        again = {"session_id": "s", "created_at": HOUR_MS, "query_text": "show me red shoes"}
        columns.apply(Change([interaction("r", **again)]))
        assert columns.ask(question) == [(1,)]
        columns.settle(Ready(hours=(1, 1)))
        assert columns.ask(question) == [(1,)]
        columns.settle_all()
        assert columns.ask(question) == [(1,)]
        columns.apply(Change([], ["r"]))
        assert columns.ask(question) == [(0,)]


def test_a_row_without_a_moment_is_in_no_hour_and_stops_nothing() -> None:
    rows = [interaction("q", session_id="s"), interaction("none", created_at=None, session_id="s")]
    with filled(rows=rows) as columns:
        assert counted(columns) == 1
        assert columns.stale() == ([0], [0])
        columns.settle_all()
        assert counted(columns) == 1
        columns.apply(Change(rows))
        assert counted(columns) == 1


def test_a_moment_that_is_no_whole_number_is_counted_in_its_hour() -> None:
    with filled(rows=[interaction("q")]) as columns:
        columns.settle_all()
        columns.apply(Change([interaction("r", created_at=HOUR_MS + 0.4, session_id="s")]))
        assert columns.stale() == ([1, 0], [0])
        assert columns.ask("SELECT first_at FROM sessions") == [(HOUR_MS,)]


def test_numbers_that_64_bits_hold_just_so_are_added_up() -> None:
    most = 2**63 - 1
    rows = [interaction(id, tokens_prompt=most, tokens_completion=most, has_outcome=True) for id in "ab"]
    question = Question(sql=f"SELECT {merged('tokens')} FROM {{cells}}", measures=("tokens",))
    with filled(rows=rows) as columns:
        assert columns.ask(question) == [(most,)]
        columns.settle_all()
        assert columns.ask(question) == [(most,)]


def test_many_stale_hours_far_apart_are_still_right() -> None:
    rows = [interaction(f"q{n}", created_at=n * HOUR_MS, intent="search") for n in range(0, 200, 2)]
    with filled(rows=rows) as columns:
        columns.settle(Ready(hours=(0, 199)))
        columns.apply(Change([interaction(f"r{n}", created_at=n * HOUR_MS + 5) for n in range(0, 200, 4)]))
        assert len(columns.stale()[0]) > 50
        assert counted(columns) == 150
        assert counted(columns, start=1, end=100 * HOUR_MS) == 50 + 25
        assert counted(columns, intents=("search",)) == 100
