"""What a judge is and says. Apart from the model's SDK, so that who only passes judges on doesn't load it."""

from typing import Protocol

import msgspec

from aura_analytics.events.records import Interaction, Label


class Judgement(msgspec.Struct, frozen=True):
    """What a judge says of one interaction. `confidence` is 0…1, `reason` a code in snake_case."""

    label: Label
    reason: str
    confidence: float
    explanation: str | None = None


# What is said where no rule fits and there is nobody to ask.
NO_JUDGE = Judgement("REVIEW", "no_judge_configured", 0.5)


class Judge(Protocol):
    """Whoever labels an interaction that the rules don't settle. `name` goes into the verdict as its method."""

    name: str

    async def judge(self, interaction: Interaction) -> Judgement:
        """Label one interaction; may be called by many tasks at once. Raises a `JudgeError` rather than guess."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; no call may follow."""
        ...
