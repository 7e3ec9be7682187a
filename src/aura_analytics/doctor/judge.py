"""The judge: whether its key and its model are taken, by one real request about a made-up interaction.

It is noted nowhere, so it isn't among the costs: nothing is changed here.
"""

from aura_analytics.clock import now
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, warning
from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgePaused
from aura_analytics.evaluation.candidate import Candidate, candidates
from aura_analytics.evaluation.judgement import Case
from aura_analytics.events.records import Interaction, JudgeCall, VoiceOutcome, VoiceQuery
from aura_analytics.labelling import make_rubric, make_rules
from aura_analytics.settings import Settings


class Once:
    """A gate that lets one request pass, so that a doubtful answer isn't asked about again."""

    def __init__(self) -> None:
        self._asked = False

    async def admit(self, model: str, *, tokens: int, cost_usd: float | None) -> bool:
        """Let the first request pass.

        Raises:
            JudgePaused: it was asked already.
        """
        del tokens, cost_usd
        if self._asked:
            raise JudgePaused(f"{model}: was asked once", 0.0)
        self._asked = True
        return False

    def ended(self, call: JudgeCall, retry_after_s: float | None = None) -> None:
        """Take note of nothing."""


async def answers(settings: Settings, *, asks: bool) -> list[Finding]:
    """Look at the rules, the rubric and the key, and ask each model once.

    Raises:
        SettingsError: the rules, the rubric or the model can't be used.
    """
    make_rules(settings)
    rubric = make_rubric(settings)
    named = candidates(settings)
    if not named:
        return [
            skipped("judge", "there is no key: the rules label alone, the rest is REVIEW", "GEMINI_API_KEY takes one")
        ]
    if not asks:
        return [skipped("judge", f"{', '.join(one.model for one in named)} not asked (--no-judge)")]
    # Imported here, since the SDK takes two seconds to load.
    from aura_analytics.evaluation.provider import judge_of  # noqa: PLC0415

    found = []
    for one in named:
        judge = judge_of(settings, [one], rubric)(Once())
        calls: list[JudgeCall] = []
        try:
            await judge.judge(_case(), calls)
        except JudgeError as error:
            found.append(_refused(one, error, calls))
        else:
            found.append(ok(f"judge {one.model}", f"answered in {calls[0].duration_ms or 0:,.0f} ms"))
        finally:
            await judge.aclose()
    return found


def _refused(candidate: Candidate, error: JudgeError, calls: list[JudgeCall]) -> Finding:
    name = f"judge {candidate.model}"
    if isinstance(error, JudgeAnswerInvalid) or (calls and calls[0].outcome == "invalid"):
        return warning(
            name, "it answers, but not as it was told", "is the model able to call tools? EVAL_MODEL names it"
        )
    outcome = calls[0].outcome if calls else "unavailable"
    advice = {"refused": "see the provider's key (GEMINI_API_KEY and its like), EVAL_MODEL and EVAL_BASE_URL"}
    said = str(error) if not isinstance(error, JudgePaused) else f"{candidate.model}: {outcome}"
    return fail(name, said, advice.get(outcome, "what is due waits until it answers; see the provider's status"))


def _case() -> Case:
    moment = now()
    query = VoiceQuery(
        id="doctor",
        store_id="doctor",
        created_at=moment,
        received_at=moment,
        query_text="do you have number 42 in red",
        intent="product_search",
    )
    outcome = VoiceOutcome(
        query_id=query.id, occurred_at=moment, received_at=moment, answer_text="Yes, in two widths.", latency_ms=900
    )
    return Case(Interaction(query=query, outcome=outcome))
