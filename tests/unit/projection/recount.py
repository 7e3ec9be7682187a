"""What the columns must say, counted again in Python, and rows to count: few stores, sessions and hours, so that they meet."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import fsum
from typing import Any

import msgspec
from hypothesis import strategies as st

from aura_analytics.projection import Buckets, Slice
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.projection.slices import ABSENT, CHOICES
from aura_analytics.projection.turns import CAUSES, REPHRASE_GAP_MS, SLOW_MS
from aura_analytics.store.port import WIDE_COLUMNS, WideRow
from unit.projection import turns_twin as twin

# Any, throughout: what a cell can be.
Cells = dict[str, Any]
Counts = dict[Any, dict[str, Any]]

FAR = 2**62
TEXTS = ("red shoes", "show me red shoes", "Red  shoes!", "oat milk", "größe 9", "赤い 靴")
INTENTS = (None, "search", "unknown", "cart")

OFFSETS = (0, 1, 60_000, HOUR_MS - REPHRASE_GAP_MS - 1, HOUR_MS - REPHRASE_GAP_MS, HOUR_MS - 1)
# Around the epoch, so that there are moments before it; hours that touch, days that touch, and one far away.
HOURS = (-49, -25, -24, -2, -1, 0, 1, 2, 22, 23, 24, 25, 700)
MOMENTS = st.builds(lambda hour, offset: hour * HOUR_MS + offset, st.sampled_from(HOURS), st.sampled_from(OFFSETS))


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([None, *values])


ASKED = st.fixed_dictionaries(
    {
        "store_id": st.sampled_from(["a", "a", "b", "c"]),
        "session_id": maybe("s", "s", "t"),
        "user_id": maybe("u", "v"),
        "created_at": MOMENTS,
        "query_text": st.sampled_from(TEXTS),
        "query_source": st.sampled_from(["voice", "text"]),
        "transcription_conf": maybe(0.5, 0.8, 1.0),
        "intent": st.sampled_from(INTENTS),
        "fast_path": st.booleans(),
    }
)
ANSWERED = st.fixed_dictionaries(
    {
        "has_outcome": st.just(value=True),
        "model_name": maybe("m", "n"),
        "latency_ms": maybe(0.0, 12.5, float(SLOW_MS), SLOW_MS + 0.5),
        "tokens_prompt": maybe(1, 2**40),
        "tokens_completion": maybe(2),
        "tokens_total": maybe(None, 7),
        "cost_usd": maybe(0.1, 0.25),
        "action_taken": maybe("cart_add", "FALLBACK"),
        "action_success": maybe(False, True, True),
        "error_flag": maybe(False, True),
    }
)
JUDGED = st.fixed_dictionaries(
    {"label": st.sampled_from(["GOOD", "BAD", "REVIEW"]), "reason": maybe("no_answer", "wrong_intent")}
)


@st.composite
def interactions(draw: st.DrawFn, most: int = 14) -> list[Cells]:
    """Interactions as they stand in the end."""
    found = []
    for n, asked in enumerate(draw(st.lists(ASKED, min_size=1, max_size=most))):
        answered = draw(ANSWERED) if draw(st.booleans()) else {}
        judged = draw(JUDGED) if draw(st.booleans()) else {}
        nothing = dict.fromkeys(WIDE_COLUMNS) | {"id": f"q{n:02}", "has_outcome": False}
        found.append(nothing | asked | answered | judged)
    return found


def before(cells: Cells) -> Cells:
    """The same interaction when it had just been asked."""
    return {name: cells[name] if name in _OF_QUERY else None for name in WIDE_COLUMNS} | {"has_outcome": False}


_OF_QUERY = frozenset(
    {"id", "store_id", "session_id", "user_id", "created_at", "query_text", "query_source", "transcription_conf"}
    | {"audio_duration_ms", "intent", "fast_path"}
)


def row(cells: Cells) -> WideRow:
    return tuple(cells[name] for name in WIDE_COLUMNS)


def interaction(id: str, **cells: Any) -> Cells:
    """An interaction without an outcome at the epoch, but for what `cells` say."""
    asked = {"id": id, "store_id": "a", "created_at": 0, "query_text": "red shoes", "query_source": "voice"}
    return dict.fromkeys(WIDE_COLUMNS) | asked | {"has_outcome": False, "fast_path": False} | cells


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Any window, and a filter or two of any kind."""
    ends = st.none() | st.builds(lambda moment, off: moment + off, MOMENTS, st.sampled_from([-1, 0, 1]))
    several = {
        "stores": ("a", "b"),
        "intents": ("search", "unknown", ABSENT),
        "models": ("m", ABSENT),
        "sources": ("voice",),
        "labels": ("GOOD", "BAD", ABSENT),
        "reasons": ("no_answer", ABSENT),
        "actions": ("cart_add", ABSENT),
    }
    kinds: dict[str, st.SearchStrategy[Any]] = {
        name: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)
        for name, values in several.items()
    }
    kinds |= {
        "user": st.just("u"),
        "session": st.just("s"),
        "text": st.sampled_from(["red", "SHOES", "靴"]),
        "latency_min": st.just(12.5),
        "latency_max": st.just(float(SLOW_MS)),
        "confidence_min": st.just(0.8),
        "confidence_max": st.just(0.8),
    }
    chosen = draw(st.lists(st.sampled_from(["stores", *kinds]), max_size=2, unique=True))
    return Slice(start=draw(ends), end=draw(ends), **{name: draw(kinds[name]) for name in chosen})


