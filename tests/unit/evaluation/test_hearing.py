"""What becomes of one interaction: labelled, left, put off with or without an attempt counted, or given up."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from aura_analytics.errors import JudgeAnswerInvalid, JudgePaused, JudgeRefused, JudgeUnavailable
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.evaluation.sample import share_of
from aura_analytics.events.records import CallOutcome, JudgeCall, Verdict
from contract.making import NOW
from unit.evaluation.desk import GOOD, Told, call, desk_of, evaluator, failing, ruled, saying, unclear, unclear_ones


def only(verdicts: dict[str, list[Verdict]], id: str = "a") -> Verdict:
    [verdict] = verdicts[id]
    return verdict


# Verdicts


async def test_a_verdict_says_who_gave_it_by_what_and_what_it_took() -> None:
    desk, _ = desk_of(unclear("a"))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        calls += [call("a", "unavailable", cost_usd=0.0), call("a")]
        return GOOD

    await evaluator(desk, Told(answer)).run()
    assert only(desk.labels) == Verdict(
        query_id="a", label="GOOD", reason="correct", confidence=0.9, evaluated_at=NOW, method="some:model",
        explanation="It was right.", rubric="rubric/1", tokens_prompt=200, tokens_completion=20, cost_usd=0.25,
        duration_ms=4.0,
    )  # fmt: skip


async def test_a_cost_that_is_not_known_of_one_request_is_not_known() -> None:
    desk, _ = desk_of(unclear("a"))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        calls += [call("a", cost_usd=None), call("a")]
        return GOOD

    await evaluator(desk, Told(answer)).run()
    assert only(desk.labels).cost_usd is None


@pytest.mark.parametrize("judge", [None, failing(AssertionError())])
async def test_what_the_rules_settle_took_nothing(judge: Told | None) -> None:
    desk, _ = desk_of(ruled("a"))
    await evaluator(desk, judge).run()
    found = only(desk.labels)
    assert (found.label, found.reason, found.method, found.rubric) == ("BAD", "error_occurred", "rules", None)
    assert (found.tokens_prompt, found.tokens_completion, found.cost_usd, found.duration_ms) == (None,) * 4


async def test_without_a_judge_the_rest_is_for_review() -> None:
    desk, _ = desk_of(unclear("a"))
    await evaluator(desk, None, sample_rate=0).run()
    found = only(desk.labels)
    assert (found.label, found.reason, found.confidence) == ("REVIEW", "no_judge_configured", 0.5)


# The sample


async def test_who_is_not_in_the_sample_is_left_without_a_label() -> None:
    desk, _ = desk_of(*unclear_ones(400), ruled("r"))
    tally = await evaluator(desk, saying(), sample_rate=0.3).run()
    chosen = {f"q{n}" for n in range(400) if share_of(f"q{n}") < 0.3}
    assert set(desk.labels) == {*chosen, "r"}
    assert (tally.left, tally.labelled, desk.works) == (400 - len(chosen), len(chosen) + 1, {})


# Failures


CAUSES: dict[str, tuple[Exception, list[CallOutcome], bool]] = {
    "an outage": (JudgeUnavailable("away"), ["unavailable"] * 3, True),
    "no answer in time": (JudgeUnavailable("slow"), ["timed_out"] * 3, True),
    "a broken connection": (JudgeUnavailable("gone"), ["disconnected"] * 3, True),
    "nonsense": (JudgeAnswerInvalid("nonsense"), ["invalid"] * 2, True),
    "too much at once": (JudgeUnavailable("too many"), ["rate_limited"] * 3, False),
    "an outage that became too much": (JudgeUnavailable("too many"), ["unavailable", "rate_limited"], False),
    "a wrong key": (JudgeRefused("wrong key"), ["refused"], False),
    "a rest": (JudgePaused("it rests", 30.0), [], False),
    "a rest after an attempt": (JudgePaused("it rests", 30.0), ["unavailable"], False),
}


@pytest.mark.parametrize("cause", CAUSES)
async def test_a_failure_counts_where_it_is_about_this_interaction(cause: str) -> None:
    error, outcomes, counts = CAUSES[cause]
    desk, watch = desk_of(unclear("a"))
    tally = await evaluator(desk, failing(error, *outcomes)).run()
    work = desk.works["a"]
    assert (work.attempts, work.lease, work.error) == (int(counts), None, str(error))
    assert work.due_at == watch.now + 30_000
    assert [one.outcome for one in desk.calls] == outcomes
    assert (tally.postponed, tally.paused) == ((0, 1) if not outcomes else (1, 0))
    assert desk.labels == {}


@pytest.mark.parametrize("cause", CAUSES)
async def test_what_counts_ends_among_the_failed_and_what_does_not_never(cause: str) -> None:
    error, outcomes, counts = CAUSES[cause]
    desk, watch = desk_of(unclear("a"))
    working = evaluator(desk, failing(error, *outcomes), max_attempts=3)
    for _ in range(10):
        await working.run()
        watch.now += 86_400_000
    assert desk.failed == ({"a": str(error)} if counts else {})
    assert len(desk.calls) == len(outcomes) * (3 if counts else 10)


async def test_the_pauses_grow_with_the_attempts_up_to_an_hour() -> None:
    desk, watch = desk_of(unclear("a"))
    working, pauses = evaluator(desk, failing(JudgeAnswerInvalid("no")), max_attempts=100), list[int]()
    for _ in range(10):
        await working.run()
        pauses.append(desk.works["a"].due_at - watch.now)
        watch.now = desk.works["a"].due_at
    assert pauses == [1_000 * pause for pause in (30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600)]


async def test_a_provider_that_asks_for_more_gets_it() -> None:
    desk, watch = desk_of(unclear("a"))
    await evaluator(desk, failing(JudgeUnavailable("too many", 77.0), "rate_limited")).run()
    assert desk.works["a"].due_at == watch.now + 77_000


async def test_a_request_that_is_refused_while_others_are_not_counts() -> None:
    """The key is right, then; what the provider doesn't take is this one."""
    desk, watch = desk_of(*unclear_ones(30), unclear("poison"))

    async def answer(case: Case, calls: list[JudgeCall]) -> Judgement:  # noqa: ARG001 (as `Judge` has it)
        if case.interaction.query.id == "poison":
            raise JudgeRefused("bad request")
        return GOOD

    working = evaluator(desk, Told(answer), concurrency=1, max_attempts=3)
    for n in range(5):
        await working.run()
        watch.now += 86_400_000
        desk.add(unclear(f"more{n}"))
    assert desk.failed == {"poison": "bad request"}


