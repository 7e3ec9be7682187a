"""What isn't taken in any more: events and requests about interactions that were erased, and events of who is blocked."""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from aura_analytics.events.records import EarlyOutcome, JudgeCall, Storable, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.privacy import SENT_AGAIN_MS, Theirs, hashed, session_name

SQL = queries.load("privacy", "sqlite")
EARLY = queries.load("early", "sqlite")


class Forgotten:
    """What of a transaction's events isn't taken in any more. Where nothing was ever erased, it costs one look.

    The same look tells whether any early outcomes wait.

    Attributes:
        blocked: the ids of queries that weren't taken in because of whose they are, and that nobody else's query has.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.any, self.any_waits = connection.execute(SQL["any_forgotten"]).fetchone()
        self.blocked: set[str] = set()

    def events(self, events: Sequence[Storable], there: Collection[str]) -> list[bool]:
        """Tell for each event whether it is about what was erased, or by somebody who is blocked.

        Args:
            events: of one transaction.
            there: those of their ids of which a query is stored, or lies in the archive.
        """
        names = [_names(event) for event in events]
        found = self._found({name for some in names for name in some})
        if any(kind == "session" for kind, _ in found):
            found -= self._goes_on(events, found)
        if any(kind in {"user", "blocked"} for kind, _ in found):
            found = self._by_blocked(events, found, there)
        return [not found.isdisjoint(some) for some in names]

    def _by_blocked(
        self, events: Sequence[Storable], found: set[tuple[str, str]], there: Collection[str]
    ) -> set[tuple[str, str]]:
        """Add the queries that are refused here because of their users; what has a query is whoever's that is."""
        asked = [event for event in events if isinstance(event, VoiceQuery)]
        taken = {query.id for query in asked if found.isdisjoint(_names(query))}
        theirs = {query.id for query in asked if ("user", query.user_id) in found}
        self.blocked = {id for id in theirs - taken if id not in there}
        marked = {id for kind, id in found if kind == "blocked"}
        void = {("blocked", id) for id in marked if id in taken or id in there}
        return (found - void) | {("blocked", id) for id in self.blocked}

    def refuse(self, *, now: int) -> Theirs:
        """Keep away what belongs to the queries of who is blocked, and remove what of it came before; give what that was.

        It names nobody by itself: what is let in of it can't be found by who erases them.
        """
        if not self.blocked:
            return Theirs(query_ids=[], conversion_ids=[])
        own, until = secret(self._connection), now + SENT_AGAIN_MS
        marks = [{"hash": hashed(own, "blocked", id), "until": until} for id in sorted(self.blocked)]
        self._connection.executemany(SQL["remember"], marks)
        asked = {"ids": msgspec.json.encode(sorted(self.blocked)).decode()}
        bought = [id for (id,) in self._connection.execute(SQL["conversions_of_queries"], asked)]
        self._connection.execute(SQL["overwrite"]).fetchall()
        try:
            self._connection.execute(EARLY["forget"], asked).fetchall()
            removed = [
                self._connection.execute(SQL[name], asked).rowcount for name in ("erase_outcomes", "erase_queue")
            ]
            self._connection.execute(SQL["erase_conversions"], {"ids": msgspec.json.encode(bought).decode()})
        finally:
            self._connection.execute(SQL["leave"]).fetchall()
        return Theirs(query_ids=sorted(self.blocked) if any(removed) or bought else [], conversion_ids=bought)

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
        return [("query", event.query_id), ("blocked", event.query_id)]
    if event.query_id is not None:
        return [("conversion", event.id), ("query", event.query_id), ("blocked", event.query_id)]
    session = [] if event.session_id is None else [("session", session_name(event.store_id, event.session_id))]
    return [("conversion", event.id), *session]
