"""Browsers that signed in, whichever server they ask."""

from aura_analytics.store import Store
from aura_analytics.store.sessions import PageSession
from contract.making import NOW

SESSION = PageSession(hash="a" * 64, key_id="k1", opened_at=NOW, ends_at=NOW + 1_000)


async def test_a_session_is_found_by_every_server_until_it_ends(store: Store, other_store: Store) -> None:
    await store.sessions.open(SESSION)
    assert await other_store.sessions.find(SESSION.hash, now=NOW + 999) == SESSION
    assert await other_store.sessions.find(SESSION.hash, now=NOW + 1_000) is None
    assert await store.sessions.find("b\0", now=NOW) is None


async def test_a_session_that_was_ended_is_gone(store: Store) -> None:
    await store.sessions.open(SESSION)
    await store.sessions.end(SESSION.hash)
    await store.sessions.end("nobody's\0")
    assert await store.sessions.find(SESSION.hash, now=NOW) is None


async def test_what_has_ended_is_forgotten_when_another_one_begins(store: Store) -> None:
    await store.sessions.open(SESSION)
    later = PageSession(hash="c" * 64, key_id="k1", opened_at=NOW + 1_000, ends_at=NOW + 2_000)
    await store.sessions.open(later)
    assert await store.sessions.find(SESSION.hash, now=0) is None
    assert await store.sessions.find(later.hash, now=NOW) == later
