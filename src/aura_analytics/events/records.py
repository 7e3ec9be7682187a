"""What happened: the records that every room of the service passes on.

All of them are frozen and already checked: `aura_analytics.events.decode` is the only door from the wire, so code that
holds one of these never checks it again. Moments are epoch milliseconds in UTC, durations milliseconds, costs US dollars.
"""

from typing import Any, Literal

import msgspec

Label = Literal["GOOD", "REVIEW", "BAD"]
QuerySource = Literal["voice", "text", "test"]
Evaluator = Literal["auto", "human"]

LABELS: tuple[Label, ...] = ("GOOD", "REVIEW", "BAD")

# What the caller sent beyond the documented fields: any JSON, so Any is the honest type of its values.
Extra = dict[str, Any]


class VoiceQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance as the speech recogniser heard it. `id` is the key of everything that belongs to it."""

    id: str
    store_id: str
    created_at: int
    received_at: int
    query_text: str
    session_id: str | None = None
    user_id: str | None = None
    query_source: QuerySource = "voice"
    transcription_conf: float | None = None
    audio_duration_ms: int | None = None
    intent: str | None = None
    fast_path: bool = False
    correlation_id: str | None = None
    extra: Extra | None = None


class VoiceOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the assistant answered and did. `occurred_at` is the moment that the event names, `received_at` ours."""

    query_id: str
    occurred_at: int
    received_at: int
    answer_text: str | None = None
    model_name: str | None = None
    latency_ms: float | None = None
    tokens_prompt: int | None = None
    tokens_completion: int | None = None
    tokens_total: int | None = None
    cost_usd: float | None = None
    action_taken: str | None = None
    action_success: bool | None = None
    error_flag: bool | None = None
    error_message: str | None = None
    tool_calls: list[Any] | None = None  # Any: names, or whatever call objects the assistant's tools have
    correlation_id: str | None = None
    extra: Extra | None = None

    @property
    def action_was_taken(self) -> bool:
        """Whether an action was attempted: an outcome may say `false` where another one names its action."""
        return self.action_taken not in (None, "", "false")


class VoiceConversion(msgspec.Struct, frozen=True, kw_only=True):
    """What a shopper bought: `query_id` or `session_id` says after which conversation. `currency` is three capitals."""

    id: str
    query_id: str | None = None
    session_id: str | None = None
    store_id: str | None = None
    occurred_at: int
    received_at: int
    value: float | None = None
    currency: str | None = None
    order_id: str | None = None
    correlation_id: str | None = None
    extra: Extra | None = None


Event = VoiceQuery | VoiceOutcome | VoiceConversion


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one interaction. `confidence` is 0…1, `method` is `rules`, a model's name, or a person's.

    `rubric` is the name and version of the instructions that a model had; tokens, cost and duration are those of all
    requests that this judgement took. `cost_usd` is None where the price isn't known.
    """

    query_id: str
    label: Label
    reason: str
    confidence: float
    evaluated_at: int
    evaluated_by: Evaluator = "auto"
    method: str = "rules"
    explanation: str | None = None
    rubric: str | None = None
    tokens_prompt: int | None = None
    tokens_completion: int | None = None
    cost_usd: float | None = None
    duration_ms: float | None = None


CallOutcome = Literal[
    "answered",
    "rate_limited",
    "unavailable",
    "timed_out",
    "disconnected",
    "refused",
    "invalid",
    "cut_off",
    "blocked",
]


class JudgeCall(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a judge's model, answered or not, and what it took; `called_at` is its beginning.

    `cost_usd` is None where the price isn't known, `duration_ms` in a batch. What was reserved for it beforehand is given back when it is noted.
    """

    query_id: str
    store_id: str
    called_at: int
    model: str
    rubric: str
    outcome: CallOutcome
    duration_ms: float | None
    tokens_prompt: int = 0
    tokens_completion: int = 0
    cost_usd: float | None = None
    reserved_tokens: int = 0
    reserved_usd: float = 0.0


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """A query with what became of it: what a rule or a judge looks at."""

    query: VoiceQuery
    outcome: VoiceOutcome | None = None


class InteractionDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One interaction with all that belongs to it: `history` are the verdicts before the one that stands, latest first."""

    query: VoiceQuery
    outcome: VoiceOutcome | None
    verdict: Verdict | None
    history: list[Verdict]
    conversions: list[VoiceConversion]
