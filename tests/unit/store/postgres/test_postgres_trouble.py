"""What PostgreSQL's errors mean, told in words that name no host, no user, no password and no value."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from functools import partial

import psycopg
import pytest

from aura_analytics.errors import SettingsError, StoreUnavailable
from aura_analytics.store.postgres import PostgresStore, migrate
from aura_analytics.store.postgres.connection import conninfo, is_mistake, translated, trouble_of
from contract.making import query
from own_postgres import OwnPostgres
from unit.store.postgres.conftest import Raw, is_well, until

SAID = {
    "53100": ("full", "the database's disk is full"),
    "25006": ("read-only", "the database takes no changes at the moment"),
    "53200": ("busy", "the database has no connection to spare"),
    "53300": ("busy", "the database has no connection to spare"),
    "53400": ("busy", "the database has no connection to spare"),
    "40P01": ("busy", "too much is written at once"),
    "40001": ("busy", "too much is written at once"),
    "57014": ("slow", "the database takes too long"),
    "55P03": ("slow", "the database takes too long"),
    "42P01": ("away", "the database lacks tables; it has to be migrated"),
    "42703": ("away", "the database lacks tables; it has to be migrated"),
    "42501": ("away", "the database doesn't let its user do what has to be done"),
    "28000": ("away", "the database doesn't take the user, the password or the database's name"),
    "57P01": ("away", "the database can't be reached"),
    "57P02": ("away", "the database can't be reached"),
    "57P03": ("away", "the database can't be reached"),
    "08006": ("away", "the database can't be reached"),
    "58030": ("away", "the database can't be reached"),
    "XX000": ("away", "the database can't be reached"),
    "XX001": ("away", "the database can't be reached"),
}
MISTAKES = ("22003", "23505", "23514", "42601", "0A000", "54000")


@pytest.fixture
async def session(own_server: OwnPostgres) -> AsyncIterator[Raw]:
    """A session of a server; which database doesn't matter."""
    async with await psycopg.AsyncConnection.connect(own_server.url(), autocommit=True) as connection:
        yield connection


async def raising(connection: Raw, state: str) -> None:
    await connection.execute(
        f"DO $$ BEGIN RAISE EXCEPTION 'a-value of somebody' USING ERRCODE = '{state}'; END $$".encode()
    )


@pytest.mark.parametrize("state", SAID)
async def test_what_is_wrong_with_the_database_is_told_without_a_value(session: Raw, state: str) -> None:
    with pytest.raises(StoreUnavailable) as caught, translated():
        await raising(session, state)
    assert (caught.value.trouble, str(caught.value)) == SAID[state]


@pytest.mark.parametrize("state", MISTAKES)
async def test_a_mistake_of_ours_stays_what_it_is(session: Raw, state: str) -> None:
    with pytest.raises(psycopg.Error) as caught, translated():
        await raising(session, state)
    assert caught.value.sqlstate == state
    assert is_mistake(caught.value)


def test_a_time_out_of_ours_is_a_slow_database() -> None:
    with pytest.raises(StoreUnavailable) as caught, translated():
        raise TimeoutError
    assert caught.value.trouble == "slow"


# Where there is no connection.


def nobody_there() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture
def there(own_server: OwnPostgres) -> str:
    """Where a server answers."""
    return f"127.0.0.1:{own_server.port}"