@st.composite
def steps(draw: st.DrawFn) -> Buckets | None:
    """No steps at all, or units of several lengths."""
    unit_ms = draw(st.sampled_from([None, HOUR_MS, HOUR_MS, HOUR_MS, DAY_MS, HOUR_MS // 4]))
    return None if unit_ms is None else Buckets(unit_ms=unit_ms)


def bucket_of(cells: Cells, buckets: Buckets | None) -> int:
    if buckets is None:
        return 0
    unit: int = cells["created_at"] // buckets.unit_ms
    return unit


def holds(cells: Cells, about: Slice) -> bool:
    """Whether an interaction is in a slice."""
    within = (about.start is None or cells["created_at"] >= about.start) and (
        about.end is None or cells["created_at"] <= about.end
    )
    chosen = all(
        cells[column] in getattr(about, name) or (cells[column] is None and ABSENT in getattr(about, name))
        for name, column in CHOICES.items()
        if getattr(about, name)
    )
    exact = about.user in (None, cells["user_id"]) and about.session in (None, cells["session_id"])
    said = about.text is None or about.text.lower() in cells["query_text"].lower()
    bounds = (
        (about.latency_min, about.latency_max, cells["latency_ms"]),
        (about.confidence_min, about.confidence_max, cells["transcription_conf"]),
    )
    bounded = all(
        (low is None or (value is not None and value >= low))
        and (high is None or (value is not None and value <= high))
        for low, high, value in bounds
    )
    return within and chosen and exact and said and bounded


def reasons(cells: Cells, until: int) -> dict[str, bool]:
    return {
        "error": cells["error_flag"] is True,
        "action_failed": cells["action_success"] is False,
        "bad_quality": cells["label"] == "BAD",
        "needs_review": cells["label"] == "REVIEW",
        "slow_response": cells["latency_ms"] is not None and cells["latency_ms"] > SLOW_MS,
        "no_response": not cells["has_outcome"] and cells["created_at"] <= until,
    }


def tokens(cells: Cells) -> int:
    if cells["tokens_total"] is not None:
        return int(cells["tokens_total"])
    return (cells["tokens_prompt"] or 0) + (cells["tokens_completion"] or 0)


def total(rows: Iterable[Cells], column: str) -> float:
    return fsum(cells[column] for cells in rows if cells[column] is not None)


class Turns:
    """All interactions as turns of their sessions."""

    def __init__(self, rows: Sequence[Cells], until: int) -> None:
        self.said: dict[str, dict[str, Any]] = {}
        following: dict[tuple[str, str], list[Cells]] = defaultdict(list)
        for cells in sorted(rows, key=lambda cells: (cells["created_at"], cells["id"]), reverse=True):
            then: Cells | None = None
            if cells["session_id"] is not None:
                session = following[cells["store_id"], cells["session_id"]]
                then = session[-1] if session else None
                session.append(cells)
            self.said[cells["id"]] = _turn(cells, then, until)


def _turn(cells: Cells, then: Cells | None, until: int) -> dict[str, Any]:
    following = then or dict.fromkeys(WIDE_COLUMNS)
    of_twin = {name: cells[name] for name in twin.Turn.__struct_fields__ if name in cells}
    turn = twin.Turn(
        **of_twin,
        next_text=following["query_text"],
        next_intent=following["intent"],
        next_at=following["created_at"],
    )
    rephrased, repeated = twin.is_rephrased(turn), twin.is_repeated(turn)
    missed = any(reasons(cells, until).values()) or rephrased
    names = {"next_id": "id", "next_at": "created_at", "next_text": "query_text", "next_intent": "intent"}
    return {"rephrased": rephrased, "repeated": repeated, "cause": twin.cause(turn) if missed else None} | {
        name: following[column] if rephrased or repeated else None for name, column in names.items()
    }


def measured(rows: Sequence[Cells], said: Turns, until: int) -> dict[str, Any]:
    """All measures of some interactions."""
    why = [reasons(cells, until) for cells in rows]
    turns = [said.said[cells["id"]] for cells in rows]
    return {
        "queries": len(rows),
        "successes": sum(cells["action_success"] is True for cells in rows),
        "failures": sum(cells["action_success"] is False or cells["error_flag"] is True for cells in rows),
        "unanswered": sum(any(fits for name, fits in one.items() if name != "slow_response") for one in why),
        "slow": sum(one["slow_response"] for one in why),
        "answered": sum(cells["has_outcome"] for cells in rows),
        "latency_sum": total(rows, "latency_ms"),
        "latency_count": sum(cells["latency_ms"] is not None for cells in rows),
        "cost": total(rows, "cost_usd"),
        "tokens": sum(map(tokens, rows)),
        "tokens_prompt": sum(cells["tokens_prompt"] or 0 for cells in rows),
        "tokens_completion": sum(cells["tokens_completion"] or 0 for cells in rows),
        "good": sum(cells["label"] == "GOOD" for cells in rows),
        "review": sum(cells["label"] == "REVIEW" for cells in rows),
        "bad": sum(cells["label"] == "BAD" for cells in rows),
        "fast_path": sum(cells["fast_path"] for cells in rows),
        "confidence_sum": total(rows, "transcription_conf"),
        "confidence_count": sum(cells["transcription_conf"] is not None for cells in rows),
        "rephrased": sum(turn["rephrased"] for turn in turns),
        "repeated": sum(turn["repeated"] for turn in turns),
        "broken": sum(turn["cause"] is not None for turn in turns),
        "sessions": len({cells["session_id"] for cells in rows} - {None}),
    } | {cause: sum(turn["cause"] == cause for turn in turns) for cause in CAUSES}


def texts(rows: Sequence[Cells], until: int) -> Counts:
    """What was said, with its counts."""
    found: Counts = {}
    for key, said in grouped(rows, lambda cells: (cells["query_text"], cells["intent"])).items():
        why = [reasons(cells, until) for cells in said]
        missed = [cells["created_at"] for cells, one in zip(said, why, strict=True) if any(one.values())]
        found[key] = {
            "queries": len(said),
            "successes": sum(cells["action_success"] is True for cells in said),
            "latency_sum": total(said, "latency_ms"),
            "latency_count": sum(cells["latency_ms"] is not None for cells in said),
            "missed": len(missed),
            "last_missed": max(missed, default=None),
        } | {f"for_{reason}": sum(one[reason] for one in why) for reason in why[0]}
    return found


def grouped(rows: Iterable[Cells], key: Any) -> dict[Any, list[Cells]]:
    found: dict[Any, list[Cells]] = defaultdict(list)
    for cells in rows:
        found[key(cells)].append(cells)
    return dict(found)


class Change(msgspec.Struct, frozen=True):
    """What one change of the feed brings: interactions as they are now, and ids that are gone."""

    rows: list[Cells]
    gone: list[str] = msgspec.field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [*(cells["id"] for cells in self.rows), *self.gone]


@st.composite
def histories(draw: st.DrawFn, most: int = 14) -> list[Change]:
    """Changes in which interactions come, are answered and judged later, come again, and some go."""
    whole = draw(interactions(most))
    happening: list[tuple[int, str, Cells | None]] = []
    parts = st.integers(0, 3)
    for cells in whole:
        came = draw(parts)
        happening.append((came, cells["id"], before(cells) if draw(st.booleans()) else cells))
        happening.append((max(came, draw(parts)), cells["id"], cells))
        if draw(st.integers(0, 9)) == 0:
            happening.append((3, cells["id"], None))
    changes = []
    for part in range(4):
        last = {id: cells for at, id, cells in happening if at == part}
        changes.append(
            Change([cells for cells in last.values() if cells], [id for id, cells in last.items() if not cells])
        )
    return changes


def after(changes: Iterable[Change]) -> list[Cells]:
    """What there is after some changes."""
    held: dict[str, Cells] = {}
    for change in changes:
        held |= {cells["id"]: cells for cells in change.rows}
        for id in change.gone:
            held.pop(id, None)
    return list(held.values())
