"""Batches, over a real store and the real client, against a stand-in of Gemini's files and jobs."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from aura_analytics.errors import JudgeRefused, SettingsError, StoreUnavailable
from aura_analytics.evaluation import answers, batch
from aura_analytics.evaluation.answers import Progress
from aura_analytics.evaluation.batch import LEASE_MS, Batches
from aura_analytics.evaluation.candidate import candidates
from aura_analytics.evaluation.gemini import GeminiJobs, gemini_jobs
from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.judgement import Case
from aura_analytics.evaluation.rubric import default_rubric
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.events.records import Verdict
from aura_analytics.settings import Settings
from aura_analytics.store import Store
from aura_analytics.store.judging import CallSums
from contract.backends import Sqlite
from contract.making import LATER, NOW, Watch, outcome, query
from gemini_batches import GeminiBatches, Json, answer, blocked, failed, verdict
from judging import judge_of

MODEL = "google:gemini-2.5-flash-lite"
RUBRIC = default_rubric().key
DAY_MS = 86_400_000
HOLD_MS = 60_000
# What a request of 1,000 and 100 tokens costs by itself.
PRICE = 0.00014
PATIENCE_S = 20.0


@pytest.fixture
def watch() -> Watch:
    """The clock of the store and of the batches."""
    return Watch()


@pytest.fixture
async def store(tmp_path: Path, watch: Watch) -> AsyncIterator[Store]:
    """A store, empty."""
    backend = Sqlite(tmp_path)
    yield await backend.open(await backend.fresh(), clock=watch)
    await backend.dispose()


@pytest.fixture
def gemini() -> Iterator[GeminiBatches]:
    """The provider."""
    with GeminiBatches() as service:
        yield service


def jobs_at(gemini: GeminiBatches, **settings: Any) -> GeminiJobs:
    """Jobs of the provider."""
    whole = Settings(**{"gemini_api_key": "k", "eval_base_url": gemini.url, "eval_model": MODEL, **settings})
    return gemini_jobs(whole, candidates(whole), default_rubric())


async def run(
    store: Store,
    gemini: GeminiBatches,
    watch: Watch,
    *,
    waits: bool = True,
    budget_usd: float | None = None,
    timeout_s: float = 20,
    told: list[int] | None = None,
    on_pause: Callable[[], None] = lambda: None,
    turns_clock: bool = True,
    **terms: Any,
) -> Progress:
    """One run; its pauses turn the clock instead of lasting, and `told` gets how many waited at each of them."""

    async def sleep(seconds: float) -> None:
        watch.now += round(seconds * 1000) if turns_clock else 0
        on_pause()
        await asyncio.sleep(0)

    def tell(progress: Progress) -> None:
        if told is not None:
            told.append(progress.waiting)

    whole = {"rules": default_rules(), "session_turns": 0, "clock": watch, **terms}
    async with aclosing(jobs_at(gemini, eval_timeout_seconds=timeout_s)) as jobs, asyncio.timeout(PATIENCE_S):
        batches = Batches(store, jobs, Terms(**whole), budget_usd=budget_usd, hold_ms=HOLD_MS, sleep=sleep)
        return await batches.run(waits=waits, on_progress=tell)


async def unclear(store: Store, *ids: str, **fields: Any) -> None:
    """Store interactions that the rules leave open."""
    for id in ids:
        await store.append([query(id, **fields), outcome(id, answer_text="Aisle 3.")])


async def labels(store: Store, *ids: str) -> dict[str, Verdict]:
    """The verdicts that stand."""
    return {found.query_id: found for found in await store.verdicts(ids)}


async def calls(store: Store) -> dict[str, CallSums]:
    """The requests that were noted, by how they ended."""
    found = await store.judge_calls(since=0, until=2 * LATER, store_id=None)
    assert len({one.outcome for one in found}) == len(found), "one model, one rubric"
    return {one.outcome: one for one in found}


async def due(store: Store, now: int) -> dict[str, int]:
    """What is due by now, by its id, and how many attempts there were before."""
    claims = await store.claim_due(100, now=now, lease_ms=1)
    await store.release(claims, now=now)
    return {claim.query_id: claim.attempts - 1 for claim in claims}


def key_of(request: Json) -> str:
    """The interaction that a request is about."""
    key: str = request["key"]
    return key


# What is handed over, and what comes back


async def test_the_rules_go_first_and_the_rest_is_one_job(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await unclear(store, "a", "b")
    await store.append([query("ok", query_text="ok"), outcome("ok")])
    progress = await run(store, gemini, watch)
    assert (dict(progress.labels), progress.handed_over, progress.waiting) == ({"BAD": 1, "GOOD": 2}, 2, 0)
    [job] = gemini.jobs
    assert job.model == f"models/{MODEL.removeprefix('google:')}"
    assert sorted(map(key_of, job.requests)) == ["a", "b"]
    found = await labels(store, "a", "b", "ok")
    assert (found["ok"].method, found["ok"].rubric, found["ok"].cost_usd) == ("rules", None, None)
    assert {found[id].method for id in "ab"} == {MODEL}
    assert await store.open_batches() == []
    assert await due(store, LATER) == {}


async def test_a_verdict_notes_what_it_took_at_half_the_price(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a")
    progress = await run(store, gemini, watch)
    [found] = (await labels(store, "a")).values()
    assert (found.label, found.reason, found.confidence, found.explanation) == ("GOOD", "correct", 0.9, "It fits.")
    assert (found.rubric, found.tokens_prompt, found.tokens_completion) == (RUBRIC, 1_000, 100)
    assert found.cost_usd == progress.cost_usd == pytest.approx(PRICE / 2)
    assert found.duration_ms is None  # a batch has no time of its own for each
    [noted] = (await calls(store)).values()
    assert (noted.model, noted.rubric, noted.outcome, noted.calls) == (MODEL, RUBRIC, "answered", 1)
    assert noted.cost_usd == await store.spent_usd(now=watch.now) == pytest.approx(PRICE / 2)


async def test_what_people_said_is_taken_away_when_it_is_over(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a")
    await run(store, gemini, watch, waits=False)
    assert [name for name in gemini.files if "answers" not in name] == [f"files/{gemini.jobs[0].display_name}"]
    await run(store, gemini, watch)
    assert [name for name in gemini.files if "answers" not in name] == []


async def test_a_request_of_a_job_is_what_a_single_one_is(
    store: Store, gemini: GeminiBatches, watch: Watch, llmock: LLMock
) -> None:
    await unclear(store, "a")
    llmock.reply(json.dumps({"label": "GOOD", "reason": "correct", "confidence": 0.9}))
    [claim] = await store.claim_due(1, now=watch.now, lease_ms=1)
    await store.release([claim], now=watch.now)
    async with judge_of(MODEL, llmock.base_url("gemini")) as judge:
        await judge.judge(Case(claim.interaction), [])
    await run(store, gemini, watch)
    assert gemini.jobs[0].requests == [{"key": "a", "request": llmock.last_request.body}]


async def test_an_id_of_any_characters_is_found_again(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    ids = ["ключ", 'a "quoted" one', "back\\slash", "x" * 128, "🛒"]
    await unclear(store, *ids)
    progress = await run(store, gemini, watch)
    assert (progress.labelled, sorted(await labels(store, *ids))) == (5, sorted(ids))


async def test_the_session_s_turns_go_along(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await unclear(store, "a", session_id="s", query_text="red apples please", created_at=NOW - 9)
    await unclear(store, "b", session_id="s", query_text="and green ones")
    await run(store, gemini, watch, session_turns=2)
    said = {
        key_of(one): json.loads(one["request"]["contents"][0]["parts"][0]["text"]) for one in gemini.jobs[0].requests
    }
    assert "previous_turns" not in said["a"]
    assert [turn["query_text"] for turn in said["b"]["previous_turns"]] == ["red apples please"]


async def test_nothing_due_is_no_job(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    progress = await run(store, gemini, watch)
    assert (progress.handled, progress.waiting, gemini.jobs, gemini.files) == (0, 0, [], {})


async def test_what_the_rules_settle_alone_is_no_job(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await store.append([query("ok", query_text="ok"), outcome("ok")])
    progress = await run(store, gemini, watch)
    assert (dict(progress.labels), gemini.jobs, await store.open_batches()) == ({"BAD": 1}, [], [])


async def test_more_than_a_batch_takes_is_several_jobs(
    store: Store, gemini: GeminiBatches, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_REQUESTS", 3)
    monkeypatch.setattr(batch, "CLAIMED_AT_ONCE", 2)
    ids = [f"q{number}" for number in range(8)]
    await unclear(store, *ids)
    told: list[int] = []
    progress = await run(store, gemini, watch, told=told)
    assert [len(job.requests) for job in gemini.jobs] == [3, 3, 2]
    assert (progress.labelled, progress.handed_over, len(await labels(store, *ids))) == (8, 8, 8)
    assert max(told) == 8
    assert told[-1] == 0


async def test_only_the_sample_is_asked_about(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await unclear(store, *(f"q{number}" for number in range(30)), "bad")
    await store.append([query("fails"), outcome("fails", action_success=False)])
    progress = await run(store, gemini, watch, sample_rate=0.3)
    asked = {key_of(request) for request in gemini.jobs[0].requests}
    assert "fails" in asked
    assert 1 < len(asked) < 31
    assert (progress.left, progress.labelled) == (32 - len(asked), len(asked))
    assert await due(store, LATER) == {}


# Lines without a verdict

LINES: dict[str, tuple[Json | None, str]] = {
    "error": (failed(), "unavailable"),
    "quota": (failed(8), "rate_limited"),
    "wrong": (failed(3), "refused"),
    "blocked": (blocked(), "blocked"),
    "cut off": (answer('{"label": "GO', finish="MAX_TOKENS"), "cut_off"),
    "prose": (answer("I would say GOOD."), "invalid"),
    "other label": (verdict("FINE"), "invalid"),
    "left out": (None, "unavailable"),
    "empty": ({}, "unavailable"),
    "strange": ({"response": {"candidates": 7}}, "invalid"),
}


@pytest.mark.parametrize("kind", LINES)
async def test_a_line_without_a_verdict_is_tried_again_later(
    store: Store, gemini: GeminiBatches, watch: Watch, kind: str
) -> None:
    line, ending = LINES[kind]
    gemini.replies = lambda request: verdict() if key_of(request) == "good" else line
    await unclear(store, "good", "a")
    progress = await run(store, gemini, watch)
    assert (progress.labelled, progress.postponed, progress.failed) == (1, 1, 0)
    assert list(await labels(store, "good", "a")) == ["good"]
    assert await due(store, watch.now) == {}
    assert await due(store, watch.now + 30_000) == {"a": 0 if ending == "rate_limited" else 1}
    noted = await calls(store)
    assert {name: one.calls for name, one in noted.items()} == {"answered": 1, ending: 1}
    spent = await store.spent_usd(now=watch.now)
    assert spent == pytest.approx(sum(one.cost_usd for one in noted.values())), "nothing stays reserved"


async def test_after_the_last_attempt_it_is_given_up(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    gemini.replies = lambda _: failed()
    await unclear(store, "a")
    progress = await run(store, gemini, watch, max_attempts=1)
    assert (progress.postponed, progress.failed) == (0, 1)
    [one] = await store.failed_evaluations(10)
    assert one.query_id == "a"
    assert one.last_error == f"{MODEL}: the provider answered with HTTP 500", "own words only"


async def test_an_outcome_that_came_meanwhile_is_judged_anew(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    watch.now = LATER
    await store.append([query("a"), query("b"), outcome("b", answer_text="Here.")])
    watch.now += DAY_MS
    await run(store, gemini, watch, waits=False)
    await store.append([outcome("a", answer_text="It came late.")])
    progress = await run(store, gemini, watch)
    assert gemini.request_count() == 3, "with the outcome it is another question"
    assert len(await labels(store, "a", "b")) == 2
    assert (await calls(store))["answered"].calls == 3, "what was paid for is noted"
    assert progress.labelled == 2


# Jobs that come to nothing


@pytest.mark.parametrize(
    ("state", "ending"),
    [
        ("BATCH_STATE_FAILED", "unavailable"),
        ("BATCH_STATE_CANCELLED", "unavailable"),
        ("BATCH_STATE_EXPIRED", "timed_out"),
    ],
)
async def test_a_job_that_comes_to_nothing_gives_all_back(
    store: Store, gemini: GeminiBatches, watch: Watch, state: str, ending: str
) -> None:
    gemini.states = ("BATCH_STATE_RUNNING", state)
    await unclear(store, "a", "b")
    progress = await run(store, gemini, watch, budget_usd=1)
    assert (progress.labelled, progress.paused, progress.waiting) == (0, 2, 0)
    assert await due(store, watch.now) == {"a": 0, "b": 0}, "at once, and no attempt is counted"
    noted = await calls(store)
    assert {name: (one.calls, one.cost_usd) for name, one in noted.items()} == {ending: (2, 0)}
    assert await store.spent_usd(now=watch.now) == pytest.approx(0)


async def test_a_job_that_the_provider_has_forgotten_gives_all_back(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a")
    await run(store, gemini, watch, waits=False)
    forgotten = gemini.jobs.pop()
    progress = await run(store, gemini, watch)
    assert progress.labelled == 1, "in a new job"
    assert [job.display_name for job in gemini.jobs] != [forgotten.display_name]


async def test_a_job_that_lasts_longer_than_its_lease_is_given_up(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    gemini.states = ("BATCH_STATE_RUNNING",)
    await unclear(store, "a")
    await run(store, gemini, watch, waits=False)
    watch.now += LEASE_MS
    gemini.states = ("BATCH_STATE_SUCCEEDED",)
    await run(store, gemini, watch)
    assert gemini.cancelled == [gemini.jobs[0].name]
    assert len(gemini.jobs) == 2
    assert len(await labels(store, "a")) == 1


# Going on


async def test_handed_over_now_and_fetched_later(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await unclear(store, "a")
    progress = await run(store, gemini, watch, waits=False)
    assert (progress.handed_over, progress.waiting, progress.labelled) == (1, 1, 0)
    assert await store.claim_due(10, now=watch.now + DAY_MS, lease_ms=1) == [], "nobody else gets it within a day"
    progress = await run(store, gemini, watch, waits=False)
    assert (progress.handed_over, progress.waiting, progress.labelled) == (0, 1, 0), "it still runs"
    progress = await run(store, gemini, watch, waits=False)
    assert (progress.handed_over, progress.waiting, progress.labelled) == (0, 0, 1)
    assert len(gemini.jobs) == 1


async def test_a_job_whose_making_wasn_t_answered_is_found_again(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    for other in range(5):  # others, on several pages
        gemini.upload(f"files/{other}", b"")
        gemini.create(
            "other", {"batch": {"displayName": f"other-{other}", "inputConfig": {"fileName": f"files/{other}"}}}
        )
    await unclear(store, "a")
    gemini.answers.clear()
    progress = await run(store, gemini, watch, waits=False, timeout_s=0.2)
    assert (progress.handed_over, len(gemini.jobs)) == (0, 6)
    [noted] = await store.open_batches()
    assert noted.job is None
    gemini.answers.set()
    progress = await run(store, gemini, watch)
    assert (len(gemini.jobs), len(await labels(store, "a"))) == (6, 1)


async def test_while_it_isn_t_known_whether_there_is_a_job_none_is_made(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a")
    gemini.refuses[":batchGenerateContent"] = 503
    await run(store, gemini, watch, waits=False)
    gemini.refuses.clear()
    await run(store, gemini, watch, waits=False)
    assert gemini.jobs == [], "it may come up yet"
    watch.now += HOLD_MS
    await run(store, gemini, watch)
    assert (len(gemini.jobs), len(await labels(store, "a"))) == (1, 1)
    assert await store.spent_usd(now=watch.now) == pytest.approx(PRICE / 2), "reserved once"


async def test_a_file_that_can_t_be_sent_is_sent_later(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    await unclear(store, "a")
    gemini.refuses["upload"] = 500
    progress = await run(store, gemini, watch, waits=False)
    assert (progress.handed_over, progress.waiting) == (0, 1)
    gemini.refuses.clear()
    await run(store, gemini, watch)
    assert (len(gemini.jobs), len(await labels(store, "a"))) == (1, 1)


@pytest.mark.parametrize("part", ["upload", ":batchGenerateContent"])
@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_what_is_refused_gives_all_back(
    store: Store, gemini: GeminiBatches, watch: Watch, part: str, status: int
) -> None:
    await unclear(store, "a")
    gemini.refuses[part] = status
    with pytest.raises(JudgeRefused, match=f"^{MODEL}: the provider answered with HTTP {status}$"):
        await run(store, gemini, watch, budget_usd=1)
    assert await store.open_batches() == []
    assert await due(store, watch.now) == {"a": 0}
    assert await store.spent_usd(now=watch.now) == pytest.approx(0)


async def test_a_provider_that_is_out_of_reach_for_a_while_is_looked_at_again(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    gemini.states = ("BATCH_STATE_SUCCEEDED",)
    await unclear(store, "a")
    await run(store, gemini, watch, waits=False)
    gemini.refuses = {"batches/": 503}
    looks = gemini.looks()
    waiting = asyncio.Event()

    async def recovers() -> None:
        await waiting.wait()
        gemini.refuses = {}

    healing = asyncio.create_task(recovers())
    progress = await run(store, gemini, watch, on_pause=waiting.set)
    await healing
    assert (progress.labelled, len(gemini.jobs)) == (1, 1)
    assert gemini.looks() > looks


async def test_a_run_that_stopped_while_fetching_is_gone_on_with(
    store: Store, gemini: GeminiBatches, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "GROUP", 2)
    ids = [f"q{number}" for number in range(7)]
    gemini.replies = lambda request: failed() if key_of(request) in ("q1", "q6") else verdict()
    await unclear(store, *ids)
    await run(store, gemini, watch, waits=False)
    settled = 0
    settle = store.settle

    async def breaking(*given: Any, **named: Any) -> int:
        nonlocal settled
        settled += 1
        if settled > 2:
            raise StoreUnavailable("away")
        return await settle(*given, **named)

    monkeypatch.setattr(store, "settle", breaking)
    with pytest.raises(StoreUnavailable):
        await run(store, gemini, watch)
    monkeypatch.setattr(store, "settle", settle)
    assert 0 < len(await labels(store, *ids)) < 5
    progress = await run(store, gemini, watch)
    assert progress.waiting == 0
    assert len(await labels(store, *ids)) == 5
    assert {name: one.calls for name, one in (await calls(store)).items()} == {"answered": 5, "unavailable": 2}
    assert len(gemini.jobs) == 1
    assert await store.spent_usd(now=watch.now) == pytest.approx(5 * PRICE / 2)


async def test_a_run_that_stopped_while_claiming_gives_back(
    store: Store, gemini: GeminiBatches, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await unclear(store, "a")

    async def breaking(*_: Any, **__: Any) -> None:
        raise StoreUnavailable("away")

    reserve = store.reserve
    monkeypatch.setattr(store, "reserve", breaking)
    with pytest.raises(StoreUnavailable):
        await run(store, gemini, watch)
    monkeypatch.setattr(store, "reserve", reserve)
    assert await due(store, watch.now) == {}
    progress = await run(store, gemini, watch)
    assert (progress.labelled, len(gemini.jobs)) == (1, 1)
    [found] = (await labels(store, "a")).values()
    assert found.label == "GOOD"


async def test_several_runs_at_once_label_each_once(store: Store, gemini: GeminiBatches, watch: Watch) -> None:
    ids = [f"q{number}" for number in range(40)]
    await unclear(store, *ids)
    gemini.states = ("BATCH_STATE_RUNNING",) * 3 + ("BATCH_STATE_SUCCEEDED",)
    await asyncio.gather(*(run(store, gemini, watch, turns_clock=False) for _ in range(4)))
    asked = [key_of(request) for job in gemini.jobs for request in job.requests]
    assert sorted(asked) == sorted(ids)
    assert len(await labels(store, *ids)) == len(ids)
    assert (await calls(store))["answered"].calls == len(ids)
    assert await store.open_batches() == []


async def test_another_rubric_takes_no_batch_over_that_was_never_handed_over(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a")
    gemini.refuses["upload"] = 500
    await run(store, gemini, watch, waits=False)
    gemini.refuses.clear()
    [noted] = await store.open_batches()
    jobs = jobs_at(gemini)
    jobs.rubric = "another@1"
    async with aclosing(jobs):
        terms = Terms(rules=default_rules(), clock=watch)
        batches = Batches(store, jobs, terms, budget_usd=None, hold_ms=HOLD_MS)
        await batches.run(waits=False)
    [job] = gemini.jobs
    assert job.display_name != noted.id


# Money


async def test_no_more_is_handed_over_than_the_day_has_money_for(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    async with aclosing(jobs_at(gemini)) as jobs:
        each = jobs.expected_usd or 0
    await unclear(store, *(f"q{number}" for number in range(10)))
    progress = await run(store, gemini, watch, budget_usd=4.5 * each)
    assert (gemini.request_count(), progress.paused) == (4, 6)
    assert await due(store, watch.now) == {}
    tomorrow = watch.now + DAY_MS - watch.now % DAY_MS
    assert len(await due(store, tomorrow)) == 6


async def test_what_the_money_isn_t_enough_for_may_be_left_to_people(
    store: Store, gemini: GeminiBatches, watch: Watch
) -> None:
    await unclear(store, "a", "b")
    progress = await run(store, gemini, watch, budget_usd=1e-9, budget_spent="leave")
    assert (gemini.jobs, dict(progress.labels)) == ([], {"REVIEW": 2})
    assert {one.reason for one in (await labels(store, "a", "b")).values()} == {"budget_spent"}


# Whom it can ask


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gemini_api_key": ""}, "GEMINI_API_KEY"),
        ({"eval_model": "openai:gpt-5-mini", "openai_api_key": "k"}, "Gemini's batch mode.*openai:gpt-5-mini"),
        ({"eval_model": f"{MODEL},google:gemini-2.5-pro"}, "one model"),
        ({"eval_model": "google:nobody-knows-it", "eval_daily_budget_usd": 1.0}, "EVAL_PRICE"),
    ],
)
def test_what_can_t_be_asked_is_said(gemini: GeminiBatches, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        jobs_at(gemini, **settings)


async def test_a_price_that_was_set_is_halved_too(gemini: GeminiBatches) -> None:
    async with (
        aclosing(jobs_at(gemini, eval_price="1/2")) as dear,
        aclosing(jobs_at(gemini, eval_price="10/20")) as dearer,
    ):
        assert dear.expected_usd is not None
        assert dearer.expected_usd == pytest.approx(10 * dear.expected_usd)