REFUSED: dict[str, tuple[Callable[[str], str], str]] = {
    "a wrong password": (
        lambda there: f"postgresql://aura:not-very-secret@{there}/postgres",
        "the database doesn't take the user or the password",
    ),
    "no password": (lambda there: f"postgresql://aura@{there}/postgres", "the database doesn't take the user or the password"),
    "a user who is unknown": (
        lambda there: f"postgresql://somebody:very-secret@{there}/postgres",
        "the database doesn't take the user or the password",
    ),
    "no such database": (
        lambda there: f"postgresql://aura:very-secret@{there}/somebody",
        "the database or its user doesn't exist",
    ),
    "nobody at the port": (
        lambda _: f"postgresql://aura:very-secret@127.0.0.1:{nobody_there()}/aura",
        "the database can't be reached",
    ),
    "no such host": (
        lambda _: "postgresql://aura:very-secret@somebody.invalid/aura",
        "the database can't be reached",
    ),
    "no such socket": (
        lambda _: "postgresql://aura:very-secret@/aura?host=/somebody",
        "the database can't be reached",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
async def test_a_connection_that_is_refused_is_told_in_a_line(there: str, why: str) -> None:
    url_of, words = REFUSED[why]
    url = url_of(there)
    store = PostgresStore(url)
    for connecting in (store.open(), asyncio.to_thread(migrate, url)):
        with pytest.raises(StoreUnavailable) as caught:
            await connecting
        assert (caught.value.trouble, str(caught.value)) == ("away", words)
        assert "very-secret" not in repr(caught.value.__cause__)
    await store.close()


@pytest.mark.parametrize("url", ["postgresql://aura:very-secret@[/x", "postgresql://aura:very-secret@h/x?nonsense=1"])
def test_a_url_that_cannot_be_read_is_told_without_its_words(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        conninfo(url)
    assert "very-secret" not in str(caught.value)


def test_what_a_url_says_of_a_session_is_kept_beside_what_we_say() -> None:
    told = conninfo("postgresql://h/x?application_name=other&connect_timeout=9&options=-c%20search_path%3Da")
    assert "application_name=other" in told
    assert "connect_timeout=9" in told
    assert "search_path=a" in told
    assert "statement_timeout=30000" in told


def test_a_server_that_is_full_of_connections_is_busy(own_server: OwnPostgres, own_url: str) -> None:
    own_server.execute("ALTER ROLE aura CONNECTION LIMIT 1")
    try:
        with closing(psycopg.connect(own_url)), pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(own_url)
    finally:
        own_server.execute("ALTER ROLE aura CONNECTION LIMIT -1")
    assert trouble_of(caught.value) == ("busy", "the database has no connection to spare")


async def test_a_password_that_was_changed_is_told_and_never_logged(
    own_server: OwnPostgres, own_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aura_analytics.store.postgres.access.POOL_S", 0.5)
    caplog.set_level(logging.DEBUG)
    store = PostgresStore(own_url)
    await store.open()
    try:
        await store.append([query("a")])
        own_server.execute("ALTER ROLE aura PASSWORD 'another'")
        own_server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'aura'")
        for call in (store.append([query("b")]), store.count(), store.ping()):
            with pytest.raises(StoreUnavailable, match="doesn't take the user or the password"):
                await call
        own_server.execute("ALTER ROLE aura PASSWORD 'very-secret'")
        assert await store.append([query("b")]) == [True]
        assert await store.count() == 2
    finally:
        own_server.execute("ALTER ROLE aura PASSWORD 'very-secret'")
        await store.close()
    assert caplog.text
    assert "very-secret" not in caplog.text


async def test_a_pool_that_is_in_use_as_a_whole_is_busy_and_not_away(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aura_analytics.store.postgres.access.POOL_S", 0.2)
    store = PostgresStore(url, connections=2)
    await store.open()
    try:
        async with store._reading(), store._reading():
            with pytest.raises(StoreUnavailable, match="in use") as caught:
                await store.count()
        assert caught.value.trouble == "busy"
        assert await store.count() == 0
    finally:
        await store.close()


async def test_a_server_that_is_frozen_is_slow_and_soon_told(
    own_server: OwnPostgres, own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "aura_analytics.store.postgres.database"
    monkeypatch.setattr(f"{module}.PING_S", 0.2)
    store = PostgresStore(own_url)
    await store.open()
    try:
        await store.ping()
        own_server.freeze()
        with pytest.raises(StoreUnavailable) as caught:
            await store.ping()
        assert caught.value.trouble == "slow"
        own_server.resume()

        monkeypatch.setattr(f"{module}.PING_S", 5.0)
        await until(partial(is_well, store))
    finally:
        own_server.resume()
        await store.close()
