"""What is asked of the row database about one person: all that is kept of them, and erasing it.

A person is known by the `user_id` of their queries. Theirs are the interactions that name them; and those that name
nobody, where they stand in a session of theirs (of the same store) in which nobody else is named. A session with more
unnamed turns than `MOST_UNNAMED` isn't one shopper's: a caller that knows no session may give all of them the same.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from hashlib import sha256
from typing import Any, Protocol

import msgspec

from aura_analytics.events.records import InteractionDetails, JudgeCall, VoiceConversion
from aura_analytics.store.queries import Row
from aura_analytics.store.turns import MOST_TURNS

MOST_UNNAMED = MOST_TURNS
# Row numbers that one read looks through, and interactions that name the person in one transaction: ingest waits for it.
PAGE_ROWS = 50_000
STEP_IDS = 256
# For how long the ids of what was erased aren't taken in again: who sends at least once may send late.
SENT_AGAIN_MS = 30 * 86_400_000

# What is erased by an interaction's id, in this order: the statement, and the table as the count is called.
BY_QUERY = (
    ("erase_history", "voice_evaluation_history"),
    ("erase_evaluations", "voice_evaluations"),
    ("erase_outcomes", "voice_outcomes"),
    ("erase_queue", "evaluation_queue"),
    ("erase_leases", "review_leases"),
    ("erase_judge_calls", "judge_calls"),
    ("erase_queries", "voice_queries"),
)
CONVERSIONS = "voice_conversions"

# A store and a session of it; a conversion may name no store.
Session = tuple[str | None, str]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The erasing of one person, who is named by a hash. `erased` counts rows by table; `ended_at` None: it isn't done."""

    id: str
    person: str
    actor: str
    begun_at: int
    ended_at: int | None
    erased: dict[str, int]


class Theirs(msgspec.Struct, frozen=True, kw_only=True):
    """Some of what is a person's: ids of interactions and of conversions, and the sessions that are theirs alone."""

    query_ids: list[str]
    conversion_ids: list[str]
    sessions: list[Session] = []

    @property
    def names(self) -> list[tuple[str, str]]:
        """What they are not to be taken in by any more, with its kind."""
        sessions = {name for store_id, session in self.sessions for name in (session, session_name(store_id, session))}
        return [
            *(("query", id) for id in self.query_ids),
            *(("conversion", id) for id in self.conversion_ids),
            *(("session", name) for name in sorted(sessions)),
        ]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Some of what is kept of a person: interactions whole, conversions of their sessions, requests to models."""

    interactions: list[InteractionDetails]
    conversions: list[VoiceConversion]
    judge_calls: list[JudgeCall]


class PersonStore(Protocol):
    """The persons of a row database. Every method raises `StoreUnavailable` where it can't be used right now."""

    async def pseudonym(self, user_id: str) -> str:
        """Give the hash that a person is named by: always the same in this database, another one in every other."""

    async def begin(self, user_id: str, *, id: str, actor: str, blocks: bool, now: int) -> Erasure:
        """Begin to erase a person, or go on with what was broken off.

        `blocks`: their queries aren't taken in any more, nor is what names one of these within `SENT_AGAIN_MS` of it; what
        came before the query is erased with it. An id that has a query is whoever's that is.
        """

    async def erase(self, user_id: str, erasure: Erasure, *, now: int) -> Erasure:
        """Erase all of a person, step by step, so that ingest goes on; whatever was erased is on the feed.

        An event about an erased interaction that comes within `SENT_AGAIN_MS` counts as a duplicate, so that neither a
        late outcome nor what is sent again brings it back. So does a conversion of an erased session in which nothing
        has been said since.
        """

    async def end(self, erasure: Erasure, *, now: int, details: Mapping[str, Any]) -> Erasure:
        """Note that all is erased, and put it on record. Any: what JSON can hold."""

    async def allow(self, user_id: str) -> bool:
        """Take the events of a blocked person again; tell whether they were blocked."""

    def held(self, user_id: str) -> AsyncIterator[Held]:
        """Give all that is kept of a person, in parts."""

    async def last_erasure(self) -> int | None:
        """Give when an erasure began or ended last."""

    async def move_on(self, *, now: int) -> int:
        """Write to the feed a row that tells nothing, and give its position."""

    async def followed(self, position: int) -> tuple[int, int]:
        """Forget the feed before a position as far as all followers are there; give how many are, and aren't."""

    async def bring_home(self) -> bool:
        """Leave nothing of what was erased in what is written ahead; tell whether that could be done."""


def session_name(store_id: str | None, session: str) -> str:
    """Name a session of a store, or of whichever."""
    return session if store_id is None else f"{store_id}\x1f{session}"


def hashed(secret: str, kind: str, name: str) -> str:
    """Hash a name with the database's own secret, so that it can be told apart and not be read."""
    return sha256(f"{secret}{kind}:{name}".encode()).hexdigest()


def pseudonym_of(secret: str, user_id: str) -> str:
    """Give what a person is called where it must not be said who it is."""
    return f"user:{hashed(secret, 'user', user_id)[:24]}"


def of_sessions(rows: Iterable[Row], sessions: Collection[Session]) -> list[str]:
    """Give the ids of those rows of `id, store_id, session_id` that belong to a session; who names no store, to any."""
    named = {session for _, session in sessions}
    return [
        id
        for id, store_id, session in rows
        if (store_id, session) in sessions or (store_id is None and session in named)
    ]


def added(erasure: Erasure, counted: Mapping[str, int]) -> Erasure:
    """Add what a step has erased."""
    total = Counter(erasure.erased) + Counter(counted)
    return msgspec.structs.replace(erasure, erased=dict(sorted(total.items())))


def erasure_of(row: Row) -> Erasure:
    """Read a row of `erasure`."""
    id, person, actor, begun_at, ended_at, erased = row
    counts = msgspec.json.decode(erased, type=dict[str, int])
    return Erasure(id=id, person=person, actor=actor, begun_at=begun_at, ended_at=ended_at, erased=counts)


def written(counts: Mapping[str, int]) -> str:
    """Write counts as a cell holds them."""
    return msgspec.json.encode(counts).decode()


def call_of(row: Row) -> JudgeCall:
    """Read a row of `judge_calls_of`."""
    return JudgeCall(**dict(zip(JudgeCall.__struct_fields__, row, strict=False)))
