"""Events for tests: whole ones out of what a test is about, and a clock that stands until it is turned."""

import json
from collections.abc import Iterable
from typing import Any

from aura_analytics.events.records import JudgeCall, Label, Verdict, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store.port import CONVERSION_COLUMNS, WIDE_COLUMNS, Claim, ConversionRow, WideRow

NOW = 1_760_000_000_000
GRACE_MS = 120_000
LEASE_MS = 60_000
# Past every grace time and lease, by the tests' clock as by the real one.
LATER = 4_000_000_000_000
# What a wide row holds of a verdict: its other numbers are named as those of an outcome are.
OF_A_VERDICT = ("label", "reason", "confidence", "evaluated_at", "evaluated_by")


class Watch:
    """A clock that stands until it is turned."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        """Give the moment that it shows."""
        return self.now


def query(id: str, **fields: Any) -> VoiceQuery:
    """A query, asked and received now unless `fields` say something else."""
    whole = {"store_id": "shop", "created_at": NOW, "received_at": NOW, "query_text": "red apples", **fields}
    return VoiceQuery(id=id, **whole)


def outcome(query_id: str, **fields: Any) -> VoiceOutcome:
    """An outcome, received now unless `fields` say something else."""
    return VoiceOutcome(query_id=query_id, **{"occurred_at": NOW, "received_at": NOW, **fields})


def conversion(id: str, **fields: Any) -> VoiceConversion:
    """A conversion of the query `a`, received now unless `fields` say something else."""
    return VoiceConversion(id=id, **{"query_id": "a", "occurred_at": NOW, "received_at": NOW, **fields})


def conversion_row(conversion: VoiceConversion) -> ConversionRow:
    """The row of a conversion as the columns hold it."""
    return tuple(getattr(conversion, name) for name in CONVERSION_COLUMNS)


def verdict(query_id: str, label: Label = "GOOD", **fields: Any) -> Verdict:
    """A verdict of a rule, unless `fields` say something else."""
    whole = {"reason": f"is_{label.lower()}", "confidence": 0.75, "evaluated_at": NOW, **fields}
    return Verdict(query_id=query_id, label=label, **whole)


def verdicts(claims: Iterable[Claim], label: Label = "GOOD", **fields: Any) -> list[tuple[Claim, Verdict]]:
    """The same verdict for each of some claims."""
    return [(claim, verdict(claim.query_id, label, **fields)) for claim in claims]


def wide(query: VoiceQuery, outcome: VoiceOutcome | None = None, verdict: Verdict | None = None) -> dict[str, Any]:
    """What a wide row must hold, by the names of its columns."""
    row = {name: getattr(query, name, None) for name in WIDE_COLUMNS} | {"has_outcome": outcome is not None}
    if outcome is not None:
        row |= {name: getattr(outcome, name) for name in WIDE_COLUMNS if hasattr(outcome, name)}
    if verdict is not None:
        row |= {name: getattr(verdict, name) for name in OF_A_VERDICT}
    return row


def named(row: WideRow) -> dict[str, Any]:
    """A wide row by the names of its columns, its JSON read."""
    cells = dict(zip(WIDE_COLUMNS, row, strict=True))
    if cells["tool_calls"] is not None:
        cells["tool_calls"] = json.loads(cells["tool_calls"])
    return cells


def by_id(rows: Iterable[WideRow]) -> dict[str, dict[str, Any]]:
    """Wide rows by their ids, each by the names of its columns; no id may come twice."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        cells = named(row)
        assert cells["id"] not in found
        found[cells["id"]] = cells
    return found


def call(query_id: str = "a", **fields: Any) -> JudgeCall:
    """A request to a model about an interaction, made and answered now unless `fields` say something else."""
    whole = {
        "store_id": "shop",
        "called_at": NOW,
        "model": "google:tiny",
        "rubric": "default:1f",
        "outcome": "answered",
        "duration_ms": 500.0,
        **fields,
    }
    return JudgeCall(query_id=query_id, **whole)
