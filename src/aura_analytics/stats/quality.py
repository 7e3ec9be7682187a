"""How good the answers were: the labels, why they were given and by whom, and how they came about over time."""

from zoneinfo import ZoneInfo

import msgspec

from aura_analytics.projection import Question
from aura_analytics.stats.metrics import METRICS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import StepName
from aura_analytics.stats.summary import Labels
from aura_analytics.stats.timeseries import Asked, Point, timeseries

# The labels of a window with their reasons, and who gave them; what isn't labelled as well.
REASONS = """
SELECT label, reason, evaluated_by, count(*) FROM {rows}
GROUP BY label, reason, evaluated_by
ORDER BY count(*) DESC, label, reason NULLS FIRST, evaluated_by NULLS FIRST
"""
OVER_TIME = tuple(METRICS[name] for name in ("queries", "good", "review", "bad", "quality"))


class Reason(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How many labels were given for one reason. `evaluated_by` is `auto` or `human`; `share` is that of all labels."""

    label: str
    reason: str | None
    evaluated_by: str | None
    count: int
    share: float


class Quality(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The labels of a window. `quality` is the share of GOOD among what is labelled; None where nothing is.

    The points of `series` hold `at`, `queries`, `good`, `review`, `bad` and `quality` of a step.
    """

    store_id: str
    period: str
    labels: Labels
    quality: float | None
    reasons: list[Reason]
    step: StepName
    tz: str
    series: list[Point]


async def quality(reader: Reader, scope: Scope, step: StepName, zone: ZoneInfo) -> Quality:
    """Count the labels by reason, and by step."""
    asked = Asked(metrics=OVER_TIME, step=step, zone=zone)
    over_time = await timeseries(reader, scope, asked)
    rows = await reader.ask(Question(sql=REASONS, about=scope))
    totals = {label: sum(count for of, _, _, count in rows if of == label) for label in ("GOOD", "REVIEW", "BAD", None)}
    unlabelled = totals.pop(None)
    labelled = sum(totals.values())
    return Quality(
        store_id=scope.store_id,
        period=scope.period,
        labels=Labels(good=totals["GOOD"], review=totals["REVIEW"], bad=totals["BAD"], unlabelled=unlabelled),
        quality=totals["GOOD"] / labelled if labelled else None,
        reasons=[
            Reason(label=label, reason=reason, evaluated_by=by, count=count, share=count / labelled)
            for label, reason, by, count in rows
            if label in totals
        ],
        step=step,
        tz=zone.key,
        series=over_time.series[0].points,
    )
