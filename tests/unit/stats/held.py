"""Columns in memory that are filled by hand, their cubes settled or not; and what a plain count in Python needs."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

from hypothesis import strategies as st

from aura_analytics.projection import Question
from aura_analytics.projection.columns import ColumnFile
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.projection.slices import ABSENT, BOUNDS, CHOICES, EXACT, Slice
from aura_analytics.projection.turns import REPHRASE_GAP_MS
from aura_analytics.projection.unsettled import Ready
from aura_analytics.store.port import WIDE_COLUMNS, ConversionRow, FeedPoint
from contract.making import GRACE_MS, NOW
from unit.projection import turns_twin as twin

# A row by the names of its columns. Any: what a cell can be.
Row = dict[str, Any]
Settled = Literal["nothing", "every second", "everything"]

SETTLED: tuple[Settled, ...] = ("nothing", "every second", "everything")


class Held:
    """Columns that answer questions as a reader does, at a moment that stands still. Use it in a `with`."""

    now = NOW
    answered_until = NOW - GRACE_MS

    def __init__(self, attribution_ms: int = DAY_MS) -> None:
        self.columns = ColumnFile(None, memory_mb=256, threads=1, attribution_ms=attribution_ms)
        self._position = 0

    def __enter__(self) -> Self:
        self.columns.open()
        self.columns.begin("identity", "follower", self._point())
        return self

    def __exit__(self, *_: object) -> None:
        self.columns.close()

    def fill(self, rows: Iterable[Row], conversions: Sequence[ConversionRow] = ()) -> Self:
        """Fill them, as a rebuild does."""
        self.columns.fill([cells(row) for row in rows])
        if conversions:
            self.columns.fill_conversions(conversions)
        self.columns.complete()
        return self

    def apply(self, rows: Sequence[Row], conversions: Sequence[ConversionRow] = ()) -> None:
        """Take in changes, as the feed brings them."""
        self._position += 1
        self.columns.apply([row["id"] for row in rows], [cells(row) for row in rows], self._point(), conversions)

    def settle(self, settled: Settled) -> Self:
        """Compute cubes anew."""
        generation = self.columns.generation
        hours, days = self.columns.stale(generation)
        step = {"nothing": None, "every second": 2, "everything": 1}[settled]
        if step:
            for hour in hours[::step]:
                self.columns.settle(generation, Ready(hours=(hour, hour)))
            for day in days[::step]:
                self.columns.settle(generation, Ready(day=day))
        return self

    async def ask(self, question: Question) -> list[Any]:
        """Answer a question."""
        return self.columns.ask(self.columns.generation, question)

    def _point(self) -> FeedPoint:
        return FeedPoint(position=self._position, moment=0)


def cells(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in WIDE_COLUMNS)


# Interactions that meet often: in a session, at the edges of an hour and of the time in which a turn is rephrased.

HOUR = NOW // HOUR_MS * HOUR_MS
EDGES = (HOUR, HOUR - HOUR_MS, HOUR - 30 * HOUR_MS, NOW - GRACE_MS)
MOMENTS = sorted({edge + near for edge in EDGES for near in (-REPHRASE_GAP_MS - 1, -REPHRASE_GAP_MS, -1, 0, 1)})
TEXTS = [
    "red shoes",
    "Red shoes!",
    "show me red sneakers",
    "red shoes please",
    "blue shoes",
    "where is my order",
    "?!",
    "",
]

_flag = st.sampled_from([None, True, False])
_asked = st.fixed_dictionaries(
    {
        "store_id": st.sampled_from(["a", "a", "b"]),
        "session_id": st.sampled_from([None, "s", "s", "t"]),
        "user_id": st.sampled_from([None, "u"]),
        "created_at": st.sampled_from(MOMENTS),
        "query_text": st.sampled_from(TEXTS),
        "query_source": st.sampled_from(["voice", "text"]),
        "transcription_conf": st.sampled_from([None, 0.5, 0.79, 0.8, 1.0]),
        "intent": st.sampled_from([None, "find", "find", "unknown", "order"]),
        "fast_path": st.booleans(),
    }
)
_done = st.fixed_dictionaries(
    {
        "has_outcome": st.just(True),
        "answer_text": st.sampled_from([None, "Aisle 3."]),
        "model_name": st.sampled_from([None, "m"]),
        "latency_ms": st.sampled_from([None, 0.0, 0.1, 8_000.0, 8_000.5]),
        "tokens_prompt": st.sampled_from([None, 3]),
        "tokens_total": st.sampled_from([None, 11]),
        "cost_usd": st.sampled_from([None, 0.0, 0.1, 0.2]),
        "action_taken": st.sampled_from([None, "FALLBACK", "CART_ADD"]),
        "action_success": _flag,
        "error_flag": _flag,
        "tool_calls": st.sampled_from([None, '["search"]', '{"name":"x"}', "no JSON"]),
    }
)
_labelled = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["GOOD", "REVIEW", "BAD"]),
        "reason": st.sampled_from(["action_failed", "wrong_intent", "no_answer", "is_good"]),
        "confidence": st.sampled_from([0.5, 0.9]),
        "evaluated_at": st.just(NOW),
        "evaluated_by": st.just("auto"),
    }
)
_nothing = st.just({"has_outcome": False})


@st.composite
def histories(draw: st.DrawFn, most: int = 25) -> list[Row]:
    """Some interactions."""
    parts = draw(st.lists(st.tuples(_asked, _nothing | _done, st.just({}) | _labelled), max_size=most))
    return [{"id": f"q{n:02}", **asked, **done, **label} for n, (asked, done, label) in enumerate(parts)]


windows = st.tuples(st.none() | st.sampled_from(MOMENTS), st.none() | st.sampled_from(MOMENTS)).map(
    lambda ends: sorted(ends) if None not in ends else ends  # type: ignore[type-var]  # neither is None there
)
filters: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"stores": ("a",)},
        {"stores": ("a", "b"), "text": "SHOES"},
        {"intents": ("find", ABSENT)},
        {"labels": (ABSENT,)},
        {"models": ("m",), "confidence_min": 0.79},
        {"session": "s", "latency_max": 8_000.0},
        {"user": "u", "actions": ("CART_ADD", "FALLBACK")},
        {"text": "red"},
    ]
)


# The plain count.


def within(row: Row, about: Slice) -> bool:
    """Whether an interaction is of a slice."""
    if (about.start is not None and row["created_at"] < about.start) or (
        about.end is not None and row["created_at"] > about.end
    ):
        return False
    return all(_passes(row, name, getattr(about, name)) for name in about.filters)


def _passes(row: Row, name: str, asked: Any) -> bool:  # Any: a filter's own type
    if name == "text":
        return bool(asked.lower() in row["query_text"].lower())
    if name in EXACT:
        return bool(row.get(EXACT[name]) == asked)
    if name in BOUNDS:
        column, comparison = BOUNDS[name].split()
        value = row.get(column)
        return value is not None and bool(value >= asked if comparison == ">=" else value <= asked)
    value = row.get(CHOICES[name])
    return bool(value in asked or (value is None and ABSENT in asked))


def reasons(row: Row, answered_until: int = NOW - GRACE_MS) -> list[str]:
    """Why an interaction counts as unanswered."""
    found = {
        "error": row.get("error_flag") is True,
        "action_failed": row.get("action_success") is False,
        "bad_quality": row.get("label") == "BAD",
        "needs_review": row.get("label") == "REVIEW",
        "slow_response": (row.get("latency_ms") or 0) > 8_000,
        "no_response": not row["has_outcome"] and row["created_at"] <= answered_until,
    }
    return [reason for reason, holds in found.items() if holds]


def turns(rows: Iterable[Row]) -> list[Row]:
    """The interactions with what was said next, whether it was said again, and where it broke."""
    by_session: dict[tuple[str, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        by_session[row["store_id"], row["session_id"]].append(row)
    found = []
    for said in by_session.values():
        said.sort(key=lambda row: (row["created_at"], row["id"]))
        found += [_turn(row, then) for row, then in zip(said, [*said[1:], None], strict=True)]
    return found


def _turn(row: Row, then: Row | None) -> Row:
    if row["session_id"] is None:
        then = None
    known = {name: row[name] for name in twin.Turn.__struct_fields__ if name in row}
    after: dict[str, Any] = {
        "next_text": then["query_text"] if then else None,
        "next_intent": then["intent"] if then else None,
        "next_at": then["created_at"] if then else None,
    }
    turn = twin.Turn(**known, **after)
    rephrased = twin.is_rephrased(turn)
    return {
        **row,
        **after,
        "next_id": then["id"] if then else None,
        "rephrased": rephrased,
        "repeated": twin.is_repeated(turn),
        "cause": twin.cause(turn) if reasons(row) or rephrased else None,
    }
