"""What goes along with a copy, between both kinds of databases: alerts, and what is taken in no more."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aura_analytics.events.records import EarlyOutcome
from aura_analytics.opening import make_persons
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate
from aura_analytics.store.alerts import AlertState, Message
from aura_analytics.terminal.copied import Copied
from aura_analytics.terminal.copying import Wanted, copy
from contract.making import NOW, outcome, query
from postgres_server import PostgresServer

BOTH = pytest.mark.parametrize(("kind", "other"), [("sqlite", "postgres"), ("postgres", "sqlite")])
Fresh = Callable[[str], Settings]
RAISED = AlertState(rule="errors", state="raised", since=NOW, looked_at=NOW + 5, value=0.3, of=40)
DUE = Message(
    id="m", target="t", rule="errors", kind="alert.raised", body="{}", made_at=NOW, due_at=NOW + 9, attempts=2
)


@pytest.fixture
def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> Fresh:
    """Makes a migrated database of a kind."""

    def make(kind: str) -> Settings:
        url = f"sqlite:///{tmp_path}/aura.db"
        if kind == "postgres":
            server: PostgresServer = request.getfixturevalue("forgetful_postgres_server")
            url = server.create()
        settings = Settings(aura_database_url=url)
        migrate(settings)
        return settings

    return make


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    store = make_store(settings)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def copied(source: Settings, target: Settings) -> Copied:
    result = await copy(source, target, Wanted())
    assert (result.differing, result.changing) == (0, 0)
    return result


@BOTH
async def test_alerts_stand_as_they_stood_and_are_told_once(fresh: Fresh, kind: str, other: str) -> None:
    first, there = fresh(kind), fresh(other)
    async with opened(first) as source, opened(there) as target:
        await source.alerts.save([RAISED], [DUE], now=NOW)
        assert (await copied(first, there)).along == {"alert_messages": 1, "alert_states": 1}
        assert await target.alerts.states() == [RAISED]
        assert await target.alerts.log(9) == [DUE]
        assert (await copied(first, there)).along == {}
        heard = Message(**{**_fields(DUE), "due_at": None, "attempts": 3, "delivered_at": NOW + 8})
        await source.alerts.save([], [heard], now=NOW)
        calm = AlertState(rule="errors", state="calm", since=NOW + 6, looked_at=NOW + 6, value=0.0, of=40)
        await target.alerts.save([calm], now=NOW)
        assert (await copied(first, there)).along == {"alert_messages": 1}
        assert await target.alerts.log(9) == [heard]
        assert await target.alerts.states() == [calm]  # it was seen later


@BOTH
async def test_who_was_erased_stays_so_and_isn_t_taken_in_at_the_target_either(
    fresh: Fresh, kind: str, other: str
) -> None:
    first, there = fresh(kind), fresh(other)
    async with opened(first) as source, opened(there) as target:
        await source.append([query("a", user_id="ann"), query("b", user_id="bob"), query("c"), outcome("a")])
        await make_persons(source).forget("ann", actor="test", blocks=True)
        assert (await copied(first, there)).along["forgotten"] >= 2
        assert await target.append([query("a"), query("d", user_id="ann"), query("e", user_id="eve")]) == [
            *await source.append([query("a"), query("d", user_id="ann")]),
            True,
        ]
        assert await target.count() == 3  # b, c, e
        # Who is erased at the source later was copied before, and is to be erased at the target, too.
        await make_persons(source).forget("bob", actor="test")
        await copied(first, there)
        assert await target.interaction("b") is not None
        await make_persons(target).forget("bob", actor="test")
        await copied(first, there)
        assert await target.interaction("b") is None


@BOTH
async def test_a_target_that_has_erased_somebody_itself_keeps_its_own_and_that_is_told(
    fresh: Fresh, kind: str, other: str
) -> None:
    first, there = fresh(kind), fresh(other)
    async with opened(first) as source, opened(there) as target:
        await target.append([query("x", user_id="eve")])
        await make_persons(target).forget("eve", actor="test", blocks=True)
        await source.append([query("a", user_id="ann")])
        await make_persons(source).forget("ann", actor="test", blocks=True)
        assert (await copied(first, there)).along == {"forgotten_left": 2}
        await target.append([query("x"), query("y", user_id="eve")])
        assert await target.count() == 0


@BOTH
async def test_what_waits_for_a_query_that_has_not_come_stays_and_is_told(fresh: Fresh, kind: str, other: str) -> None:
    first, there = fresh(kind), fresh(other)
    async with opened(first) as source:
        await source.append([EarlyOutcome(outcome=outcome("a"), stores=("shop",))])
        assert (await copied(first, there)).along == {"early_outcomes_left": 1}
        await source.append([query("a", store_id="shop")])
        assert "early_outcomes_left" not in (await copied(first, there)).along
    async with opened(there) as target:
        found = await target.interaction("a")
        assert found is not None
        assert found.outcome is not None


def _fields(message: Message) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__struct_fields__}
