"""What tests of judges have in common: an interaction, a gate that stands open, and judges of a model's wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tenacity import wait_exponential_jitter

from aura_analytics.evaluation.candidate import Candidate
from aura_analytics.evaluation.judge import ModelJudge
from aura_analytics.evaluation.judgement import Case, Gate
from aura_analytics.evaluation.price import known_price
from aura_analytics.evaluation.provider import make_model
from aura_analytics.evaluation.rubric import default_rubric
from aura_analytics.events.records import Interaction, JudgeCall, VoiceOutcome, VoiceQuery

KEY = "AIza-very-secret-key"
NOW = 1_760_000_100_000

# A fifth of the real pauses: so short that a wait which a provider asked for can't be met by accident.
SHORT_BACKOFF = wait_exponential_jitter(initial=0.1, jitter=0.05, max=1)


def interaction(text: str = "where are the red apples", **outcome: Any) -> Interaction:
    """An interaction of a known shopper; `outcome` overrides fields of what the assistant did."""
    query = VoiceQuery(
        id="01J-QUERY",
        store_id="store-77",
        created_at=1_760_000_000_000,
        received_at=1_760_000_000_100,
        query_text=text,
        session_id="session-4711",
        user_id="shopper-42",
        transcription_conf=0.9,
        intent="find_product",
    )
    fields = {"answer_text": "We have shoes.", "latency_ms": 900, "action_taken": "PRODUCT_LOOKUP", **outcome}
    done = VoiceOutcome(query_id=query.id, occurred_at=query.created_at, received_at=query.received_at, **fields)
    return Interaction(query=query, outcome=done)


def case(text: str = "where are the red apples", **outcome: Any) -> Case:
    """The same, as a judge is shown it."""
    return Case(interaction(text, **outcome))


class OpenGate:
    """Lets everybody through, and remembers it."""

    def __init__(self, *, reserves: bool = True) -> None:
        self.admitted: list[tuple[str, int, float | None]] = []
        self.calls: list[JudgeCall] = []
        self.asked_for_s: list[float | None] = []
        self._reserves = reserves

    async def admit(self, model: str, *, tokens: int, cost_usd: float | None) -> bool:
        """See `Gate.admit`."""
        self.admitted.append((model, tokens, cost_usd))
        return self._reserves

    def ended(self, call: JudgeCall, retry_after_s: float | None = None) -> None:
        """See `Gate.ended`."""
        self.calls.append(call)
        self.asked_for_s.append(retry_after_s)


@asynccontextmanager
async def judge_of(
    model: str, base_url: str, *, attempts: int = 3, timeout_s: float = 20, gate: Gate | None = None
) -> AsyncIterator[ModelJudge]:
    """A judge that asks at `base_url`, and doesn't pause for long."""
    asked, client = make_model(Candidate(model=model, api_key=KEY, base_url=base_url))
    judge = ModelJudge(
        model,
        asked,
        client,
        gate=gate or OpenGate(),
        rubric=default_rubric(),
        price=known_price(model),
        timeout_s=timeout_s,
        attempts=attempts,
        backoff_s=SHORT_BACKOFF,
        clock=lambda: NOW,
    )
    try:
        yield judge
    finally:
        await judge.aclose()
