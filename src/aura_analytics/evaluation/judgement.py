"""What a judge is and says. Apart from the model's SDK, so that who only passes judges on doesn't load it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from aura_analytics.events.records import Interaction, JudgeCall, Label


class Judgement(msgspec.Struct, frozen=True):
    """What a judge says of one interaction. `confidence` is 0…1, `reason` a code in snake_case.

    `model` and `rubric` are who said it and by which instructions; None where no model was asked.
    """

    label: Label
    reason: str
    confidence: float
    explanation: str | None = None
    model: str | None = None
    rubric: str | None = None


class Case(msgspec.Struct, frozen=True):
    """What a judge is shown: an interaction, and what came before it in its session, oldest first."""

    interaction: Interaction
    previous: Sequence[Interaction] = ()


# What is said where no rule fits and there is nobody to ask.
NO_JUDGE = Judgement("REVIEW", "no_judge_configured", 0.5)
# What is said where the day's money is spent and the rest isn't to wait.
BUDGET_SPENT = Judgement("REVIEW", "budget_spent", 0.5)


class Judge(Protocol):
    """Whoever labels an interaction that the rules don't settle. `name` is its model, or several, joined by commas."""

    name: str

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        """Label one interaction; may be called by many tasks at once. Raises a `JudgeError` rather than guess.

        Each request that is made is appended to `calls` as it ends, also where there is no judgement at last.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections; no call may follow."""
        ...


class Gate(Protocol):
    """Whoever says when a model may be asked, and is told what became of it."""

    async def admit(self, model: str, *, tokens: int, cost_usd: float | None) -> bool:
        """Wait for a request's turn, of about so many tokens and dollars. Raises `JudgePaused` where it won't come soon.

        Tell whether they were reserved; only then does the request's call say so (`JudgeCall.reserved_tokens`).
        """
        ...

    def ended(self, call: JudgeCall, retry_after_s: float | None = None) -> None:
        """Take note of how a request ended that was admitted; `retry_after_s` is what the provider asked for."""
        ...
