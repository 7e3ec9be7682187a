"""What came before an interaction in its session."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aura_analytics.events.records import VoiceQuery
from aura_analytics.store.queries import Row
from aura_analytics.store.tolerance import moment_of

# A session of more turns isn't one shopper's: a caller that knows no session may give all of them the same.
MOST_TURNS = 1_000


def sessions_of(queries: Iterable[VoiceQuery]) -> list[str]:
    """Give the sessions of some queries, each once."""
    return list(dict.fromkeys(query.session_id for query in queries if query.session_id is not None))


def previous_of(queries: Iterable[VoiceQuery], turns: Mapping[str, Sequence[Row]], limit: int) -> dict[str, list[str]]:
    """Give the ids of the `limit` turns before each query, oldest first, by the query's id.

    `turns` are rows of `turns` by their sessions: read up to one more than `MOST_TURNS`, to tell what is too many.
    """
    ordered = {session: sorted(map(_turn, rows)) if len(rows) <= MOST_TURNS else [] for session, rows in turns.items()}
    return {query.id: _before(query, ordered.get(query.session_id or "", []), limit) for query in queries}


def _before(query: VoiceQuery, turns: list[tuple[int, str, Any]], limit: int) -> list[str]:
    own = (query.created_at, query.id)
    before = [id for moment, id, store_id in turns if (moment, id) < own and store_id == query.store_id]
    return before[max(0, len(before) - limit) :]


def _turn(row: Row) -> tuple[int, str, Any]:
    """Read a row of `turns`. Any: a cell that others may have written."""
    id, store_id, created_at = row
    return moment_of(created_at), id, store_id
