"""How alerts stand: kept over restarts, one server's turn at a time, and what is to be said until it is said."""

import asyncio

import msgspec

from aura_analytics.store import Store
from aura_analytics.store.alerts import KEPT_MS, AlertState, Message
from contract.making import NOW


def state(rule: str = "slow", **fields: object) -> AlertState:
    return msgspec.structs.replace(AlertState(rule=rule, state="raised", since=NOW, looked_at=NOW, value=1.5), **fields)


def message(id: str = "msg_1", **fields: object) -> Message:
    whole = Message(id=id, target="t", rule="slow", kind="alert.raised", body="{}", made_at=NOW, due_at=NOW)
    return msgspec.structs.replace(whole, **fields)


async def test_one_has_the_turn_until_it_is_over_or_given_back(store: Store, other_store: Store) -> None:
    both = await asyncio.gather(
        store.alerts.hold("a", now=NOW, until=NOW + 10), other_store.alerts.hold("b", now=NOW, until=NOW + 10)
    )
    assert sorted(both) == [False, True]
    mine, other = ("a", "b") if both[0] else ("b", "a")
    assert await store.alerts.hold(mine, now=NOW + 5, until=NOW + 20)
    assert not await other_store.alerts.hold(other, now=NOW + 15, until=NOW + 30)
    assert await other_store.alerts.hold(other, now=NOW + 21, until=NOW + 30)
    assert await other_store.alerts.hold(other, now=NOW + 22, until=0)
    assert await store.alerts.hold(mine, now=NOW + 22, until=NOW + 30)


async def test_states_and_messages_are_kept_together(store: Store, other_store: Store) -> None:
    said = message(error="HTTP 500", attempts=3)
    await store.alerts.save([state(), state("bad", value=None, of=7)], [said], now=NOW)
    await store.alerts.save([state(state="calm")], now=NOW)

    assert await other_store.alerts.states() == [state("bad", value=None, of=7), state(state="calm")]
    assert await other_store.alerts.due(now=NOW, limit=5) == [said]
    await store.alerts.save((), gone=["bad"], now=NOW)
    assert [one.rule for one in await other_store.alerts.states()] == ["slow"]


async def test_what_is_said_is_not_due_and_is_forgotten_long_after(store: Store) -> None:
    await store.alerts.save((), [message("msg_1"), message("msg_2", due_at=NOW + 5), message("msg_3")], now=NOW)
    done = message("msg_1", due_at=None, delivered_at=NOW, attempts=1)
    await store.alerts.save((), [done], now=NOW)

    assert [one.id for one in await store.alerts.due(now=NOW, limit=5)] == ["msg_3"]
    assert [one.id for one in await store.alerts.log(5)] == ["msg_1", "msg_2", "msg_3"]
    assert (await store.alerts.log(5))[0] == done
    await store.alerts.save((), now=NOW + KEPT_MS + 1)
    assert [one.id for one in await store.alerts.log(5)] == ["msg_2", "msg_3"]  # what waits is kept
