"""What was bought: the figures are those of a plain count, and whatever comes first, a conversion is owed to the same."""

import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.events.records import Event, VoiceConversion
from aura_analytics.projection import Projection, Question
from aura_analytics.projection.coverage import DAY_MS
from aura_analytics.stats.conversions import Revenue, conversions
from aura_analytics.stats.scope import Scope
from aura_analytics.store.sqlite import SqliteStore, migrate
from contract.making import (
    GRACE_MS,
    LATER,
    LEASE_MS,
    NOW,
    Watch,
    conversion,
    conversion_row,
    named,
    outcome,
    query,
    verdict,
)
from trying import tried
from unit.stats.held import MOMENTS, SETTLED, Held, Row, Settled, filters, histories, windows, within


def owed_to(bought: VoiceConversion, rows: Sequence[Row]) -> Row | None:
    """What a conversion is owed to: what it names in its store, else its session's last helpful turn within a day before."""
    if found := [row for row in rows if row["id"] == bought.query_id and bought.store_id in (None, row["store_id"])]:
        return found[0]
    before = [
        row
        for row in rows
        if bought.session_id is not None
        and row["session_id"] == bought.session_id
        and bought.store_id in (None, row["store_id"])
        and bought.occurred_at - DAY_MS <= row["created_at"] <= bought.occurred_at
        and row.get("action_success")
        and not row.get("error_flag")
        and row.get("label") != "BAD"
    ]
    return max(before, key=lambda row: (row["created_at"], row["id"]), default=None)


occurred = st.sampled_from([moment + later for moment in MOMENTS[::4] for later in (-1, 0, 60_000, DAY_MS, DAY_MS + 1)])
bought = st.fixed_dictionaries(
    {
        "query_id": st.sampled_from([None, None, "q00", "q01", "q02", "unknown"]),
        "session_id": st.sampled_from([None, "s", "s", "t", "unknown"]),
        "store_id": st.sampled_from([None, "a", "b"]),
        "occurred_at": occurred,
        "value": st.sampled_from([None, 0.1, 0.2, 12.5]),
        "currency": st.sampled_from([None, "EUR", "USD"]),
    }
)
purchases = st.lists(bought, max_size=12).map(
    lambda found: [conversion(f"c{n:02}", **fields) for n, fields in enumerate(found)]
)


def revenue(found: Sequence[VoiceConversion]) -> list[Any]:
    """What conversions were worth, by currency; those without one last."""
    values: dict[str | None, list[float]] = defaultdict(list)
    for one in found:
        if one.value is not None:
            values[one.currency].append(one.value)
    return [
        Revenue(currency=currency, value=round(math.fsum(values[currency]), 9), conversions=len(values[currency]))
        for currency in sorted(values, key=lambda name: (name is None, name or ""))
    ]


def without_owner(found: Sequence[VoiceConversion], rows: Sequence[Row], scope: Scope) -> int:
    return sum(
        owed_to(one, rows) is None
        and (scope.start is None or one.occurred_at >= scope.start)
        and (scope.end is None or one.occurred_at <= scope.end)
        and (not scope.stores or one.store_id in scope.stores)
        for one in found
    )


@tried(8)
@given(rows=histories(), found=purchases, settled=st.sampled_from(SETTLED), window=windows, among=filters)
async def test_every_figure_is_that_of_a_plain_count(
    rows: list[Row],
    found: list[VoiceConversion],
    settled: Settled,
    window: list[int | None],
    among: dict[str, Any],
) -> None:
    scope = Scope(start=window[0], end=window[1], **among)
    with Held() as held:
        held.fill(rows, [conversion_row(one) for one in found]).settle(settled)
        answer = await conversions(held, scope)
    counted = [row for row in rows if within(row, scope)]
    owners = [(one, owner) for one in found if (owner := owed_to(one, rows)) is not None and within(owner, scope)]
    converted = {owner["id"] for _, owner in owners}
    event(f"owed: {min(len(owners), 3)}")
    assert (answer.queries, answer.conversions, answer.converted_queries) == (len(counted), len(owners), len(converted))
    assert answer.conversion_rate == (len(converted) / len(counted) if counted else 0)
    assert answer.revenue == revenue([one for one, _ in owners])
    assert answer.unattributed == (without_owner(found, rows, scope) if set(among) <= {"stores"} else None)
    assert {one.intent for one in answer.by_intent} == {row["intent"] for row in counted}
    for one in answer.by_intent:
        asked = [row for row in counted if row["intent"] == one.intent]
        had = [(bought, owner) for bought, owner in owners if owner["intent"] == one.intent]
        assert (one.queries, one.conversions) == (len(asked), len(had))
        assert one.converted_queries == len({owner["id"] for _, owner in had})
        assert one.conversion_rate == one.converted_queries / one.queries
        assert one.revenue == revenue([bought for bought, _ in had])


