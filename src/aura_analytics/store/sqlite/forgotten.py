"""What isn't taken in any more: events and requests about interactions that were erased, and events of who is blocked."""

import sqlite3
from collections.abc import Sequence

import msgspec

from aura_analytics.events.records import Event, JudgeCall, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.privacy import hashed

SQL = queries.load("privacy", "sqlite")


class Forgotten:
    """What of a transaction's events isn't taken in any more. Where nothing was ever erased, it costs one look."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        (self.any,) = connection.execute(SQL["any_forgotten"]).fetchone()

    def events(self, events: Sequence[Event]) -> list[bool]:
        """Tell for each event whether it is about what was erased, or by somebody who is blocked."""
        names = [_names(event) for event in events]
        found = self._found({name for some in names for name in some})
        return [not found.isdisjoint(some) for some in names]

    def calls(self, calls: Sequence[JudgeCall]) -> list[JudgeCall]:
        """Leave out the requests about what was erased."""
        if not self.any or not calls:
            return list(calls)
        found = self._found({("query", call.query_id) for call in calls})
        return [call for call in calls if ("query", call.query_id) not in found]

    def _found(self, names: set[tuple[str, str]]) -> set[tuple[str, str]]:
        own = secret(self._connection)
        hashes = {hashed(own, kind, name): (kind, name) for kind, name in names}
        rows = self._connection.execute(
            SQL["forgotten"], {"ids": msgspec.json.encode(list(hashes)).decode()}
        ).fetchall()
        return {hashes[found] for (found,) in rows}


def secret(connection: sqlite3.Connection) -> str:
    """Give what names are hashed with."""
    (found,) = connection.execute(SQL["secret"]).fetchone()
    return str(found)


def _names(event: Event) -> list[tuple[str, str]]:
    """Give what an event may be refused by."""
    if isinstance(event, VoiceQuery):
        user = [] if event.user_id is None else [("user", event.user_id)]
        return [("query", event.id), *user]
    if isinstance(event, VoiceOutcome):
        return [("query", event.query_id)]
    of_query = [] if event.query_id is None else [("query", event.query_id)]
    return [("conversion", event.id), *of_query]
