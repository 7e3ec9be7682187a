"""A question to the columns: SQL over relations, and what it is about, so that each relation is read the shortest way."""

from typing import Any

import msgspec

from aura_analytics.projection.slices import Slice


class Buckets(msgspec.Struct, frozen=True, kw_only=True):
    """How moments fall into the buckets of a series: by units of this length since the epoch, each by its number."""

    unit_ms: int


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """SQL, and what its relations are about.

    The SQL may name: `{rows}`, the interactions of the slice; `{turns}`, the same with `rephrased`, `repeated`, `cause`
    and, where the wish was said again, `next_…`; `{cells}`, the chosen `measures` of the slice by `bucket` and, where one
    is asked for, by the column `split`; `{texts}`, what was said with its counts; `{latencies}`, how many answers took how
    long, by `bucket` and `split`. Each relation gives the same however it is read, in no order, and maybe in several rows
    that add up. The measure `sessions` doesn't add up: it may be asked for only where each bucket is one hour.

    Any: what a cell of a database can be.
    """

    sql: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    about: Slice = msgspec.field(default_factory=Slice)
    answered_until: int = 2**62
    measures: tuple[str, ...] = ()
    split: str | None = None
    buckets: Buckets | None = None
