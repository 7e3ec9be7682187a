"""What Schemathesis is told beside the OpenAPI document: forms it doesn't know, and what a document can't say.

OpenAPI has no words for what parameters mean to each other. A generated request that is meant to be right is made so
here; one that is meant to be wrong stays as it is. Each answer is counted, for `described.py` to tell.
"""

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import RejectedPositiveData

from aura_analytics.errors import ParameterError
from aura_analytics.stats.interactions import Cursor
from aura_analytics.stats.scope import moment

LINES = "application/x-ndjson"
TAIL = "/logs/tail"
# What a refusal of a right request says where it is about several parameters together, or about what is kept.
TOGETHER = ("steps", "of a page in another order")

schemathesis.openapi.format("time-zone", st.sampled_from(sorted(available_timezones())))
schemathesis.openapi.format("json-array", st.lists(st.text()).map(json.dumps))
schemathesis.openapi.format(
    "interactions-cursor",
    st.builds(
        Cursor,
        sort=st.just("created_at"),
        order=st.just("desc"),
        value=st.integers(0, 2**53).map(str),
        created_at=st.integers(0, 2**53),
        id=st.text(min_size=1),
    ).map(str),
)


@schemathesis.serializer(LINES)
def write_lines(_context: Any, value: Any) -> Any:
    """Write a body of one value a line."""
    values = value if isinstance(value, list) else [value]
    return b"".join(json.dumps(one).encode() + b"\n" for one in values)


@schemathesis.deserializer(LINES)
def read_lines(_context: Any, response: Any) -> Any:
    """Read an answer of one value a line."""
    return [json.loads(line) for line in response.content.splitlines() if line]


@schemathesis.hook
def map_case(_context: Any, case: Any) -> Any:
    """Make a right request right as a whole, and have every stream end."""
    if case.operation.path == TAIL and case.operation.method == "get":
        case.query = {**(case.query or {}), "follow": "false"}
    if case.query and case.meta is not None and case.meta.generation.mode.is_positive:
        case.query = together(dict(case.query))
    return case


def together(query: dict[str, Any]) -> dict[str, Any]:
    """Leave out the parameters that don't go with others."""
    if "compare" in query:  # it needs a window that has begun
        query.pop("from", None)
        query.pop("to", None)
        if query.get("period") in ("all", ""):
            del query["period"]
    if "from" in query or "to" in query:
        query.pop("period", None)
    if "cursor" in query:  # it is of a page in the usual order
        query.pop("sort", None)
        query.pop("order", None)
    for low, high in (("from", "to"), ("latency_min", "latency_max"), ("confidence_min", "confidence_max")):
        if low in query and high in query and _value(low, query[low]) > _value(high, query[high]):
            del query[high]
    return query


def _value(name: str, given: Any) -> float:
    text = str(given[-1] if isinstance(given, list) else given)
    try:
        return moment(name, text) if name in ("from", "to") else float(text)
    except (ParameterError, ValueError):
        return 0.0


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, _case: Any, response: Any) -> bool:
    """Pass over the refusal of a right request where it was about several parameters together."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    detail = response.json().get("detail", "") if response.content else ""
    return not any(words in detail for words in TOGETHER)


class Tally:
    """Counts answers, and knows the slowest."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.slowest: list[tuple[float, str, str]] = []

    def note(self, operation: str, status: int, seconds: float, url: str) -> None:
        """Take in an answer."""
        self.statuses[str(status)] += 1
        self.operations[operation] += 1
        self.slowest = sorted([*self.slowest, (round(seconds, 3), operation, url)], reverse=True)[:20]

    def write(self, path: str) -> None:
        """Put down what was counted."""
        told = {"statuses": self.statuses, "operations": self.operations, "slowest": self.slowest}
        Path(path).write_text(json.dumps(told), "utf-8")


TALLY = Tally()


@schemathesis.hook
def after_call(_context: Any, case: Any, response: Any) -> None:
    """Count an answer."""
    TALLY.note(case.operation.label, response.status_code, response.elapsed, str(response.request.url))


if told := os.environ.get("DESCRIBED_TALLY"):
    atexit.register(TALLY.write, told)
