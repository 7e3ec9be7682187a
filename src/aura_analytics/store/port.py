"""What the rest of the house may ask of the row database, whichever it is.

Every method may be awaited from any task of the event loop that opened the store. A method that changes something
returns when the change would survive a power cut, and not before.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from aura_analytics.events.records import Interaction, InteractionDetails, JudgeCall, Storable, Verdict, VoiceQuery
from aura_analytics.store.alerts import AlertStore
from aura_analytics.store.failures import Failures
from aura_analytics.store.judging import AnsweredCalls, CallSums, Choice, Demand, Grant, JudgeBatch
from aura_analytics.store.keys import KeyStore
from aura_analytics.store.privacy import PersonStore
from aura_analytics.store.sessions import SessionStore
from aura_analytics.store.shelved import Past
from aura_analytics.store.undoing import Undoing

# One interaction as the columns hold it, in the order of WIDE_COLUMNS. Any: what a cell of a database can be.
WideRow = tuple[Any, ...]

WIDE_COLUMNS = (
    "id",
    "store_id",
    "session_id",
    "user_id",
    "created_at",
    "query_text",
    "query_source",
    "transcription_conf",
    "audio_duration_ms",
    "intent",
    "fast_path",
    "has_outcome",
    "answer_text",
    "model_name",
    "latency_ms",
    "tokens_prompt",
    "tokens_completion",
    "tokens_total",
    "cost_usd",
    "action_taken",
    "action_success",
    "error_flag",
    "error_message",
    "tool_calls",
    "label",
    "reason",
    "confidence",
    "evaluated_at",
    "evaluated_by",
)


# One conversion as the columns hold it, in the order of CONVERSION_COLUMNS. Any: what a cell of a database can be.
ConversionRow = tuple[Any, ...]

CONVERSION_COLUMNS = ("id", "query_id", "session_id", "store_id", "occurred_at", "value", "currency", "order_id")


# What all row databases keep to. Text that a page of rows may hold, in characters: it is held several times over.
PAGE_TEXT = 16 << 20
LAST_ROW = 2**63 - 1
# A part of a stream: four of DuckDB's row groups, since whole ones go to its file at once, compressed, and not over its
# log.
PART_ROWS = 4 * 122_880
# A follower that wasn't seen for this long no longer keeps the feed from being trimmed.
FOLLOWER_FORGOTTEN_MS = 7 * 86_400_000
# Hours that one transaction saves: while it lasts, no events are stored, or other servers wait for the same hours.
HOURLY_ROWS = 2_048


class FeedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the change feed. `moment` tells it from the same position of a restored or exchanged database."""

    position: int
    moment: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of all interactions that can be read as a stream: the rows numbered above `after` up to `upto`.

    `batch_rows`: how many may be in memory at once.
    """

    url: str
    after: int
    upto: int
    batch_rows: int


class ArrowStream(Protocol):
    """Rows in the order of WIDE_COLUMNS by Arrow's capsules, led by one with `has_outcome` -1 that only tells the types."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Begin to read, each time anew: the first time, a reader only looks at the types."""

    def close(self) -> None:
        """Let go of the database."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What lies around some interactions: from when to when each session goes, and the conversions that name any of them."""

    spans: dict[str, tuple[int, int]]
    conversion_ids: list[str]


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What changed after a point: the interactions' and conversions' ids, each once, and the point up to which that is all."""

    query_ids: list[str]
    conversion_ids: list[str] = msgspec.field(default_factory=list)
    upto: FeedPoint


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction that is being labelled. `attempts` counts this one; `lease` proves the claim when it is settled."""

    interaction: Interaction
    lease: str
    attempts: int

    @property
    def query_id(self) -> str:
        """The interaction's key."""
        return self.interaction.query.id


class FailedEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """An interaction that no further try is made for, and why."""

    query_id: str
    attempts: int
    last_error: str | None
    failed_at: int


