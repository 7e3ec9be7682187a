"""What came before interactions in their sessions."""

import sqlite3
from collections.abc import Sequence

from aura_analytics.events.records import Interaction, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.sqlite.choice import interactions
from aura_analytics.store.sqlite.connection import fetch
from aura_analytics.store.turns import MOST_TURNS, previous_of, sessions_of

SQL = queries.load("turns", "sqlite")


def previous_turns(
    connection: sqlite3.Connection, *, asked: Sequence[VoiceQuery], limit: int
) -> dict[str, list[Interaction]]:
    """Give what came before each query in its session; see `Store.previous_turns`."""
    turns = {
        session: fetch(connection, SQL["turns"], {"session_id": session, "limit": MOST_TURNS + 1})
        for session in sessions_of(asked)
    }
    before = previous_of(asked, turns, limit)
    needed = list(dict.fromkeys(id for ids in before.values() for id in ids))
    found = {one.query.id: one for one in interactions(connection, query_ids=needed)}
    return {id: [found[one] for one in ids if one in found] for id, ids in before.items()}
