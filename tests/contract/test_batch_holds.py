"""Batches of the judge: which are open, and that one at a time looks after each."""

import asyncio

import msgspec

from aura_analytics.store import Store
from aura_analytics.store.judging import JudgeBatch
from contract.making import NOW

BATCH = JudgeBatch(id="b", model="google:m", rubric="r@1", requests=2, made_at=NOW)


async def holds(store: Store, holder: str, *, at: int = NOW, until: int = NOW + 100) -> bool:
    """Whether somebody has the batch from a moment on."""
    return await store.hold_batch("b", holder=holder, now=at, until=until)


async def test_a_batch_is_held_by_one_at_a_time(store: Store, other_store: Store) -> None:
    await store.save_batch(BATCH)
    assert await holds(store, "me")
    assert not await holds(other_store, "you")
    assert await holds(store, "me", at=NOW + 50, until=NOW + 150), "one's own is kept for longer"
    assert not await holds(other_store, "you", at=NOW + 149)
    assert await holds(other_store, "you", at=NOW + 150, until=NOW + 300), "it is over"
    assert not await holds(store, "me", at=NOW + 200)


async def test_whoever_lets_go_lets_others(store: Store) -> None:
    await store.save_batch(BATCH)
    assert await holds(store, "me")
    assert await holds(store, "me", until=NOW - 1)
    assert await holds(store, "you")


async def test_of_many_at_once_one_gets_it(store: Store, other_store: Store) -> None:
    await store.save_batch(BATCH)
    both = (store, other_store)
    got = await asyncio.gather(*(holds(both[number % 2], str(number)) for number in range(20)))
    assert sum(got) == 1


async def test_what_isn_t_there_is_held_by_nobody(store: Store) -> None:
    assert not await holds(store, "me")


async def test_saving_lets_go_of_nothing(store: Store) -> None:
    await store.save_batch(BATCH)
    assert await holds(store, "me")
    await store.save_batch(msgspec.structs.replace(BATCH, job="batches/1"))
    assert not await holds(store, "you")
    [found] = await store.open_batches()
    assert found == msgspec.structs.replace(BATCH, job="batches/1")
