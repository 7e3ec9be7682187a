"""A model that fails, evaluators that are killed, limits and keys: nothing is lost, mislabelled, overspent or pestered."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from llmock.scenarios import Delay, Fail, Plan

from acceptance.conftest import MakeDatabase, StartEvaluator
from acceptance.model import KEY, NONSENSE, Model, chance_of_faults, text, verdict, well
from acceptance.service import Event, Service, aura, ndjson, outcome, query, until

PATIENCE_S = 150.0
QUICK = {"EVAL_RETRY_SECONDS": "0", "EVAL_TIMEOUT_SECONDS": "2", "EVAL_LEASE_SECONDS": "4"}
POISON = 7


@pytest.fixture
def rows(tmp_path: Path, make_database: MakeDatabase) -> Service:
    """A database without a server."""
    return Service(tmp_path / "rows", make_database(tmp_path))


@pytest.fixture
def model() -> Iterator[Model]:
    with Model(delay_s=0.05) as running:
        yield running


def open_ones(numbers: range) -> list[Event]:
    """Interactions that no rule settles, each of a number that the model finds in it."""
    return [
        event
        for number in numbers
        for event in (query(f"q{number}", query_text=text(number)), outcome(f"q{number}", action_success=None))
    ]


def take_in(rows: Service, events: list[Event]) -> None:
    assert rows.aura("ingest", "-", stdin=ndjson(events)).returncode == 0


def labels(rows: Service) -> dict[str, str]:
    return {id: label for id, label in rows.rows("SELECT query_id, label FROM voice_evaluations")}  # noqa: C416 (typed)


def waiting(rows: Service) -> list[tuple[Any, ...]]:  # Any: cells
    return rows.rows("SELECT attempts, lease, last_error FROM evaluation_queue WHERE failed_at IS NULL")


def due_now(rows: Service) -> None:
    """Let nobody wait any more."""
    with rows.opened() as connection:
        connection.execute("UPDATE evaluation_queue SET due_at = 0 WHERE failed_at IS NULL")


@pytest.mark.timeout(400)
def test_under_faults_and_kills_each_is_labelled_once_or_given_up_with_its_cause(
    rows: Service, model: Model, start_evaluator: StartEvaluator
) -> None:
    number, poisoned = 500, {f"q{n}": n for n in range(500) if n % 50 == POISON}
    faults = chance_of_faults(0.3, seed=1, slow_s=3)
    model.behave = lambda n: NONSENSE if n % 50 == POISON else faults(n)
    take_in(rows, open_ones(range(number)))
    settings = model.settings | QUICK
    for share in (1, 2, 3):
        running = start_evaluator(rows.database_url, **settings)
        until(lambda: len(labels(rows)) >= share * number // 4, within_s=PATIENCE_S)  # noqa: B023 (before the next)
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
    start_evaluator(rows.database_url, **settings)
    until(lambda: not waiting(rows), within_s=PATIENCE_S)

    assert labels(rows) == {f"q{n}": verdict(n)["label"] for n in range(number) if f"q{n}" not in poisoned}
    failed = dict(rows.rows("SELECT query_id, last_error FROM evaluation_queue"))
    assert failed.keys() == poisoned.keys()
    assert all("schema" in cause for cause in failed.values())
    assert rows.rows("SELECT * FROM voice_evaluation_history") == []
    wrong = "SELECT * FROM voice_evaluations WHERE rubric IS NULL OR tokens_prompt IS NULL OR duration_ms IS NULL"
    assert rows.rows(wrong) == []
    calls = Counter(dict(rows.rows("SELECT query_id, count(*) FROM judge_calls GROUP BY query_id")))
    asked = Counter(f"q{one.number}" for one in model.asked)
    assert all(calls[id] <= asked[id] for id in asked)
    assert all(calls[f"q{n}"] for n in range(number))
    # What was in flight, or just answered, when a process was killed is all that isn't noted.
    assert asked.total() - calls.total() <= 3 * 100
    answered = dict(
        rows.rows("SELECT query_id, count(*) FROM judge_calls WHERE outcome = 'answered' GROUP BY query_id")
    )
    assert answered.keys() == labels(rows).keys()


def test_two_evaluators_keep_the_limit_of_requests_together(
    rows: Service, model: Model, start_evaluator: StartEvaluator
) -> None:
    number, a_minute = 150, 600
    # Neither can hold all of them at once.
    settings = model.settings | {"EVAL_RPM": str(a_minute), "EVAL_CONCURRENCY": "5", "EVAL_INTERVAL_SECONDS": "0.2"}
    both = [start_evaluator(rows.database_url, **settings) for _ in range(2)]
    until(lambda: all(one.has_logged("evaluating") for one in both), within_s=PATIENCE_S)
    take_in(rows, open_ones(range(number)))
    until(lambda: len(labels(rows)) == number, within_s=PATIENCE_S)
    at_once, late = a_minute // 60, 10  # what both may have in flight comes later than it was let through
    began = sorted(one.at for one in model.asked)
    for first in range(number):
        for last in range(first, number):
            assert last - first + 1 <= at_once + late + (began[last] - began[first]) * a_minute / 60
    assert [one.end(signal.SIGTERM) for one in both] == [0, 0]
    shares = [sum(line.get("labelled", 0) for line in one.log()) for one in both]
    assert all(shares), "both took part"


def test_a_day_s_money_is_not_overspent_by_two_and_the_rest_waits_or_is_left(
    rows: Service, model: Model, start_evaluator: StartEvaluator
) -> None:
    number, budget_usd = 80, 1.0
    take_in(rows, open_ones(range(number)))
    # With some 1,500 tokens each, the money is good for a part of them.
    settings = model.settings | {"EVAL_PRICE": "20/20", "EVAL_DAILY_BUDGET_USD": str(budget_usd)}
    both = [start_evaluator(rows.database_url, EVAL_BATCH_SIZE="5", **settings) for _ in range(2)]
    until(lambda: all(error for _, _, error in waiting(rows)), within_s=PATIENCE_S)
    assert {(attempts, lease) for attempts, lease, _ in waiting(rows)} == {(0, None)}
    assert all("money" in error for _, _, error in waiting(rows))
    assert 0.3 * budget_usd < spent(rows) <= budget_usd
    assert 0 < len(model.asked) == len(labels(rows)) < number
    assert [one.end(signal.SIGTERM) for one in both] == [0, 0]

    due_now(rows)
    ran = aura("evaluate", "--json", folder=rows.folder, settings={
        **settings, "AURA_DATABASE_URL": rows.database_url, "EVAL_BUDGET_SPENT": "leave",
    })  # fmt: skip
    assert ran.returncode == 0
    left = rows.rows("SELECT label, reason, method FROM voice_evaluations WHERE method = 'rules'")
    assert left == [("REVIEW", "budget_spent", "rules")] * (number - len(model.asked))
    assert len(left) > 0
    assert len(labels(rows)) == number
    assert spent(rows) <= budget_usd


def spent(rows: Service) -> float:
    [(usd,)] = rows.rows("SELECT sum(cost_usd) FROM judge_calls")
    found: float = usd
    return found


@pytest.mark.backends("sqlite")
def test_a_wrong_key_is_told_once_keeps_the_queue_and_harms_nobody_else(
    rows: Service, model: Model, start_evaluator: StartEvaluator
) -> None:
    number = 100
    ruled = [event for n in range(50) for event in (query(f"r{n}"), outcome(f"r{n}", error_flag=1))]
    take_in(rows, open_ones(range(number)) + ruled)
    wrong = model.settings | {"GEMINI_API_KEY": "a-wrong-key"}
    watching = start_evaluator(rows.database_url, **wrong)
    until(lambda: len(labels(rows)) == 50 and all(error for _, _, error in waiting(rows)), within_s=PATIENCE_S)
    assert 0 < len(model.asked) <= 4
    take_in(rows, [query("later"), outcome("later", error_flag=1)])
    until(lambda: "later" in labels(rows), within_s=PATIENCE_S)
    assert {(attempts, lease) for attempts, lease, _ in waiting(rows)} == {(0, None)}
    assert len(waiting(rows)) == number
    assert watching.times_logged("judge_refused") == 1
    assert watching.end(signal.SIGTERM) == 0

    due_now(rows)
    asked = len(model.asked)
    ran = aura("evaluate", folder=rows.folder, settings=wrong | {"AURA_DATABASE_URL": rows.database_url})
    assert ran.returncode == 0
    assert b"wait for the judge" in ran.stdout
    assert b"judge_refused" in ran.stderr
    assert b"a-wrong-key" not in ran.stdout + ran.stderr
    assert len(model.asked) <= asked + 4

    due_now(rows)
    start_evaluator(rows.database_url, **model.settings)
    until(lambda: not waiting(rows), within_s=PATIENCE_S)
    assert {id: label for id, label in labels(rows).items() if id.startswith("q")} == {
        f"q{n}": verdict(n)["label"] for n in range(number)
    }
    assert KEY not in json.dumps(watching.log())


@pytest.mark.backends("sqlite")
def test_after_an_outage_they_come_back_slowly(rows: Service, model: Model, start_evaluator: StartEvaluator) -> None:
    number = 150
    model.behave = lambda _: Plan(fail=Fail(503))
    take_in(rows, open_ones(range(number)))
    settings = model.settings | QUICK | {"EVAL_CONCURRENCY": "50", "EVAL_LEASE_SECONDS": "300"}
    watching = start_evaluator(rows.database_url, **settings)
    until(lambda: watching.has_logged("judge_rests"), within_s=PATIENCE_S)
    # So slow that it isn't for want of speed if few are in flight.
    during, model.behave = len(model.asked), lambda n: Plan(delay=Delay(0.5), reply=well(n).reply)
    until(lambda: not waiting(rows), within_s=PATIENCE_S)
    assert len(labels(rows)) == number
    assert watching.times_logged("judge_rests") == 1
    assert during < 50, "an outage isn't hammered at"
    after = [one for one in model.asked if one.ended >= during]
    assert max(one.in_flight for one in after) > 16, "it comes back at all"
    assert all(one.in_flight <= 1 + one.ended - during for one in after), "one, and one more with each answer"
