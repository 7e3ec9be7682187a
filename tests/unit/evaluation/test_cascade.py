"""When the second judge is asked, and that no doubtful label stands in for what it would have said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgePaused, JudgeRefused, JudgeUnavailable
from aura_analytics.evaluation.cascade import Cascade
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.events.records import CallOutcome, JudgeCall
from judging import case

ERRORS = (JudgePaused("p", 5), JudgeUnavailable("u", 5), JudgeRefused("r"), JudgeAnswerInvalid("i"))


class Canned:
    """A judge that says the same each time. A model would have to be made unsure, which none can be on purpose."""

    def __init__(self, name: str, says: Judgement | JudgeError) -> None:
        self.name = name
        self.closed = False
        self._says = says

    async def judge(self, asked: Case, calls: list[JudgeCall]) -> Judgement:
        """See `Judge.judge`."""
        failed = isinstance(self._says, JudgeError)
        outcome: CallOutcome = "invalid" if failed else "answered"
        query = asked.interaction.query
        calls.append(
            JudgeCall(
                query_id=query.id,
                store_id=query.store_id,
                called_at=0,
                model=self.name,
                rubric="r@1",
                outcome=outcome,
                duration_ms=1,
            )
        )
        if isinstance(self._says, JudgeError):
            raise self._says
        return self._says

    async def aclose(self) -> None:
        """See `Judge.aclose`."""
        self.closed = True
        if isinstance(self._says, JudgeRefused):
            raise self._says


def sure(confidence: float, model: str = "a:cheap") -> Judgement:
    """A judgement of so much confidence."""
    return Judgement("GOOD", "correct", confidence, None, model, "r@1")


BETTER = Judgement("BAD", "wrong_answer", 0.1, None, "b:better", "r@1")


@given(confidence=st.floats(0, 1), below=st.floats(0, 1))
async def test_the_second_is_asked_where_the_first_is_less_sure(confidence: float, below: float) -> None:
    """Then it decides, however sure it is; and every request is noted."""
    cascade = Cascade(Canned("a:cheap", sure(confidence)), Canned("b:better", BETTER), below)
    calls: list[JudgeCall] = []
    judgement = await cascade.judge(case(), calls)
    asked = confidence < below
    assert judgement == (BETTER if asked else sure(confidence))
    assert [call.model for call in calls] == ["a:cheap", "b:better"][: 2 if asked else 1]


async def test_the_second_is_asked_where_the_first_gave_no_answer() -> None:
    """Outside of the schema, cut off, blocked: another model may do better."""
    calls: list[JudgeCall] = []
    cascade = Cascade(Canned("a:cheap", JudgeAnswerInvalid("i")), Canned("b:better", BETTER), 0)
    assert await cascade.judge(case(), calls) == BETTER
    assert len(calls) == 2


@pytest.mark.parametrize("error", ERRORS[:3])
async def test_the_second_isn_t_asked_where_the_first_can_t_answer_now(error: JudgeError) -> None:
    """An outage or a limit of the cheap one doesn't send everything to the dear one."""
    calls: list[JudgeCall] = []
    with pytest.raises(type(error)):
        await Cascade(Canned("a:cheap", error), Canned("b:better", BETTER), 0.7).judge(case(), calls)
    assert len(calls) == 1


@pytest.mark.parametrize("first", [sure(0.5), JudgeAnswerInvalid("i")])
@pytest.mark.parametrize("error", ERRORS)
async def test_a_doubtful_label_never_stands_in_for_the_second(
    first: Judgement | JudgeError, error: JudgeError
) -> None:
    """Whatever keeps it from answering is told, so that the interaction waits; both requests were made."""
    calls: list[JudgeCall] = []
    with pytest.raises(type(error)) as caught:
        await Cascade(Canned("a:cheap", first), Canned("b:better", error), 0.7).judge(case(), calls)
    assert caught.value is error
    assert len(calls) == 2


async def test_both_are_let_go() -> None:
    """The second one even where the first one won't."""
    first, second = Canned("a:cheap", JudgeRefused("r")), Canned("b:better", BETTER)
    cascade = Cascade(first, second, 0.7)
    assert cascade.name == "a:cheap,b:better"
    with pytest.raises(JudgeRefused):
        await cascade.aclose()
    assert first.closed
    assert second.closed
