"""Whatever comes, in whatever order and calls: the rows are those of a plain model, and so is a copy made by the feed."""

from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from aura_analytics.events.records import (
    LABELS,
    Event,
    InteractionDetails,
    Verdict,
    VoiceConversion,
    VoiceOutcome,
    VoiceQuery,
)
from aura_analytics.store.port import ConversionRow, WideRow
from contract.backends import Backend
from contract.following import settled
from contract.making import (
    LATER,
    LEASE_MS,
    NOW,
    Watch,
    by_id,
    conversion,
    conversion_row,
    outcome,
    query,
    verdict,
    wide,
)
from trying import tried

IDS = ["a", "b", "c", "d"]

events = st.one_of(
    st.builds(
        query, st.sampled_from(IDS), query_text=st.sampled_from(["x", "y"]), created_at=st.integers(NOW - 3, NOW + 3)
    ),
    st.builds(
        outcome,
        st.sampled_from(IDS),
        latency_ms=st.none() | st.integers(0, 3),
        action_success=st.none() | st.booleans(),
    ),
    st.builds(conversion, st.sampled_from(IDS), query_id=st.sampled_from(IDS), value=st.none() | st.integers(0, 3)),
)
# A call of `append`, a round of labelling (how many, what, by whom), or a look at the feed (how many).
labelling = st.tuples(st.integers(1, 5), st.sampled_from(LABELS), st.sampled_from(["auto", "human"]))
steps = st.lists(st.one_of(st.lists(events, max_size=6), labelling, st.integers(1, 5)), max_size=14)


class Model:
    """What must be there: the first of each kind wins, and what is new waits to be labelled."""

    def __init__(self) -> None:
        self.queries: dict[str, VoiceQuery] = {}
        self.outcomes: dict[str, VoiceOutcome] = {}
        self.conversions: dict[str, VoiceConversion] = {}
        self.labels: dict[str, Verdict] = {}
        self.history: dict[str, list[Verdict]] = {id: [] for id in IDS}
        self.waiting: set[str] = set()

    def append(self, event: Event) -> bool:
        if isinstance(event, VoiceQuery):
            if event.id in self.queries:
                return False
            self.queries[event.id] = event
            self.waiting.add(event.id)
            return True
        if isinstance(event, VoiceConversion):
            return self.conversions.setdefault(event.id, event) is event
        if event.query_id in self.outcomes:
            return False
        self.outcomes[event.query_id] = event
        self.waiting |= {event.query_id} & self.queries.keys()
        return True

    def label(self, given: Verdict) -> bool:
        self.waiting.remove(given.query_id)
        known = self.labels.get(given.query_id)
        if known is not None and known.evaluated_by == "human" and given.evaluated_by == "auto":
            self.history[given.query_id].insert(0, given)
            return False
        if known is not None and (known.label, known.evaluated_by) != (given.label, given.evaluated_by):
            self.history[given.query_id].insert(0, known)
        self.labels[given.query_id] = given
        return True

    def rows(self) -> dict[str, dict[str, Any]]:
        return {id: wide(asked, self.outcomes.get(id), self.labels.get(id)) for id, asked in self.queries.items()}

    def details(self, id: str) -> InteractionDetails | None:
        """What one interaction must be, whole."""
        if id not in self.queries:
            return None
        bought = sorted((one for one in self.conversions.values() if one.query_id == id), key=lambda one: one.id)
        return InteractionDetails(
            query=self.queries[id],
            outcome=self.outcomes.get(id),
            verdict=self.labels.get(id),
            history=self.history[id],
            conversions=bought,
        )


@tried(20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_the_rows_are_those_of_a_plain_model(
    backend: Backend, steps: list[list[Event] | tuple[int, Any, Any] | int]
) -> None:
    store = await backend.open(await backend.fresh(), clock=Watch())
    model = Model()
    point = await store.feed_head()
    copy: dict[str, WideRow] = {}
    bought: dict[str, ConversionRow] = {}
    for step in [*steps, 1_000]:
        if isinstance(step, list):
            assert await store.append(step) == [model.append(event) for event in step]
        elif isinstance(step, tuple):
            limit, label, by = step
            claims = await store.claim_due(limit, now=LATER, lease_ms=LEASE_MS)
            assert len(claims) == min(limit, len(model.waiting))
            given_now = [(claim, verdict(claim.query_id, label, evaluated_by=by)) for claim in claims]
            assert await store.settle(given_now) == sum([model.label(judged) for _, judged in given_now])
        else:
            await settled(store)
            changes = await store.changes(point, step)
            copy |= {row[0]: row for row in await store.wide_rows(changes.query_ids)}
            bought |= {row[0]: row for row in await store.conversion_rows(changes.conversion_ids)}
            point = changes.upto
    assert by_id(await store.wide_rows(IDS)) == model.rows()
    assert by_id([row async for batch in store.snapshot(2) for row in batch]) == model.rows()
    assert by_id(copy.values()) == model.rows()
    assert bought == {id: conversion_row(one) for id, one in model.conversions.items()}
    assert sorted([row async for part in store.conversion_snapshot(2) for row in part]) == sorted(bought.values())
    assert [await store.interaction(id) for id in IDS] == [model.details(id) for id in IDS]
    assert await store.count() == len(model.queries)
    await backend.close(store)
