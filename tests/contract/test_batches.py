"""What was handed to a provider: it is found again, with the interactions that it holds."""

from msgspec.structs import replace

from aura_analytics.store import Store
from aura_analytics.store.judging import JudgeBatch
from aura_analytics.store.port import Claim
from contract.making import LEASE_MS, NOW, outcome, query, verdicts

DAY_MS = 86_400_000
BATCH = JudgeBatch(id="b1", model="google:tiny", rubric="default:1f", requests=3, made_at=NOW)


async def test_what_has_not_ended_is_open_the_oldest_first(store: Store, other_store: Store) -> None:
    later, same = replace(BATCH, id="a", made_at=NOW + 1), replace(BATCH, id="b0")
    for batch in (later, BATCH, same):
        await store.save_batch(batch)
    assert await other_store.open_batches() == [same, BATCH, later]


async def test_what_becomes_of_a_batch_takes_the_place_of_what_was(store: Store) -> None:
    await store.save_batch(BATCH)
    told = replace(BATCH, job="batches/77", requests=2)
    await store.save_batch(told)
    assert await store.open_batches() == [told]
    await store.save_batch(replace(told, ended_at=NOW + DAY_MS, error="it expired"))
    assert await store.open_batches() == []


async def test_the_interactions_of_a_batch_are_found_by_its_name(store: Store, other_store: Store) -> None:
    await store.append([event for id in "abc" for event in (query(id), outcome(id))])
    taken = await store.claim_due(2, now=NOW, lease_ms=DAY_MS, lease="b1")
    assert {claim.lease for claim in taken} == {"b1"}

    def ordered(claims: list[Claim]) -> list[Claim]:
        return sorted(claims, key=lambda claim: claim.query_id)

    assert ordered(await other_store.claims("b1")) == ordered(taken)
    assert await store.claims("nobody") == []
    assert await other_store.settle(verdicts(taken[:1])) == 1
    assert await store.claims("b1") == taken[1:]
    await store.release(taken[1:], now=NOW)
    assert await store.claims("b1") == []


async def test_what_somebody_else_has_by_now_is_not_held_any_more(store: Store) -> None:
    await store.append([query("a"), outcome("a")])
    [claim] = await store.claim_due(1, now=NOW, lease_ms=LEASE_MS, lease="b1")
    [again] = await store.claim_due(1, now=NOW + LEASE_MS, lease_ms=LEASE_MS)
    assert await store.claims("b1") == []
    assert await store.claims(again.lease) == [again]
    await store.give_up(again, error="no", now=NOW)
    assert await store.claims(again.lease) == []
    assert claim.lease == "b1"
