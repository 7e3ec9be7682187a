"""Keys at hand: read now and then, believed for a while, and never longer."""

import asyncio

import pytest

from aura_analytics.errors import StoreUnavailable, Unauthorised
from aura_analytics.guard import key
from aura_analytics.guard.keyring import FRESH_MS, LASTING_MS, NOTED_MS, Keyring, principal_of
from aura_analytics.guard.network import networks
from aura_analytics.store.keys import KeyRecord, KeyStore
from unit.guard.house import NOW, House, Watch


class Counting:
    """A key store that counts how often it is read, and can be away."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self.reads = 0
        self.away = False
        self.touched: list[dict[str, int]] = []

    async def keys(self) -> list[KeyRecord]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        return await self._keys.keys()

    async def touch(self, used: dict[str, int]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.touched.append(dict(used))


@pytest.fixture
def store(house: House) -> Counting:
    return Counting(house.store.keys)


@pytest.fixture
def keyring(store: Counting, watch: Watch) -> Keyring:
    return Keyring(store, clock=watch)  # type: ignore[arg-type] # only what a keyring asks of it


async def test_many_requests_read_the_keys_once(house: House, store: Counting, keyring: Keyring) -> None:
    token = await house.key("read")
    await asyncio.gather(*(keyring.refresh() for _ in range(50)))
    assert store.reads == 1
    assert keyring.is_fresh()
    assert keyring.known(token)[0].name == "read"


async def test_keys_that_age_are_read_beside_the_requests_and_old_ones_before(
    house: House, keyring: Keyring, watch: Watch
) -> None:
    await keyring.refresh()
    assert not keyring.has_keys()
    token = await house.key("read")
    watch.now += FRESH_MS + 1
    assert not keyring.is_fresh()
    await keyring.refresh()
    assert not keyring.has_keys()
    await keyring.close()
    assert keyring.has_keys()
    watch.now += 2 * FRESH_MS + 1
    await house.store.keys.revoke(key.id_of(token) or "", now=watch.now, actor="test")
    await keyring.refresh()
    with pytest.raises(Unauthorised):
        keyring.known(token)


async def test_where_the_clock_is_set_back_nothing_is_believed_for_longer(
    house: House, store: Counting, keyring: Keyring, watch: Watch
) -> None:
    token = await house.key("read")
    watch.now += 3_600_000
    await keyring.refresh()
    keyring.used(keyring.known(token)[0])
    watch.now -= 3_600_000
    assert not keyring.is_fresh()
    await house.store.keys.revoke(key.id_of(token) or "", now=watch.now, actor="test")
    await keyring.refresh()  # and it is waited for
    with pytest.raises(Unauthorised):
        keyring.known(token)
    assert len(store.touched) == 1
    watch.now -= 3_600_000
    store.away = True
    with pytest.raises(StoreUnavailable):
        await keyring.refresh()


async def test_while_the_database_is_away_keys_last_so_long_and_no_longer(
    house: House, store: Counting, keyring: Keyring, watch: Watch
) -> None:
    token = await house.key("read")
    await keyring.refresh()
    store.away = True
    watch.now += LASTING_MS
    await keyring.refresh()
    assert keyring.known(token)
    watch.now += 1
    with pytest.raises(StoreUnavailable):
        await keyring.refresh()


async def test_before_the_keys_were_read_nothing_is_believed(store: Counting, keyring: Keyring) -> None:
    store.away = True
    with pytest.raises(StoreUnavailable):
        await keyring.refresh()


async def test_a_key_ends_at_its_moment_however_fresh_the_keys_are(
    house: House, keyring: Keyring, watch: Watch
) -> None:
    token = await house.key("read", expires_at=NOW + 10)
    await keyring.refresh()
    assert keyring.known(token)
    watch.now += 10
    with pytest.raises(Unauthorised):
        keyring.known(token)


async def test_uses_are_noted_in_one_go_now_and_then(
    house: House, store: Counting, keyring: Keyring, watch: Watch
) -> None:
    tokens = [await house.key("read") for _ in range(2)]
    await keyring.refresh()
    for token in tokens * 3:
        keyring.used(keyring.known(token)[0])
        watch.now += 1
    assert store.touched == []
    watch.now += NOTED_MS
    await keyring.refresh()
    assert [len(used) for used in store.touched] == [2]
    assert store.touched[0][key.id_of(tokens[1]) or ""] == NOW + 5


async def test_uses_that_can_t_be_noted_are_noted_later(house: House, store: Counting, keyring: Keyring) -> None:
    token = await house.key("read")
    await keyring.refresh()
    keyring.used(keyring.known(token)[0])
    store.away = True
    await keyring.close()
    store.away = False
    await keyring.close()
    assert [list(used.values()) for used in store.touched] == [[NOW]]


def test_a_principal_is_what_its_key_says() -> None:
    record = KeyRecord(
        id="k",
        name="n",
        hash="h",
        scopes=("read", "fly"),
        stores=("a",),
        networks=("10.0.0.0/8", "2001:db8::/32"),
        signed_only=True,
        created_at=1,
        expires_at=2,
    )
    made = principal_of(record)
    assert made.scopes == {"read"}
    assert made.stores == {"a"}
    assert made.networks == networks("10.0.0.0/8 2001:db8::/32")
    assert (made.key_id, made.name, made.signed_only, made.expires_at) == ("k", "n", True, 2)
    assert principal_of(KeyRecord(id="k", name="n", hash="h", scopes=(), created_at=1)).stores is None


async def test_what_is_known_and_what_isn_t_is_compared_alike(
    house: House, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No time is measured: whatever key is shown, one hash is made of it and compared with one as long."""
    compared: list[tuple[int, int]] = []

    def compare(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr("hmac.compare_digest", compare)
    known = await house.key("read")
    await keyring.refresh()
    stranger = key.make().token
    body = known[: -key.CHECKSUM_LENGTH - 1] + ("A" if known[-key.CHECKSUM_LENGTH - 1] != "A" else "B")
    nearly = body + key.checksum(body)
    for token in (known, stranger, nearly):
        if token == known:
            assert keyring.known(token)
            continue
        with pytest.raises(Unauthorised):
            keyring.known(token)
    assert compared == [(64, 64)] * 3
