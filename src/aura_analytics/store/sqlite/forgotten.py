"""What isn't taken in any more: events and requests about interactions that were erased, and events of who is blocked."""

import sqlite3
from collections.abc import Sequence

import msgspec

from aura_analytics.events.records import EarlyOutcome, JudgeCall, Storable, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.privacy import hashed, session_name

SQL = queries.load("privacy", "sqlite")


class Forgotten:
    """What of a transaction's events isn't taken in any more. Where nothing was ever erased, it costs one look.

    The same look tells whether any early outcomes wait.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.any, self.any_waits = connection.execute(SQL["any_forgotten"]).fetchone()

    def events(self, events: Sequence[Storable]) -> list[bool]:
        """Tell for each event whether it is about what was erased, or by somebody who is blocked."""
        names = [_names(event) for event in events]
        found = self._found({name for some in names for name in some})
        if any(kind == "session" for kind, _ in found):
            found -= self._goes_on(events, found)
        return [not found.isdisjoint(some) for some in names]

    def _goes_on(self, events: Sequence[Storable], found: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Give the erased sessions in which something was said since, or is in this transaction."""
        asked = {event.session_id for event in events if isinstance(event, VoiceConversion)} - {None}
        rows = self._connection.execute(SQL["spoken_in"], {"ids": msgspec.json.encode(list(asked)).decode()}).fetchall()
        said = [
            (event.store_id, event.session_id)
            for event in events
            if isinstance(event, VoiceQuery) and event.session_id and found.isdisjoint(_names(event))
        ]
        return {("session", name) for one in [*rows, *said] for name in (one[1], session_name(*one))}

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


def _names(event: Storable) -> list[tuple[str, str]]:
    """Give what an event may be refused by."""
    if isinstance(event, VoiceQuery):
        user = [] if event.user_id is None else [("user", event.user_id)]
        return [("query", event.id), *user]
    if isinstance(event, VoiceOutcome | EarlyOutcome):
        return [("query", event.query_id)]
    if event.query_id is not None:
        return [("conversion", event.id), ("query", event.query_id)]
    session = [] if event.session_id is None else [("session", session_name(event.store_id, event.session_id))]
    return [("conversion", event.id), *session]
