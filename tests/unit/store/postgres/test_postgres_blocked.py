"""What another server is just storing when a blocked person's query is refused: it is waited for, and goes too."""

import asyncio

from aura_analytics.events.records import EarlyOutcome, Event
from aura_analytics.store.postgres import PostgresStore
from contract.making import NOW, conversion, outcome, query
from unit.store.postgres.conftest import Connect, Raw, until

# As a server does that hasn't committed yet.
STORE = """
LOCK TABLE change_feed IN ROW EXCLUSIVE MODE;
INSERT INTO voice_outcomes (query_id, occurred_at, answer_text) VALUES ('d', 0, 'hers');
INSERT INTO early_outcomes (query_id, sender, stores, outcome) VALUES ('d', 's', '["shop"]', '[]');
INSERT INTO voice_conversions (id, query_id, occurred_at) VALUES ('k', 'd', 0)
"""
WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'change_feed'::regclass"
LEFT = """
SELECT
    (SELECT count(*) FROM voice_outcomes), (SELECT count(*) FROM early_outcomes), (SELECT count(*) FROM voice_conversions),
    (SELECT count(*) FROM evaluation_queue)
"""
HERS: list[Event] = [query("d", user_id="ann"), outcome("d"), conversion("k", query_id="d")]
EARLY = EarlyOutcome(outcome=outcome("d"), stores=("shop",))


async def test_what_is_just_stored_is_waited_for_and_erased(store: PostgresStore, raw: Raw, connect: Connect) -> None:
    await store.persons.begin("ann", id="e", actor="test", blocks=True, now=NOW)
    other = await connect()
    async with other.transaction():
        for statement in STORE.split(";"):
            await other.execute(statement.encode())
        refused = asyncio.ensure_future(store.append(HERS[:1]))

        async def waits() -> bool:
            return await (await raw.execute(WAITING)).fetchone() is not None

        await until(waits)
    assert await refused == [False]
    assert await (await raw.execute(LEFT)).fetchone() == (0, 0, 0, 0)


async def test_nothing_of_it_is_in_any_table(store: PostgresStore, raw: Raw) -> None:
    await store.persons.begin("ann", id="e", actor="test", blocks=True, now=NOW)
    assert await store.append([*HERS, EARLY, query("x", user_id="bob"), outcome("x")]) == [False] * 4 + [True, True]
    assert await store.append([*HERS[1:], EARLY]) == [False] * 3
    assert await (await raw.execute(LEFT)).fetchone() == (1, 0, 0, 1)