class HourlySums(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of one store. `hour_bucket` is the hour's start in epoch seconds; the latency is kept in whole ms."""

    store_id: str
    hour_bucket: int
    total_queries: int
    successful_queries: int
    failed_queries: int
    total_latency_ms: float
    unique_sessions: int
    total_cost_usd: float

    @property
    def cells(self) -> tuple[Any, ...]:
        """The cells of its row, in the order of the fields. Any: what a cell of a database can be."""
        return msgspec.structs.astuple(msgspec.structs.replace(self, total_latency_ms=round(self.total_latency_ms)))


class QueueDepth(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits to be labelled: due now, not yet due (or claimed), and failed for good.

    `since` is the moment since when the one has waited that was due first; None where nothing is or was due.
    """

    due: int
    waiting: int
    failed: int
    since: int | None = None


class MigrationState(msgspec.Struct, frozen=True, kw_only=True):
    """A step that brings a database to this version's shape, and when it was taken; None where it waits."""

    version: int
    name: str
    applied_at: int | None


class Store(Failures, Undoing, Protocol):
    """The row database.

    Every method raises `StoreUnavailable` where the database can't be used right now. `past` knows what has left it.
    """

    past: Past | None

    @property
    def keys(self) -> KeyStore:
        """The keys of who may come in."""

    @property
    def sessions(self) -> SessionStore:
        """The browsers that have signed in."""

    @property
    def persons(self) -> PersonStore:
        """What is kept of one person, and how it is erased."""

    @property
    def alerts(self) -> AlertStore:
        """How alerts stand, and what is to be said of them."""

    async def open(self) -> None:
        """Connect; the database must have been migrated."""

    async def close(self) -> None:
        """Finish what was begun, answer it, and let go of the database. No method may be called afterwards."""

    async def ping(self) -> None:
        """Ask the database for a sign of life."""

    async def append(self, events: Sequence[Storable]) -> list[bool]:
        """Store events, all of them or none; tell for each whether it was new.

        The first event of its kind for an id wins; a later one changes nothing. What is new is queued to be labelled
        and written to the change feed in the same transaction. An early outcome waits apart from all others until its
        query is there; where that is of no store of its sender's, it is dropped.

        Raises:
            QueueFull: more events wait than may; nothing of this call was stored.
        """

    async def claim_due(self, limit: int, *, now: int, lease_ms: int, lease: str | None = None) -> list[Claim]:
        """Claim up to `limit` interactions that are due, for `lease_ms`; nobody else gets them while it lasts.

        `lease` names the claim where it has to be found again (`claims`); by default it is a new name.
        """

    async def claims(self, lease: str) -> list[Claim]:
        """Give what is held under a lease, as long as nobody else has it."""

    async def previous_turns(self, queries: Sequence[VoiceQuery], limit: int) -> dict[str, list[Interaction]]:
        """Give for each of these queries, by its id, up to `limit` interactions that came before it in its session.

        The nearest ones, oldest first, of the same store. A query without a session has none, nor has one in a session
        of so many turns that it can't be one shopper's.
        """

    async def settle(self, verdicts: Sequence[tuple[Claim, Verdict]], calls: Sequence[JudgeCall] = ()) -> int:
        """Store verdicts, remove their work, note the requests that they took; tell how many verdicts stand.

        A claim whose lease has gone to somebody else, or whose interaction got its outcome meanwhile, is dropped. A
        label that gives way stays in the history; where a person's stands, an automatic one goes into the history.
        The requests are noted in any case: they were made.
        """

    async def postpone(
        self, claim: Claim, *, error: str, due_at: int, counts: bool = True, calls: Sequence[JudgeCall] = ()
    ) -> None:
        """Give a claim back, with what went wrong; it is due again at `due_at`. `counts`: whether this was an attempt."""

    async def postpone_all(self, claims: Sequence[Claim], *, error: str, due_at: int) -> None:
        """Give claims back that nobody was asked about, with the reason; due again at `due_at`, no attempt counted."""

    async def give_up(self, claim: Claim, *, error: str, now: int, calls: Sequence[JudgeCall] = ()) -> None:
        """Move a claim to the failed ones."""

    async def leave(self, claims: Sequence[Claim]) -> None:
        """Remove the work of claims without a label."""

    async def release(self, claims: Sequence[Claim], *, now: int) -> None:
        """Give claims back untouched: due at once, and the attempt not counted."""

    async def prolong(self, claims: Sequence[Claim], *, until: int) -> None:
        """Keep others away from claims until a later moment; one whose lease is over stays with who has it now."""

    async def note_calls(self, calls: Sequence[JudgeCall]) -> None:
        """Note requests to a model that belong to no claim."""

    async def reserve(self, demand: Demand, *, now: int) -> Grant:
        """Take as much of a demand as all evaluators together may still ask; what is taken and not used is lost.

        In no minute are more than `rpm` requests granted, whoever asks, nor in a day (UTC) more than `budget_usd` dollars
        by what was expected of each; `note_calls`, `settle`, `postpone` and `give_up` put what was expected right.
        """

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        """Sum up the requests to models that began from `since` to `until`, both included."""

    async def answered_calls(self, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
        """Look at the answered ones of the same requests together, whatever the model."""

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day (UTC) has cost by now, with what is reserved."""

    async def requeue(self, choice: Choice, *, now: int) -> int:
        """Make interactions due again, as new, whatever automatic label they have; tell how many.

        One that a person has labelled is left out, as that label would stand anyhow. Claims of the others are void. In
        steps, so that ingest goes on.
        """

    async def choose(self, choice: Choice, limit: int) -> list[Interaction]:
        """Give some interactions of a choice, the same each time: those whose ids have the lowest hashes."""

    async def review(self, verdict: Verdict) -> bool:
        """Store a person's label in place of the one that stands; tell whether there is such an interaction."""

    async def lease_reviews(
        self, query_ids: Sequence[str], *, reviewer: str, limit: int, now: int, until: int
    ) -> list[str]:
        """Lease some of these to a person until a moment: the first ones that nobody else has; give them, in their order.

        Leases that are over are forgotten.
        """

    async def leased_reviews(self, *, now: int) -> dict[str, str]:
        """Give who has what: the person's name by the query's id."""

    async def save_batch(self, batch: JudgeBatch) -> None:
        """Store a batch, or what has become of it."""

    async def hold_batch(self, id: str, *, holder: str, now: int, until: int) -> bool:
        """Have a batch for oneself until a moment, or for longer; tell whether that is so, or somebody else has it.

        `until` in the past lets go of it.
        """

    async def open_batches(self) -> list[JudgeBatch]:
        """Give the batches that haven't ended, the oldest first."""

    async def failed_evaluations(self, limit: int) -> list[FailedEvaluation]:
        """List the failed ones, the latest first."""

    async def retry_failed(self, *, now: int, query_ids: Sequence[str] | None = None) -> int:
        """Make failed ones due again, all or the named; tell how many."""

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the last automatic verdict of each of these interactions, in any order, whether it stands or gave way."""

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""

    async def identity(self) -> str:
        """Give the token that tells this database from every other one."""

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point of the change feed."""

    async def feed_start(self) -> FeedPoint:
        """Give the point that a new follower starts from: nothing can come before it any more.

        What is committed by then is in every snapshot that is begun afterwards. The head may be further, where changes
        before it are just being committed.
        """

    async def knows(self, point: FeedPoint) -> bool:
        """Whether a follower that stands at this point can go on from it: it is of this feed, and nothing after it is gone."""

    async def changes(self, after: FeedPoint, limit: int) -> Changes:
        """Give what changed after a point: about `limit` ids of both kinds, whole transactions only, at least one if there is any."""

    def on_commit(self, notify: Callable[[], None]) -> None:
        """Call a function on the event loop after each commit of this process; other processes' aren't announced."""

    async def wide_rows(self, query_ids: Sequence[str]) -> list[WideRow]:
        """Give the joined rows of these interactions, in any order; an id that isn't there has no row."""

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give the stores of these interactions, as far as they are there; no file of the archive is read for it."""

    async def surroundings(self, query_ids: Sequence[str], session_ids: Sequence[str]) -> Surroundings:
        """Give what lies around these interactions and sessions; a session whose moments can't be read has no span."""

    def snapshot(self, batch: int, part: Part | None = None) -> AsyncIterator[list[WideRow]]:
        """Give all interactions, or those of a part, in batches, in the order in which they came.

        What changes meanwhile may be given old or new, or twice; read the feed from before the snapshot to be exact.
        """

    async def parts(self) -> list[Part]:
        """Divide all interactions into parts that can be streamed (`aura_analytics.store.stream`), in their order."""

    async def count(self) -> int:
        """Count the interactions."""

    async def conversion_rows(self, ids: Sequence[str]) -> list[ConversionRow]:
        """Give these conversions, in any order; an id that isn't there has no row."""

    def conversion_snapshot(self, batch: int) -> AsyncIterator[list[ConversionRow]]:
        """Give all conversions in batches, as `snapshot` does."""

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one interaction with all that belongs to it, as it was at one moment; None where the query isn't there."""

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the verdicts that stand for these interactions, in any order; one that has none yet isn't there."""

    async def save_hourly(self, rows: Sequence[HourlySums]) -> None:
        """Store sums of hours in place of those that stand, and remove those of nothing; many go in several transactions."""

    async def acknowledge(self, follower: str, point: FeedPoint, *, now: int) -> None:
        """Tell that a follower has everything up to a point, for good; what every follower has may be forgotten."""

    async def forget_follower(self, follower: str) -> None:
        """Tell that a follower won't come back, so that the feed needn't wait for it."""
