"""The cascade: a cheap judge first, and a better one where the first isn't sure, or gave no answer that can be used."""

from aura_analytics.errors import JudgeAnswerInvalid
from aura_analytics.evaluation.judgement import Case, Judge, Judgement
from aura_analytics.events.records import JudgeCall


class Cascade:
    """Two judges as one.

    Where the second one has to be asked and can't answer, its error is raised, whatever it is: the first one's doubtful
    label never stands in for it. So the interaction waits, and then both are asked again. Whoever decided is the
    judgement's `model`.

    Args:
        first: asked about everything.
        second: asked where the first is less sure than `below`, or its answer is outside of the schema, cut off or
            blocked.
        below: a confidence, 0…1.
    """

    def __init__(self, first: Judge, second: Judge, below: float) -> None:
        self.name = f"{first.name},{second.name}"
        self._first = first
        self._second = second
        self._below = below

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        """Ask the first judge, and the second where it takes one; see `Judge.judge`."""
        try:
            judgement = await self._first.judge(case, calls)
        except JudgeAnswerInvalid:
            return await self._second.judge(case, calls)
        if judgement.confidence < self._below:
            return await self._second.judge(case, calls)
        return judgement

    async def aclose(self) -> None:
        """Let both go."""
        try:
            await self._first.aclose()
        finally:
            await self._second.aclose()
