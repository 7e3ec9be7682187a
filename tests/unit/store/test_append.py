"""How a transaction is written: as few statements as there are kinds of events in it."""

import sqlite3
from collections.abc import Callable, Sequence

import pytest

from aura_analytics.events.records import Event
from aura_analytics.store.sqlite import migrate
from aura_analytics.store.sqlite.append import append
from contract.making import GRACE_MS, NOW, conversion, outcome, query


@pytest.mark.parametrize(
    ("events", "statements"),
    [
        pytest.param(
            [query("a")], ["SELECT", "SELECT", "voice_queries", "evaluation_queue", "change_feed"], id="query"
        ),
        pytest.param([outcome("a")], ["SELECT", "SELECT", "voice_outcomes"], id="outcome"),
        pytest.param(
            [query("a"), outcome("a"), query("a")],
            ["SELECT", "SELECT", "voice_queries", "voice_outcomes", "evaluation_queue", "change_feed"],
            id="both",
        ),
        pytest.param(
            [conversion("c")], ["SELECT", "SELECT", "SELECT", "voice_conversions", "change_feed"], id="conversion"
        ),
    ],
)
def test_a_kind_that_is_not_there_costs_no_statement(
    url: str, raw: Callable[[], sqlite3.Connection], events: Sequence[Event], statements: list[str]
) -> None:
    migrate(url)
    seen: list[str] = []
    connection = raw()
    connection.execute("BEGIN")
    connection.set_trace_callback(seen.append)
    append(connection, events, now=NOW, grace_ms=GRACE_MS)
    connection.set_trace_callback(None)
    bare = [" ".join(line for line in sql.splitlines() if not line.startswith("--")) for sql in seen]
    assert [sql.split()[2] if sql.startswith("INSERT") else sql.split()[0] for sql in bare] == statements