# In whatever order all of it comes to a real store.


def told(row: Row) -> list[Event]:
    """The events of an interaction."""
    of_query = {name: row[name] for name in ("store_id", "session_id", "created_at", "query_text", "intent")}
    found: list[Event] = [query(row["id"], **of_query)]
    if row["has_outcome"]:
        found.append(outcome(row["id"], action_success=row["action_success"], error_flag=row["error_flag"]))
    return found


async def label(store: SqliteStore, rows: Sequence[Row]) -> None:
    """Label what is due and has a label."""
    labels = {row["id"]: row["label"] for row in rows if "label" in row}
    claims = await store.claim_due(1_000, now=LATER, lease_ms=LEASE_MS)
    await store.settle([(one, verdict(one.query_id, labels[one.query_id])) for one in claims if one.query_id in labels])
    await store.release([one for one in claims if one.query_id not in labels], now=LATER)


async def kept(projection: Projection) -> dict[str, str]:
    """What each conversion is owed to."""
    return dict(await projection.ask(Question(sql="SELECT conversion_id, query_id FROM attributions")))


@tried(6)
@given(data=st.data(), rows=histories(most=12), found=purchases)
async def test_any_order_of_arrival_gives_what_is_counted_at_the_end(
    data: st.DataObject, rows: list[Row], found: list[VoiceConversion]
) -> None:
    events = data.draw(st.permutations([*found, *(event for row in rows for event in told(row))]))
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'aura.db')}"
        migrate(url)
        store = SqliteStore(url, grace_ms=GRACE_MS, clock=Watch())
        await store.open()
        projection = Projection(store, None, memory_mb=256, threads=1)
        await projection.start()
        try:
            while events:
                size = data.draw(st.integers(1, len(events)), label="how many come together")
                part, events = events[:size], events[size:]
                await store.append(part)
                if data.draw(st.booleans(), label="labelled now"):
                    await label(store, rows)
                if data.draw(st.booleans(), label="taken over now"):
                    await projection.caught_up()
            await label(store, rows)
            standing = [named(row) for row in await store.wide_rows([row["id"] for row in rows])]
            owners = {one.id: owner["id"] for one in found if (owner := owed_to(one, standing)) is not None}
            assert await kept(projection) == owners
            await projection.rebuild()
            await projection.built()
            assert await kept(projection) == owners
        finally:
            await projection.stop()
            await store.close()


async def test_the_window_is_that_of_the_query_whenever_it_was_bought() -> None:
    rows: list[Row] = [
        {"id": "q", "store_id": "a", "session_id": "s", "created_at": NOW, "query_text": "milk", "has_outcome": False}
    ]
    bought = conversion_row(conversion("c", query_id="q", occurred_at=NOW + 30 * DAY_MS, value=5, currency="EUR"))
    with Held() as held:
        held.fill(rows, [bought])
        of_query = await conversions(held, Scope(start=NOW, end=NOW))
        of_conversion = await conversions(held, Scope(start=NOW + 1))
    assert (of_query.conversions, of_query.conversion_rate, of_query.unattributed) == (1, 1, 0)
    assert (of_conversion.conversions, of_conversion.conversion_rate, of_conversion.unattributed) == (0, 0, 0)
