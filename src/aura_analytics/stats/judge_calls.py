"""What the judge cost: its requests, how many failed and how, tokens, dollars, durations; and what waits for it."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.stats.metrics import COST_DIGITS
from aura_analytics.stats.scope import Scope
from aura_analytics.store.judging import AnsweredCalls, CallSums
from aura_analytics.store.port import LAST_ROW, QueueDepth

DAY_MS = 86_400_000


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """How long requests took that were answered, but for those of batches, in ms; percentiles are observed durations."""

    p50: float
    p95: float
    p99: float
    mean: float


class Spending(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What some requests came to.

    `failures` counts those that weren't answered by what became of them. `cost_usd` is that of the requests whose price is
    known, None where it is of none; `unpriced_calls` are the others. `cost_per_label_usd`: what all of them cost, failed ones
    too, for each interaction that was answered about; None where a price isn't known.
    """

    calls: int
    answered: int
    failures: dict[str, int]
    failure_rate: float | None
    tokens_prompt: int
    tokens_completion: int
    cost_usd: float | None
    unpriced_calls: int
    cost_per_label_usd: float | None
    latency_ms: Durations | None


class ModelSpending(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the requests to one model by one rubric came to, led by their names. Here each answer counts as a label."""

    model: str
    rubric: str
    calls: int
    answered: int
    failures: dict[str, int]
    failure_rate: float | None
    tokens_prompt: int
    tokens_completion: int
    cost_usd: float | None
    unpriced_calls: int
    cost_per_label_usd: float | None
    latency_ms: Durations | None


class Waiting(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What waits to be labelled. `oldest_age_ms`: for how long the one has been due that was due first; None of nothing."""

    due: int
    waiting: int
    failed: int
    oldest_age_ms: int | None


class Today(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the day (UTC) has cost by now, with what is reserved, and what it may; `resets_at` is its end, epoch milliseconds."""

    spent_usd: float
    budget_usd: float | None
    resets_at: int


class JudgeCalls(Spending, frozen=True, kw_only=True, rename="camel"):
    """What the judge cost in a window, by the moments of its requests, altogether and by model and rubric.

    `queue` and `today` are those of the present, of all stores; None where one store is asked about.
    """

    store_id: str
    period: str
    start: int | None = msgspec.field(name="from")
    end: int | None = msgspec.field(name="to")
    by_model: list[ModelSpending]
    queue: Waiting | None
    today: Today | None


class Rows(Protocol):
    """What is asked of the row database."""

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        """Sum up the requests to models that began in a window, both ends included."""

    async def answered_calls(self, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
        """Look at the answered ones together, whatever the model."""

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day (UTC) has cost by now, with what is reserved."""


async def judge_calls(rows: Rows, scope: Scope, *, budget_usd: float | None, now: int) -> JudgeCalls:
    """Tell what the judge cost.

    Args:
        rows: has the requests.
        scope: the window, and the store if it is one's.
        budget_usd: what a day may cost; None is no limit.
        now: the present.

    Raises:
        ParameterError: the scope chooses by what no request has, or several stores.
    """
    store_id = _store(scope)
    since, until = scope.start or 0, LAST_ROW if scope.end is None else scope.end
    sums = await rows.judge_calls(since=since, until=until, store_id=store_id)
    answered = await rows.answered_calls(since=since, until=until, store_id=store_id)
    return JudgeCalls(
        store_id=scope.store_id,
        period=scope.period,
        start=scope.start,
        end=scope.end,
        **msgspec.structs.asdict(_spending(sums, answered)),
        by_model=_by_model(sums),
        queue=None if store_id else _waiting(await rows.queue_depth(now=now), now),
        today=None if store_id else _today(await rows.spent_usd(now=now), budget_usd, now),
    )


def _store(scope: Scope) -> str | None:
    if others := scope.filters - {"stores"}:
        names = ", ".join(sorted(name.removesuffix("s") for name in others))
        raise ParameterError(f"requests to a judge are chosen by their moment and store only; leave out {names}")
    if len(scope.stores) > 1:
        raise ParameterError("store is given once here, or left out for all stores")
    return scope.store


def _spending(sums: Sequence[CallSums], answers: AnsweredCalls) -> Spending:
    calls, priced = sum(one.calls for one in sums), sum(one.priced for one in sums)
    answered = sum(one.calls for one in sums if one.outcome == "answered")
    failures = Counter[str]()
    for one in sums:
        if one.outcome != "answered":
            failures[one.outcome] += one.calls
    cost = round(math.fsum(one.cost_usd for one in sums), COST_DIGITS)
    is_whole = answers.interactions > 0 and priced == calls
    return Spending(
        calls=calls,
        answered=answered,
        failures=dict(failures.most_common()),
        failure_rate=(calls - answered) / calls if calls else None,
        tokens_prompt=sum(one.tokens_prompt for one in sums),
        tokens_completion=sum(one.tokens_completion for one in sums),
        cost_usd=cost if priced or not calls else None,
        unpriced_calls=calls - priced,
        cost_per_label_usd=cost / answers.interactions if is_whole else None,
        latency_ms=_durations(sums, answers),
    )


def _durations(sums: Sequence[CallSums], answers: AnsweredCalls) -> Durations | None:
    if answers.p50_ms is None or answers.p95_ms is None or answers.p99_ms is None:
        return None
    timed = [one for one in sums if one.outcome == "answered" and one.timed]
    total, count = math.fsum(one.duration_ms for one in timed), sum(one.timed for one in timed)
    return Durations(p50=answers.p50_ms, p95=answers.p95_ms, p99=answers.p99_ms, mean=total / count)


def _by_model(sums: Sequence[CallSums]) -> list[ModelSpending]:
    """Give each model with each rubric, the most asked first."""
    groups: dict[tuple[str, str], list[CallSums]] = {}
    for one in sums:
        groups.setdefault((one.model, one.rubric), []).append(one)
    found = [
        ModelSpending(model=model, rubric=rubric, **msgspec.structs.asdict(_spending(group, _answers(group))))
        for (model, rubric), group in groups.items()
    ]
    return sorted(found, key=lambda one: (-one.calls, one.model, one.rubric))


def _answers(group: Sequence[CallSums]) -> AnsweredCalls:
    """Give what there is to say of one model's answers: one row of the sums has them all."""
    for one in group:
        if one.outcome == "answered":
            return AnsweredCalls(interactions=one.calls, p50_ms=one.p50_ms, p95_ms=one.p95_ms, p99_ms=one.p99_ms)
    return AnsweredCalls(interactions=0, p50_ms=None, p95_ms=None, p99_ms=None)


def _waiting(depth: QueueDepth, now: int) -> Waiting:
    age = None if depth.since is None else max(0, now - depth.since)
    return Waiting(due=depth.due, waiting=depth.waiting, failed=depth.failed, oldest_age_ms=age)


def _today(spent_usd: float, budget_usd: float | None, now: int) -> Today:
    resets_at = (now // DAY_MS + 1) * DAY_MS
    return Today(spent_usd=round(spent_usd, COST_DIGITS), budget_usd=budget_usd, resets_at=resets_at)
