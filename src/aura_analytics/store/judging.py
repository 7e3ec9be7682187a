"""What the judge's work is made of: which interactions, how much may be asked of a model, and what that came to."""

from typing import Literal

import msgspec

from aura_analytics.events.records import CallOutcome, Label


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which interactions, by what their rows say; None is any. `since` and `until` (both included) go by `created_at`.

    `label` "none" is what has none; `method`, `rubric`, `reason` and `below` (a confidence) go by the label that stands.
    """

    store_id: str | None = None
    since: int | None = None
    until: int | None = None
    intent: str | None = None
    label: Label | Literal["none"] | None = None
    reason: str | None = None
    method: str | None = None
    rubric: str | None = None
    below: float | None = None


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to ask of a model: some requests, each of about so many tokens and dollars, within the limits.

    `rpm` and `tpm` are requests and tokens a minute, `budget_usd` dollars a day (UTC); None is no limit.
    """

    model: str
    requests: int
    tokens: int
    cost_usd: float
    rpm: int | None
    tpm: int | None
    budget_usd: float | None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests of a demand may be made now. `wait_ms`: after how long more may be; `spent`: the day's money is."""

    requests: int
    wait_ms: int = 0
    spent: bool = False


class CallSums(msgspec.Struct, frozen=True, kw_only=True):
    """The requests to one model by one rubric that ended in one way. `cost_usd`: of those whose price is known.

    The percentiles are of the durations in milliseconds, by the nearest rank, of the `timed` ones: all but batches'.
    """

    model: str
    rubric: str
    outcome: CallOutcome
    calls: int
    priced: int
    timed: int
    tokens_prompt: int
    tokens_completion: int
    cost_usd: float
    duration_ms: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class AnsweredCalls(msgspec.Struct, frozen=True, kw_only=True):
    """The requests to all models that were answered: how many `interactions` they were about, and their percentiles.

    Neither can be had from the sums of each model: one interaction may be put to two. Percentiles are as in `CallSums`;
    None where none of them was timed.
    """

    interactions: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class JudgeBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What was handed to a provider to be answered within a day. `id` is the lease of its interactions.

    `job` is what the provider calls it, None until it has said so.
    """

    id: str
    model: str
    rubric: str
    requests: int
    made_at: int
    job: str | None = None
    ended_at: int | None = None
    error: str | None = None
