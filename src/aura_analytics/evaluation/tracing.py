"""The traces of what is labelled: a batch that the rules go through, a hearing, and each request to a model.

A request is told in the words of OpenTelemetry's conventions for generative models. Of what was said, asked and
answered nothing is told, nor of reasons, which a model writes itself.
"""

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from aura_analytics.errors import JudgeError
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.events.records import JudgeCall
from aura_analytics.spans import Span, Tracer, Value, current, piece, surrounded_by
from aura_analytics.store.port import Claim

# Providers whose names the conventions know by other names.
PROVIDERS = {
    "google": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "grok": "x_ai",
}


class Batch:
    """A batch of claims, from before they were made; there is nothing to tell of one that is empty."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer
        self._begun_ns = time.time_ns()

    @contextlib.contextmanager
    def looked_through(self, claimed: int) -> Iterator[Span | None]:
        """Trace the block in which the rules go through them."""
        if self._tracer is None or not claimed:
            yield None
            return
        known: dict[str, Value] = {"aura.evaluation.claimed": claimed}
        begun = self._tracer.begin("evaluate batch", "internal", known, start_ns=self._begun_ns)
        with surrounded_by(begun) as span:
            yield span


def hearing_of(claim: Claim, tracer: Tracer | None) -> AbstractContextManager[Span | None]:
    """Trace a block as the hearing of a claim."""
    if tracer is None:
        return nullcontext()
    known: dict[str, Value] = {
        "aura.query_id": claim.query_id,
        "aura.store_id": claim.interaction.query.store_id,
        "aura.evaluation.attempt": claim.attempts,
    }
    return surrounded_by(tracer.begin("evaluate", "internal", known))


def note_label(judgement: Judgement) -> None:
    """Add how a hearing ended."""
    if (span := current()) is not None:
        span.note({"aura.evaluation.label": judgement.label, "aura.evaluation.method": judgement.model or "rules"})


def note_failure(error: JudgeError) -> None:
    """Add that a hearing came to nothing."""
    if (span := current()) is not None:
        span.end(type(error).__name__)


def request_to(model: str) -> AbstractContextManager[Span | None]:
    """Trace a block as a request to a model.

    Args:
        model: provider and model, with a colon between.
    """
    provider, _, name = model.partition(":")
    return piece(
        f"chat {name}",
        "client",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDERS.get(provider, provider),
            "gen_ai.request.model": name,
        },
    )


def note_call(span: Span | None, call: JudgeCall) -> None:
    """Add what is noted of a request."""
    if span is None:
        return
    known: dict[str, Value] = {
        "gen_ai.usage.input_tokens": call.tokens_prompt,
        "gen_ai.usage.output_tokens": call.tokens_completion,
        "aura.judge.outcome": call.outcome,
        "aura.judge.rubric": call.rubric,
    }
    if call.cost_usd is not None:
        known["aura.judge.cost_usd"] = call.cost_usd
    span.note(known)
    if call.outcome == "invalid":
        span.end(call.outcome)
