"""Early outcomes in SQLite: where one transaction writes at a time, it is known at once which queries are there."""

import sqlite3
from collections.abc import Sequence

import msgspec

from aura_analytics.events.records import EarlyOutcome, VoiceOutcome, VoiceQuery
from aura_analytics.store.early import Waiting, read, sender_of, tell_of_dropped, written
from aura_analytics.store.queries import load

SQL = load("early", "sqlite")
PRIVACY = load("privacy", "sqlite")

_outcomes = msgspec.json.Decoder(VoiceOutcome)


def met(connection: sqlite3.Connection, queries: Sequence[VoiceQuery]) -> list[VoiceOutcome]:
    """Give what has waited for queries that are new, and is their stores'; nothing waits for them afterwards."""
    stores = {query.id: query.store_id for query in queries}
    asked = {"ids": msgspec.json.encode(list(stores)).decode()}
    rows = connection.execute(SQL["waiting"], asked).fetchall()
    if not rows:
        return []
    # What somebody was answered isn't left behind in the file: whoever erases them later wouldn't find it there.
    connection.execute(PRIVACY["overwrite"]).fetchall()
    try:
        connection.execute(SQL["forget"], asked).fetchall()
    finally:
        connection.execute(PRIVACY["leave"]).fetchall()
    found = [(Waiting(id, read(names), stores[id]), outcome) for id, names, outcome in rows]
    tell_of_dropped(one.query_id for one, _ in found if not one.fits)
    return [_outcomes.decode(outcome) for one, outcome in found if one.fits]


def stores_of(
    connection: sqlite3.Connection, sent: Sequence[EarlyOutcome], queries: Sequence[VoiceQuery]
) -> dict[str, str]:
    """Give the stores of the queries of early outcomes, as far as these are stored, or are new in this transaction."""
    asked = {"ids": msgspec.json.encode([early.query_id for early in sent]).decode()}
    return {query.id: query.store_id for query in queries} | dict(
        connection.execute(SQL["stores_of"], asked).fetchall()
    )


def wait(connection: sqlite3.Connection, early: EarlyOutcome) -> bool:
    """Have an outcome wait for its query; tell whether it is new."""
    row = {
        "query_id": early.query_id,
        "sender": sender_of(early),
        "stores": written(early.stores),
        "outcome": msgspec.json.encode(early.outcome).decode(),
    }
    return connection.execute(SQL["wait"], row).rowcount > 0
