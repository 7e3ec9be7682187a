"""The request: one that is made to a model, from its beginning to the note about it."""

import time

from pydantic_ai import exceptions
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from aura_analytics.evaluation.ending import CANCELLED, ending_of
from aura_analytics.evaluation.expectation import Expected
from aura_analytics.evaluation.judgement import Case
from aura_analytics.evaluation.price import Price
from aura_analytics.events.records import CallOutcome, JudgeCall


class Request:
    """One request on its way, from its beginning to the note about it.

    Where the provider may bill it but doesn't say how much, what was expected counts: a request that timed out, broke
    off or was cancelled is answered for all that we know, and a day's money must not be overspent by those.
    """

    def __init__(self, price: Price | None, expected: Expected, called_at: int) -> None:
        self._price = price
        self._expected = expected
        self._called_at = called_at
        self._begun = time.perf_counter()
        self._usage: RequestUsage | None = None
        self._billed = CANCELLED.billed
        self.outcome: CallOutcome = CANCELLED.outcome

    def answered(self, response: ModelResponse) -> None:
        """Take note of what came back, whatever it is worth."""
        self.outcome = "answered"
        if response.usage.has_values():
            self._usage = response.usage

    def failed(self, error: exceptions.AgentRunError) -> None:
        """Take note of what went wrong."""
        ending = ending_of(error)
        # What broke off while it was sent or read may have been answered.
        broke_off = isinstance(error, exceptions.ModelConnectionError) and error.phase not in ("pool", "connect")
        self.outcome, self._billed = ending.outcome, ending.billed or broke_off

    def call(self, case: Case, model: str, rubric: str, *, reserved: bool, reserved_usd: float | None) -> JudgeCall:
        """Give the note; it ends now."""
        duration_ms = (time.perf_counter() - self._begun) * 1000
        prompt, answer, cost_usd = self._taken()
        return JudgeCall(
            query_id=case.interaction.query.id,
            store_id=case.interaction.query.store_id,
            called_at=self._called_at,
            model=model,
            rubric=rubric,
            outcome=self.outcome,
            duration_ms=duration_ms,
            tokens_prompt=prompt,
            tokens_completion=answer,
            cost_usd=cost_usd,
            reserved_tokens=self._expected.tokens if reserved else 0,
            reserved_usd=(reserved_usd or 0.0) if reserved else 0.0,
        )

    def _taken(self) -> tuple[int, int, float | None]:
        """Tokens of the prompt and of the answer, thoughts included, and dollars."""
        if self._usage is not None:
            cost_usd = self._price.of(self._usage) if self._price else None
            return self._usage.input_tokens, self._usage.output_tokens, cost_usd
        prompt, answer = (self._expected.prompt, self._expected.answer) if self._billed else (0, 0)
        return prompt, answer, self._price.expected(prompt, answer) if self._price else None
