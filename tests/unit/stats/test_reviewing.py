"""What is most worth a person's minute: by a plain look at all there is, and over a real store with its leases."""

import asyncio
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.events.records import LABELS, Verdict
from aura_analytics.projection.spelling import folded
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.reviewing import DOUBT, LEASE_MS, ORDERS, SCORE, Order, Queue, review_queue
from aura_analytics.stats.scope import Scope
from aura_analytics.store.sqlite import SqliteStore
from contract.making import LATER, NOW, outcome, query, verdict
from trying import tried
from unit.stats.conftest import stored
from unit.stats.held import SETTLED, Held, Row, Settled, filters, histories, turns, windows, within

labels = st.sampled_from(LABELS)
confidences = st.floats(0, 1)
counts = st.integers(1, 10**9)


@cache
def columns() -> duckdb.DuckDBPyConnection:
    """The engine, without a table: opening one takes longer than all of a property's sums."""
    return duckdb.connect(config={"threads": 1})


def scored(
    label: str, confidence: float | None, *, again: bool = False, occurrences: int = 1, place: int = 1
) -> tuple[float, float]:
    """The doubt and the score, as the columns work them out."""
    cells = {"label": label, "confidence": confidence, "again": again}
    cells |= {"occurrences": occurrences, "place": place}
    sql = f"""
    SELECT doubt, {SCORE} FROM (
        SELECT *, {DOUBT} AS doubt FROM (
            SELECT $label AS label, $confidence::DOUBLE AS confidence, $again AS rephrased, false AS repeated,
                   $occurrences::BIGINT AS occurrences, $place::BIGINT AS place
        )
    )
    """
    ((doubt, score),) = columns().execute(sql, cells).fetchall()
    return doubt, score


@tried(15)
@given(label=labels, confidence=st.none() | st.floats(), again=st.booleans(), occurrences=counts)
def test_a_doubt_is_a_share_and_a_score_is_no_less(
    *, label: str, confidence: float | None, again: bool, occurrences: int
) -> None:
    """Whatever a database from elsewhere holds for a confidence."""
    doubt, score = scored(label, confidence, again=again, occurrences=occurrences)
    assert 0 <= doubt <= 1
    assert doubt <= score <= doubt * 31


@tried(15)
@given(label=labels, two=st.tuples(confidences, confidences), again=st.booleans(), occurrences=counts)
def test_the_surer_the_judge_the_less_a_look_is_worth(
    *, label: str, two: tuple[float, float], again: bool, occurrences: int
) -> None:
    unsure, sure = (scored(label, one, again=again, occurrences=occurrences)[1] for one in sorted(two))
    assert unsure >= sure


@tried(15)
@given(label=labels, confidence=confidences, again=st.booleans(), two=st.tuples(counts, counts))
def test_the_more_often_it_is_said_the_more_a_look_is_worth(
    *, label: str, confidence: float, again: bool, two: tuple[int, int]
) -> None:
    rare, often = (scored(label, confidence, again=again, occurrences=one)[1] for one in sorted(two))
    assert rare <= often
    doubled = scored(label, confidence, again=again, occurrences=2 * two[0])
    doubt, score = scored(label, confidence, again=again, occurrences=two[0])
    assert doubled == pytest.approx((doubt, score + doubt))
    later = scored(label, confidence, again=again, occurrences=2 * two[0], place=2)
    assert later == pytest.approx((doubt, score)), "the second look at a text is worth less"


@tried(15)
@given(label=labels, confidence=confidences)
def test_only_what_was_called_good_is_disputed_by_saying_it_again(*, label: str, confidence: float) -> None:
    """After REVIEW or BAD, it agrees with the label."""
    calm, again = (scored(label, confidence, again=said)[0] for said in (False, True))
    assert again == pytest.approx(1 - (1 - calm) / 2 if label == "GOOD" else calm)


def test_review_is_never_sure() -> None:
    """It asks for a person, however firmly."""
    assert scored("REVIEW", 1.0)[0] == 0.5
    assert scored("REVIEW", 0.2)[0] == pytest.approx(0.8)
    assert scored("GOOD", 1.0)[0] == 0


