"""Where interactions broke: heard, understood, done, in time, answered at all, answered well."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from aura_analytics.projection import Question
from aura_analytics.projection.measures import merged
from aura_analytics.projection.turns import CAUSES
from aura_analytics.stats.groups import COLUMNS, Split
from aura_analytics.stats.newest import newest
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import StepName, Steps, divided

MEASURES = ("queries", "broken", *CAUSES)
_SUMS = ", ".join(f"{merged(measure)} AS {measure}" for measure in MEASURES)

# How many interactions broke, and where.
TOTAL = f"SELECT {_SUMS} FROM {{cells}}"
# The same by what a column says, where most broke first.
BY_COLUMN = f"""
SELECT {{column}}, {_SUMS} FROM {{cells}} GROUP BY {{column}}
ORDER BY broken DESC, {{column}} NULLS FIRST LIMIT $limit
"""
# The same by the units of a series' steps.
BY_BUCKET = f"SELECT bucket, {_SUMS} FROM {{cells}} GROUP BY bucket ORDER BY bucket"
# From when to when there is anything.
EXTENT = "SELECT min(created_at), max(created_at) FROM {rows}"
# The newest interactions that broke, a few of each cause; chosen by their moments, and only then read whole.
EXAMPLES = """
WITH chosen AS MATERIALIZED (
    SELECT cause, one.moment AS moment, one.id AS id FROM (
        SELECT cause, unnest(max({'moment': created_at, 'id': id}, {limit})) AS one
        FROM {turns} WHERE cause IS NOT NULL GROUP BY cause
    )
)
SELECT cause, i.id, store_id, session_id, created_at, query_text, intent, answer_text, transcription_conf, latency_ms,
       action_taken, action_success, error_flag, label, reason
FROM {rows} AS i JOIN chosen ON created_at = moment AND i.id = chosen.id
ORDER BY created_at DESC, i.id DESC
"""


class Broken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many of some queries broke, and where: each has one cause, so that the causes add up."""

    queries: int
    broken: int
    heard_wrong: int
    understood_wrong: int
    did_wrong: int
    too_slow: int
    no_answer: int
    answered_badly: int


class Part(Broken, frozen=True, kw_only=True, rename="camel"):
    """The same for those that have something in common; `value` is what, None where they lack it."""

    value: str | None


class Step(Broken, frozen=True, kw_only=True, rename="camel"):
    """The same for a step of time, by its start."""

    start: str


class Share(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One cause: how often, its share of all that broke, and of all queries; both 0…1."""

    cause: str
    count: int
    share: float
    rate: float


class Example(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An interaction that broke."""

    cause: str
    id: str
    store_id: str
    session_id: str | None
    created_at: int
    query_text: str
    intent: str | None
    answer_text: str | None
    transcription_confidence: float | None
    latency_ms: float | None
    action_taken: str | None
    action_success: bool | None
    error_flag: bool | None
    label: str | None
    reason: str | None


class Causes(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where interactions broke. `causes` are in the order in which an utterance goes through an assistant."""

    store_id: str
    period: str
    queries: int
    broken: int
    rate: float
    causes: list[Share]
    split: Split | None
    parts: list[Part]
    steps: list[Step]
    examples: list[Example]

    @property
    def table(self) -> tuple[Sequence[msgspec.Struct], type[msgspec.Struct]]:
        """The rows that the answer is as a table, and their kind: those that were asked for besides the causes."""
        if self.steps:
            return self.steps, Step
        return (self.parts, Part) if self.split else (self.causes, Share)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is told besides the causes: by what they are told apart, over which steps, and how many examples of each."""

    split: Split | None = None
    limit: int = 20
    step: StepName | None = None
    zone: ZoneInfo = ZoneInfo("UTC")
    examples: int = 3


async def causes(reader: Reader, scope: Scope, asked: Asked) -> Causes:
    """Tell where interactions broke."""
    steps, sums = await _steps(reader, scope, asked.step, asked.zone) if asked.step else ([], None)
    if sums is None:
        [sums] = await reader.ask(_question(TOTAL, reader, scope))
    total = Broken(**dict(zip(MEASURES, sums, strict=True)))
    return Causes(
        store_id=scope.store_id,
        period=scope.period,
        queries=total.queries,
        broken=total.broken,
        rate=total.broken / total.queries if total.queries else 0.0,
        causes=[_share(cause, total) for cause in CAUSES],
        split=asked.split,
        parts=await _parts(reader, scope, asked.split, asked.limit) if asked.split else [],
        steps=steps,
        examples=await _examples(reader, scope, total, asked.examples) if asked.examples and total.broken else [],
    )


def _share(cause: str, total: Broken) -> Share:
    count = getattr(total, cause)
    return Share(
        cause=cause,
        count=count,
        share=count / total.broken if total.broken else 0.0,
        rate=count / total.queries if total.queries else 0.0,
    )


async def _parts(reader: Reader, scope: Scope, split: Split, limit: int) -> list[Part]:
    column = COLUMNS[split]
    question = msgspec.structs.replace(
        _question(BY_COLUMN.replace("{column}", column), reader, scope), split=column, parameters={"limit": limit}
    )
    return [Part(value=value, **dict(zip(MEASURES, sums, strict=True))) for value, *sums in await reader.ask(question)]


async def _steps(
    reader: Reader, scope: Scope, step: StepName, zone: ZoneInfo
) -> tuple[list[Step], Sequence[int] | None]:
    """Tell the same of each step of the window, those without anything too; and of all of it, where that was added up."""
    [(first, last)] = await reader.ask(_question(EXTENT, reader, scope))
    low = first if scope.start is None else scope.start
    if low is None:
        return [], None
    high = max(last or 0, reader.now) if scope.end is None else scope.end
    steps = divided(step, zone, low, high)
    if not steps.starts:
        return [], None
    question = msgspec.structs.replace(_question(BY_BUCKET, reader, scope), buckets=steps.buckets)
    rows = await reader.ask(question)
    told = [
        Step(start=label, **dict(zip(MEASURES, found, strict=True)))
        for label, found in zip(steps.labels, _by_step(steps, rows), strict=True)
    ]
    return told, [sum(column) for column in zip(*rows, strict=True)][1:] if rows else [0] * len(MEASURES)


def _by_step(steps: Steps, rows: list[Any]) -> list[list[int]]:
    """Add up the units of each step; what lies before the first, where no calendar reaches, is left out."""
    sums = [[0] * len(MEASURES) for _ in steps.starts]
    unit_ms = steps.buckets.unit_ms
    for bucket, *found in rows:
        place = bisect_right(steps.starts, bucket * unit_ms) - 1
        if place >= 0:
            sums[place] = [one + other for one, other in zip(sums[place], found, strict=True)]
    return sums


async def _examples(reader: Reader, scope: Scope, total: Broken, limit: int) -> list[Example]:
    """List the newest of each cause, newest first."""
    wanted = {cause: min(limit, getattr(total, cause)) for cause in CAUSES}

    def enough(rows: list[Any]) -> bool:  # Any: what a cell can be
        found = Counter(row[0] for row in rows)
        return all(found[cause] >= number for cause, number in wanted.items())

    question = _question(EXAMPLES.replace("{limit}", str(limit)), reader, scope)
    names = Example.__struct_fields__
    return [Example(**dict(zip(names, row, strict=True))) for row in await newest(reader, question, enough)]


def _question(sql: str, reader: Reader, scope: Scope) -> Question:
    return Question(sql=sql, about=scope, answered_until=reader.answered_until, measures=MEASURES)
