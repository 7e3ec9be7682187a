"""Whatever was sent, answered, labelled and forgotten: statistics are those of a store that never had the person."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ulid import ULID

from aura_analytics.app import make_app
from aura_analytics.events.records import Event, VoiceConversion, VoiceQuery
from aura_analytics.privacy.rows import Rows
from aura_analytics.projection import Projection
from aura_analytics.settings import Settings
from aura_analytics.store import Store
from contract.backends import Backend
from contract.making import NOW, conversion, outcome, query, verdict

HOUR_MS = 3_600_000
ALL = f"?from={NOW - 100 * HOUR_MS}&to={NOW + 100 * HOUR_MS}"
ASKED = (
    "/stats/summary",
    "/stats/top-queries",
    "/stats/unanswered",
    "/stats/hourly",
    "/stats/intents",
    "/stats/stores",
    "/stats/latency",
    "/stats/quality",
    "/stats/sessions",
    "/stats/dataset",
    "/stats/conversions",
    "/insights/rephrasings",
    "/insights/causes",
    "/insights/demand",
    "/export/training-data",
    "/interactions",
)
# Which session is whose: in hers, what names nobody is hers; in the one that she shares, it isn't.
HERS, SHARED, OTHERS = "hers", "shared", "others"
TURN = st.fixed_dictionaries(
    {
        "who": st.sampled_from(["ann", "bob", None]),
        "where": st.sampled_from([HERS, SHARED, OTHERS]),
        "at": st.sampled_from([0, 1_000, HOUR_MS, 30 * HOUR_MS]),
        "text": st.sampled_from(["red shoes", "show me red shoes", "größe 9"]),
        "answered": st.sampled_from([None, True, False]),
        "bought": st.sampled_from([None, "query", "session"]),
        "label": st.sampled_from([None, "GOOD", "BAD"]),
        "forgets": st.booleans(),
    }
)
Turn = dict[str, Any]  # Any: the values above


def named(number: int, turn: Turn) -> VoiceQuery:
    """What was asked. Nobody but her is named in her session, and nobody called ann comes into those of others."""
    who = {HERS: {"bob": None}, OTHERS: {"ann": None}}.get(turn["where"], {}).get(turn["who"], turn["who"])
    return query(
        f"q{number:02}",
        user_id=who,
        session_id=turn["where"],
        created_at=NOW + turn["at"] + number,
        query_text=turn["text"],
        intent="search",
    )


def events_of(number: int, turn: Turn) -> list[Event]:
    """All that is told of a turn."""
    asked = named(number, turn)
    events: list[Event] = [asked]
    if turn["answered"] is not None:
        events.append(outcome(asked.id, action_success=turn["answered"], latency_ms=number + 0.5, answer_text="so"))
    if turn["bought"] == "query":
        events.append(
            conversion(f"c{number}", query_id=asked.id, occurred_at=asked.created_at + 9, value=2.0, currency="EUR")
        )
    if turn["bought"] == "session":
        at = asked.created_at + 9
        events.append(conversion(f"c{number}", query_id=None, session_id=turn["where"], occurred_at=at))
    return events


def left_at_the_end(turns: Sequence[Turn]) -> list[list[Event]]:
    """What is left of each turn: at each forgetting all that is hers by then goes, and again at the end."""
    left: list[list[Event]] = []
    for number, turn in enumerate(turns):
        left.append(events_of(number, turn))
        if turn["forgets"]:
            left = without_her(left)
    return without_her(left)


def without_her(turns: Sequence[list[Event]]) -> list[list[Event]]:
    """Take out what is hers: what names her, and what names nobody in a session in which only she is named."""
    asked = [event for events in turns for event in events if isinstance(event, VoiceQuery)]
    named_there = {one.session_id for one in asked if one.user_id not in ("ann", None)}
    sessions = {one.session_id for one in asked if one.user_id == "ann"} - named_there
    gone = {one.id for one in asked if one.user_id == "ann" or (one.user_id is None and one.session_id in sessions)}

    def stays(event: Event) -> bool:
        if isinstance(event, VoiceConversion) and event.query_id is None:
            return event.session_id not in sessions
        return (event.id if isinstance(event, VoiceQuery) else event.query_id) not in gone

    return [[event for event in events if stays(event)] for events in turns]


@asynccontextmanager
async def asked_of(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    """Have the service over a store."""
    projection = Projection(store, None, memory_mb=128, threads=1)
    await projection.start()
    try:
        app = make_app(Settings(auth="off"), store, projection)
        transport = httpx.ASGITransport(app)
        async with asyncio.timeout(30):
            await projection.built()
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client
    finally:
        await projection.stop()


async def tell(store: Store, number: int, turn: Turn, events: Sequence[Event]) -> None:
    """Send the events of a turn, and label it."""
    await store.append(events)
    if turn["label"] is not None:
        await store.review(verdict(f"q{number:02}", turn["label"], evaluated_by="human", method="eve"))


async def forget(store: Store) -> None:
    """Erase her rows; the columns follow when they are asked."""
    begun = await store.persons.begin("ann", id=str(ULID()), actor="test", blocks=False, now=NOW)
    rows = Rows(store.persons, begun)
    await rows.erase("ann")
    assert rows.erasure is not None
    await store.persons.end(rows.erasure, now=NOW, details={})


@pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(turns=st.lists(TURN, min_size=2, max_size=8))
async def test_statistics_are_those_of_a_store_that_never_had_the_person(backend: Backend, turns: list[Turn]) -> None:
    stores = [await backend.open(await backend.fresh(), clock=lambda: NOW) for _ in range(2)]
    had, never = stores
    async with asked_of(had) as with_her, asked_of(never) as without:
        left = left_at_the_end(turns)
        for number, turn in enumerate(turns):
            await tell(had, number, turn, events_of(number, turn))
            await tell(never, number, turn, left[number])
            if turn["forgets"]:
                await with_her.get(f"/stats/summary{ALL}")  # so that the columns have had her
                await forget(had)
        await forget(had)
        for path in ASKED:
            assert (await with_her.get(path + ALL)).text == (await without.get(path + ALL)).text, path
        assert (await with_her.get("/verify")).json()["differing"] == 0
    for store in stores:
        await backend.close(store)
