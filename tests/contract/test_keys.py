"""The keys of who may come in: kept, taken back, exchanged; each change in the record; each message once."""

import asyncio
from typing import Any

import pytest

from aura_analytics.store import Store
from aura_analytics.store.keys import AuditEntry, KeyRecord
from contract.backends import Backend
from contract.making import LATER, NOW

HOUR_MS = 3_600_000


def record(id: str = "one", **fields: Any) -> KeyRecord:
    whole = {"name": "a shop", "hash": "f" * 64, "scopes": ("ingest",), "created_at": NOW, **fields}
    return KeyRecord(id=id, **whole)


async def key(store: Store, id: str = "one") -> KeyRecord:
    [found] = [one for one in await store.keys.keys() if one.id == id]
    return found


async def test_a_key_is_kept_as_it_is(store: Store, other_store: Store) -> None:
    full = record(
        scopes=("read", "review"),
        stores=("shop", "ü\n", ""),
        networks=("10.0.0.0/8",),
        signed_only=True,
        signing_secret="whsec_x",
        rotated_from="zero",
        expires_at=LATER,
    )
    await store.keys.create(full, actor="me")
    await store.keys.create(record("two", stores=()), actor="me")
    assert await key(other_store) == full
    assert (await key(other_store, "two")).stores == ()
    assert "whsec_x" not in repr(full)
    assert full.hash not in repr(full)


async def test_the_newest_key_comes_first(store: Store) -> None:
    for number, moment in enumerate([2, 3, 1]):
        await store.keys.create(record(str(number), created_at=moment), actor="me")
    assert [one.id for one in await store.keys.keys()] == ["1", "0", "2"]


async def test_a_key_is_taken_back_once(store: Store) -> None:
    await store.keys.create(record(), actor="me")
    assert await store.keys.revoke("one", now=NOW, actor="you")
    assert not await store.keys.revoke("one", now=NOW + 1, actor="you")
    assert not await store.keys.revoke("two", now=NOW, actor="you")
    found = await key(store)
    assert found.revoked_at == NOW
    assert not found.is_live(NOW)


@pytest.mark.parametrize(
    ("fields", "now", "live"),
    [
        ({}, NOW, True),
        ({"expires_at": NOW}, NOW, False),
        ({"expires_at": NOW + 1}, NOW, True),
        ({"revoked_at": NOW - 1}, NOW, False),
    ],
)
def test_a_key_is_live_until_it_ends(fields: dict[str, int], now: int, live: bool) -> None:
    assert record(**fields).is_live(now) == live


class TestRotation:
    async def test_the_old_key_ends_a_while_after_the_new_one_is_there(self, store: Store) -> None:
        await store.keys.create(record(), actor="me")
        two = record("two", rotated_from="one")
        assert await store.keys.rotate("one", two, ends_at=NOW + HOUR_MS, now=NOW, actor="me")
        assert (await key(store)).expires_at == NOW + HOUR_MS
        assert await key(store, "two") == two

    async def test_a_key_that_ends_sooner_isn_t_kept_longer(self, store: Store) -> None:
        await store.keys.create(record(expires_at=NOW + 5), actor="me")
        assert await store.keys.rotate("one", record("two"), ends_at=NOW + HOUR_MS, now=NOW, actor="me")
        assert (await key(store)).expires_at == NOW + 5

    @pytest.mark.parametrize("id", ["revoked", "expired", "unknown"])
    async def test_a_key_that_isn_t_in_use_has_no_successor(self, store: Store, id: str) -> None:
        await store.keys.create(record("revoked"), actor="me")
        await store.keys.revoke("revoked", now=NOW, actor="me")
        await store.keys.create(record("expired", expires_at=NOW), actor="me")
        before = await store.keys.keys(), await store.keys.audit(100)
        assert not await store.keys.rotate(id, record("two"), ends_at=LATER, now=NOW, actor="me")
        assert (await store.keys.keys(), await store.keys.audit(100)) == before


async def test_the_last_use_is_the_latest_whoever_says_it_and_when(store: Store, other_store: Store) -> None:
    for id in ("one", "two"):
        await store.keys.create(record(id), actor="me")
    await asyncio.gather(
        *(
            some.keys.touch({"two": NOW + number, "one": NOW + number, "gone": NOW})
            for number in range(10)
            for some in (store, other_store)
        )
    )
    await store.keys.touch({"one": NOW + 3})
    await store.keys.touch({})
    assert [(await key(store, id)).last_used_at for id in ("one", "two")] == [NOW + 9, NOW + 9]


class TestMessages:
    async def test_a_message_is_new_once_at_all_servers(self, store: Store, other_store: Store) -> None:
        news = await asyncio.gather(
            *(some.keys.remember("k:m", until=LATER, now=NOW) for some in (store, other_store) for _ in range(10))
        )
        assert sum(news) == 1
        assert await store.keys.remember("k:n", until=LATER, now=NOW)

    async def test_it_is_new_again_when_its_time_is_over(self, store: Store) -> None:
        assert await store.keys.remember("k:m", until=NOW + 10, now=NOW)
        assert not await store.keys.remember("k:m", until=NOW + 20, now=NOW + 10)
        assert await store.keys.remember("k:m", until=NOW + 30, now=NOW + 11)

    async def test_two_servers_that_forget_and_note_at_once_don_t_wait_in_a_circle(
        self, store: Store, other_store: Store
    ) -> None:
        for number in range(40):
            await store.keys.remember(f"old:{number}", until=NOW, now=NOW)
        news = await asyncio.gather(
            *(
                some.keys.remember(f"old:{number}", until=LATER, now=NOW + 1)
                for number in range(40)
                for some in (store, other_store)
            )
        )
        assert sum(news) == 40


async def test_each_change_is_in_the_record_the_latest_first_and_no_secret_is(store: Store) -> None:
    await store.keys.create(record(signing_secret="whsec_x", stores=("shop",)), actor="ann")
    await store.keys.rotate("one", record("two", rotated_from="one"), ends_at=NOW + 1, now=NOW, actor="bob")
    await store.keys.revoke("two", now=NOW + 2, actor="cy")
    await store.keys.note(AuditEntry(at=NOW + 3, actor="dee\0", action="other", subject="x", details={"a": [1, None]}))
    found = await store.keys.audit(10)
    assert [(entry.actor[:3], entry.action, entry.subject) for entry in found] == [
        ("dee", "other", "x"),
        ("cy", "key.revoked", "two"),
        ("bob", "key.created", "two"),
        ("ann", "key.created", "one"),
    ]
    assert found[0].details == {"a": [1, None]}
    assert found[2].details["rotated_from"] == "one"
    assert found[3].details["stores"] == ["shop"]
    assert "whsec_x" not in repr(found)
    assert "f" * 64 not in repr(found)
    assert [entry.action for entry in await store.keys.audit(1)] == ["other"]


async def test_what_isn_t_noted_isn_t_done(store: Store) -> None:
    await store.keys.create(record(), actor="me")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await store.keys.create(record(), actor="me")
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await store.keys.rotate("one", record(), ends_at=NOW + 1, now=NOW, actor="me")
    assert (await key(store)).expires_at is None
    assert len(await store.keys.audit(10)) == 1


async def test_keys_outlive_the_service(backend: Backend, database: str) -> None:
    store = await backend.open(database, clock=lambda: NOW)
    await store.keys.create(record(), actor="me")
    await backend.close(store)
    again = await backend.open(database, clock=lambda: NOW)
    assert await key(again) == record()
