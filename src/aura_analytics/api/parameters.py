"""The parameters of query strings and paths: what each takes, as its reader holds it to, and what it is for.

A parameter arrives as a text and is read by the room that knows its meaning, which says in words what would do. What the
OpenAPI document says of it is its schema here, made of the same bounds and choices as the reader's.
"""

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import WithJsonSchema

from aura_analytics.stats import scope as scopes
from aura_analytics.stats.groups import MOST_TOP, SPLITS
from aura_analytics.stats.latency import MOST_BARS
from aura_analytics.stats.metrics import METRICS
from aura_analytics.stats.steps import STEPS

# An instant where epoch milliseconds end that a reader takes.
MOST_DIGITS = 15


def whole(least: int, most: int) -> WithJsonSchema:
    """Describe a whole number, both ends included."""
    return WithJsonSchema({"type": "integer", "minimum": least, "maximum": most})


def number(least: float, most: float) -> WithJsonSchema:
    """Describe a number, both ends included."""
    return WithJsonSchema({"type": "number", "minimum": least, "maximum": most})


def choice(*names: str) -> WithJsonSchema:
    """Describe a choice."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


def matching(pattern: str, **more: Any) -> WithJsonSchema:
    """Describe a text by a pattern of ECMA 262; Any: JSON Schema's own keywords."""
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


def several(schema: dict[str, Any]) -> WithJsonSchema:
    """Describe a parameter that may be given several times by what each takes; Any: a JSON schema."""
    return WithJsonSchema({"type": "array", "items": schema})


def joined(names: Iterable[str]) -> dict[str, Any]:
    """Describe one of some names, or several with commas between. Any: a JSON schema."""
    one = f"({'|'.join(names)})"
    return {"type": "string", "pattern": f"^{one}(,{one})*$"}


# A text with something in it.
FILLED: dict[str, Any] = {"type": "string", "minLength": 1}  # Any: a JSON schema
ANY_TEXT = WithJsonSchema({"type": "string"})
TEXT = WithJsonSchema(FILLED)
TEXTS = several(FILLED)
MOMENT = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "integer", "minimum": 0, "maximum": 10**MOST_DIGITS - 1},
        ]
    }
)
PERIOD = matching("^(all|[1-9][0-9]{0,8}[mhd])?$", examples=["24h"])
# The names are those of the system's time zone database.
ZONE = WithJsonSchema({"type": "string", "format": "time-zone", "examples": ["Europe/Berlin"]})
LATENCY = number(0, scopes.LONGEST_LATENCY_MS)
SHARE = number(0, 1)

Identifier = Annotated[str, Path(description="An id; what isn't a letter or a digit in it is percent-encoded."), TEXT]
Limit = Annotated[str | None, Query(description="1 to 100,000."), whole(1, scopes.MOST_ROWS)]
Normalize = Annotated[bool, Query(description="All spellings of a text as one: case, punctuation, width.")]
Zone = Annotated[str | None, Query(description="A time zone, such as `Europe/Berlin`; default `UTC`."), ZONE]
Step = Annotated[
    str | None,
    Query(description="`minute`, `hour`, `day`, `week` or `month`; empty is the default."),
    choice(*STEPS, ""),
]
Compare = Annotated[
    str | None, Query(description="`previous`: beside the window of equal length right before."), choice("previous")
]
Bars = Annotated[
    str | None, Query(description="A histogram of so many bars of equal width, 1 to 1,000."), whole(1, MOST_BARS)
]
Metrics = Annotated[
    list[str] | None, Query(description="What to show; may be given several times."), several(joined(METRICS))
]
Split = Annotated[
    str | None,
    Query(description="`store`, `intent`, `model`, `source`, `label` or `action`."),
    choice(*SPLITS),
]
Top = Annotated[
    str | None,
    Query(description="How many groups have a series of their own, 1 to 50; default 5."),
    whole(1, MOST_TOP),
]
Moment = Annotated[str | None, Query(description="ISO 8601 or epoch ms, included."), MOMENT]