async def test_refusals_of_all_that_is_in_flight_burn_no_attempts() -> None:
    desk, _ = desk_of(*unclear_ones(40))
    await evaluator(desk, failing(JudgeRefused("wrong key"), "refused")).run()
    assert {work.attempts for work in desk.works.values()} == {0}


# A judge that rests


async def test_while_the_judge_rests_nobody_asks_and_the_rules_go_on() -> None:
    desk, watch = desk_of(*(one for n in range(100) for one in (unclear(f"q{n}"), ruled(f"r{n}"))))
    judge = failing(JudgePaused("it rests", 90.0))
    with capture_logs() as logged:
        working = evaluator(desk, judge, concurrency=4)
        tally = await working.run()
    assert len(judge.asked) == 4
    assert set(desk.labels) == {f"r{n}" for n in range(100)}
    assert (tally.paused, tally.labelled) == (100, 100)
    assert {(work.due_at, work.attempts, work.error) for work in desk.works.values()} == {
        (watch.now + 90_000, 0, "it rests")
    }
    assert [line["event"] for line in logged] == ["judge_paused"]
    desk.add(unclear("new"))
    await working.run()
    assert (len(judge.asked), desk.works["new"].due_at) == (4, watch.now + 90_000)
    watch.now += 90_000
    await working.run()
    assert len(judge.asked) == 8


async def test_a_rest_of_no_time_is_one_all_the_same() -> None:
    desk, watch = desk_of(unclear("a"))
    await evaluator(desk, failing(JudgePaused("it rests", 0.0))).run()
    assert desk.works["a"].due_at == watch.now + 1_000


# A day's money that is spent


SPENT = JudgePaused("the day's money is spent", 7_200.0, spent=True)


async def test_when_the_money_is_spent_the_rest_waits_for_the_next_day() -> None:
    desk, watch = desk_of(*unclear_ones(100))
    judge = failing(SPENT)
    tally = await evaluator(desk, judge).run()
    assert {(work.due_at, work.attempts) for work in desk.works.values()} == {(watch.now + 7_200_000, 0)}
    assert (tally.paused, len(judge.asked), desk.labels) == (100, 16, {})


@pytest.mark.parametrize("outcomes", [[], ["answered"]])
async def test_or_it_is_for_review_where_that_is_wished(outcomes: list[CallOutcome]) -> None:
    desk, _ = desk_of(*unclear_ones(100))
    tally = await evaluator(desk, failing(SPENT, *outcomes), budget_spent="leave").run()
    told: set[Any] = {
        (found.label, found.reason, found.confidence, found.method, found.rubric) for [found] in desk.labels.values()
    }
    assert told == {("REVIEW", "budget_spent", 0.5, "rules", None)}
    assert (tally.labelled, desk.works) == (100, {})
    assert len(desk.calls) == 16 * len(outcomes)


async def test_a_rest_is_no_reason_to_leave_anything() -> None:
    desk, _ = desk_of(unclear("a"))
    await evaluator(desk, failing(JudgePaused("it rests", 30.0)), budget_spent="leave").run()
    assert (list(desk.works), desk.labels) == (["a"], {})