class Rows:
    """Labels as the columns have them, and nobody else who looks: what the order is made of."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._known = {
            row["id"]: verdict(row["id"], row["label"], confidence=row["confidence"], evaluated_by=row["evaluated_by"])
            for row in rows
            if row.get("label")
        }

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        return [self._known[id] for id in query_ids]

    async def lease_reviews(
        self,
        query_ids: Sequence[str],
        *,
        reviewer: str,  # noqa: ARG002
        limit: int,
        now: int,  # noqa: ARG002
        until: int,  # noqa: ARG002
    ) -> list[str]:
        return list(query_ids[:limit])

    async def leased_reviews(self, *, now: int) -> dict[str, str]:  # noqa: ARG002
        return {}


@dataclass
class Expected:
    """What a plain look finds of a turn that has a label."""

    turn: Row
    doubt: float
    disputed: bool
    count: int = 0
    place: int = 0
    score: float = 0.0

    @property
    def taken(self) -> bool:
        return bool(self.turn["evaluated_by"] == "human")


@tried(10)
@given(
    rows=histories(),
    settled=st.sampled_from(SETTLED),
    window=windows,
    among=filters,
    limit=st.sampled_from([1, 3, 100]),
    people=st.sets(st.integers(0, 24)),
)
async def test_the_queue_is_that_of_a_plain_look(
    *, rows: list[Row], settled: Settled, window: list[int | None], among: dict[str, Any], limit: int, people: set[int]
) -> None:
    rows = [{**row, "evaluated_by": "human"} if n in people and row.get("label") else row for n, row in enumerate(rows)]
    scope = Scope(start=window[0], end=window[1], **among)
    found = [turn for turn in turns(rows) if within(turn, scope)]
    said = Counter(folded(turn["query_text"]) for turn in found)
    expected = {}
    for turn in found:
        if turn.get("label"):
            unsure = max(1 - turn["confidence"], 0.5 if turn["label"] == "REVIEW" else 0)
            disputed = turn["label"] == "GOOD" and (turn["rephrased"] or turn["repeated"])
            expected[turn["id"]] = Expected(turn, 1 - (1 - unsure) * (0.5 if disputed else 1), disputed)
    for text, count in said.items():
        same = [one for one in expected.values() if folded(one.turn["query_text"]) == text]
        same.sort(key=lambda one: (one.taken, one.doubt, one.turn["created_at"], one.turn["id"]), reverse=True)
        for place, one in enumerate(same, 1):
            one.place, one.count, one.score = place, count, one.doubt * (1 + math.log2(count / place))
    expected = {id: one for id, one in expected.items() if not one.taken}
    with Held() as held:
        held.fill(rows).settle(settled)
        by_value, drawn = [
            await review_queue(held, Rows(rows), scope, reviewer="Ada", order=order, limit=limit, now=NOW)
            for order in ORDERS
        ]
    assert by_value.waiting == drawn.waiting == len(expected)
    assert len(by_value.items) == len(drawn.items) == min(limit, len(expected))
    for item in (*by_value.items, *drawn.items):
        one = expected[item.interaction.id]
        assert (item.score, item.doubt) == pytest.approx((one.score, one.doubt))
        assert (item.occurrences, item.place) == (one.count, one.place)
        assert ("disputed" in item.why, "frequent" in item.why) == (one.disputed, one.count >= 3)
    scores = [item.score for item in by_value.items]
    assert scores == pytest.approx(sorted((one.score for one in expected.values()), reverse=True)[:limit])
    hashed = sorted(expected, key=lambda one: hashlib.md5(one.encode(), usedforsecurity=False).hexdigest())
    assert [item.interaction.id for item in drawn.items] == hashed[:limit]


class Queues:
    """The queue of a store with forty labelled interactions, the later the less sure."""

    def __init__(self, store: SqliteStore, reader: ColumnReader) -> None:
        self.store = store
        self.reader = reader

    async def label(self) -> None:
        claims = await self.store.claim_due(100, now=LATER, lease_ms=1)
        given = [
            (claim, verdict(claim.query_id, confidence=1 - int(claim.query_id) / 100, evaluated_at=LATER))
            for claim in claims
        ]
        assert await self.store.settle(given) == 40

    async def ask(self, reviewer: str, *, limit: int = 5, order: Order = "value", now: int = NOW) -> Queue:
        return await review_queue(
            self.reader, self.store, Scope(), reviewer=reviewer, order=order, limit=limit, now=now
        )

    async def ids(self, reviewer: str, **asked: Any) -> list[str]:
        return [item.interaction.id for item in (await self.ask(reviewer, **asked)).items]


async def queues(store: SqliteStore, reader: ColumnReader) -> Queues:
    made = Queues(store, reader)
    await made.label()
    return made


EVENTS = [event for n in range(40) for event in (query(f"{n:02}", query_text=f"wish {n}"), outcome(f"{n:02}"))]


async def test_no_two_people_are_given_the_same(tmp_path: Path) -> None:
    async with stored(tmp_path / "aura.db", EVENTS) as (store, reader):
        here = await queues(store, reader)
        assert await here.ids("Ada") == ["39", "38", "37", "36", "35"]
        assert await here.ids("Bob") == ["34", "33", "32", "31", "30"]
        assert await here.ids("Ada") == ["39", "38", "37", "36", "35"], "her own come again"
        assert (await here.ask("Bob")).waiting == 35
        assert await here.ids("Bob", now=NOW + LEASE_MS) == ["39", "38", "37", "36", "35"], "hers are over"


@pytest.mark.parametrize("order", ORDERS)
async def test_many_who_ask_at_once_share_what_there_is(tmp_path: Path, order: Order) -> None:
    async with stored(tmp_path / "aura.db", EVENTS) as (store, reader):
        here = await queues(store, reader)
        given = await asyncio.gather(*(here.ids(f"person {n}", order=order, limit=3) for n in range(20)))
    every = [id for ids in given for id in ids]
    assert len(every) == len(set(every)) == 40


async def test_what_a_person_labelled_doesn_t_come_again(tmp_path: Path) -> None:
    async with stored(tmp_path / "aura.db", EVENTS) as (store, reader):
        here = await queues(store, reader)
        assert await store.review(verdict("39", "BAD", evaluated_by="human", method="Ada", evaluated_at=LATER))
        for order in ORDERS:
            assert "39" not in await here.ids("Ada", order=order, limit=100)
        found = await here.ask("Ada", limit=1)
        assert (found.waiting, found.items[0].interaction.id, found.leased_until) == (39, "38", NOW + LEASE_MS)


async def test_where_nothing_was_labelled_nothing_waits(tmp_path: Path) -> None:
    async with stored(tmp_path / "aura.db", EVENTS) as (store, reader):
        found = await Queues(store, reader).ask("Ada")
    assert (found.waiting, found.items) == (0, [])
