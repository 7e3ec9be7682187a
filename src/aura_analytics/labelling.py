"""The part of the composition root that labels: rules, judges, gates and evaluators meet here. Nothing is made at import."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.batch import Batches
from aura_analytics.evaluation.breaker import Breaker
from aura_analytics.evaluation.candidate import candidates
from aura_analytics.evaluation.gate import PATIENCE_S, Limits, StoreGate
from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.job import Jobs
from aura_analytics.evaluation.judgement import Gate, Judge
from aura_analytics.evaluation.rubric import Rubric, default_rubric, read_rubric
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import default_rules, read_rules
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.settings import Settings
from aura_analytics.spans import Tracer
from aura_analytics.store import Store

# A request to a model that hasn't ended so long after its time limit never will.
LOST_S = 10.0


def prepare_judge(settings: Settings) -> Callable[[Gate], Judge] | None:
    """Look at all that can be wrong about the judge that the settings name; give what makes it. Without a key: None.

    Raises:
        SettingsError: the model isn't known or its package not there, or the rubric can't be read.
    """
    named, rubric = candidates(settings), make_rubric(settings)
    if not named:
        return None
    # Imported here, since the SDK takes two seconds to load and most commands never ask a model.
    from aura_analytics.evaluation.provider import judge_of  # noqa: PLC0415

    return judge_of(settings, named, rubric)


@asynccontextmanager
async def judging(
    settings: Settings, store: Store, prepared: Callable[[Gate], Judge] | None
) -> AsyncIterator[Judge | None]:
    """Have a judge behind a gate until the end of the block, if one is prepared."""
    judge = prepared(make_gate(settings, store)) if prepared else None
    try:
        yield judge
    finally:
        if judge is not None:
            await judge.aclose()


def make_jobs(settings: Settings) -> Jobs:
    """Make what takes whole batches of the model that the settings name, without a word to the network.

    Raises:
        SettingsError: it isn't one model of Gemini's that is named, or the rubric can't be read.
    """
    from aura_analytics.evaluation.gemini import gemini_jobs  # noqa: PLC0415 (as above)

    return gemini_jobs(settings, candidates(settings), make_rubric(settings))


def make_batches(settings: Settings, store: Store, jobs: Jobs, rules: tuple[Rule, ...] | None = None) -> Batches:
    """Make what hands over what is due as batches; without any rules, by those of the package first."""
    longest_s = max(settings.eval_lease_seconds, 2 * settings.eval_timeout_seconds)
    return Batches(
        store,
        jobs,
        make_terms(settings, rules),
        budget_usd=settings.eval_daily_budget_usd or None,
        hold_ms=round(longest_s * 1000),
    )


def make_gate(settings: Settings, store: Store) -> StoreGate:
    """Make the gate that all judges of this process pass."""
    limits = Limits(
        rpm=settings.eval_rpm or None,
        tpm=settings.eval_tpm or None,
        budget_usd=settings.eval_daily_budget_usd or None,
    )
    lost_after_s = settings.eval_timeout_seconds + LOST_S
    # Whoever waits for a turn holds a lease meanwhile.
    patience_s = min(PATIENCE_S, settings.eval_lease_seconds / 10)
    return StoreGate(store, limits, patience_s=patience_s, make_breaker=partial(Breaker, lost_after_s=lost_after_s))


def make_rubric(settings: Settings) -> Rubric:
    """Make the rubric that the settings name; by default that of the package.

    Raises:
        SettingsError: the file can't be read, or is none.
    """
    if not settings.eval_rubric:
        return default_rubric()
    try:
        return read_rubric(Path(settings.eval_rubric))
    except SettingsError as error:
        raise SettingsError(f"EVAL_RUBRIC: {error}") from error


def make_rules(settings: Settings) -> tuple[Rule, ...]:
    """Make the rules that the settings name; by default those of the package.

    Raises:
        SettingsError: the file can't be read, or says something that isn't known.
    """
    if not settings.eval_rules:
        return default_rules()
    try:
        return read_rules(Path(settings.eval_rules))
    except SettingsError as error:
        raise SettingsError(f"EVAL_RULES: {error}") from error


def make_terms(settings: Settings, rules: tuple[Rule, ...] | None = None, tracer: Tracer | None = None) -> Terms:
    """Make the terms by which an evaluator works; without any rules, with those of the package."""
    return Terms(
        rules=default_rules() if rules is None else rules,
        batch_size=settings.eval_batch_size,
        concurrency=settings.eval_concurrency,
        lease_ms=round(settings.eval_lease_seconds * 1000),
        max_attempts=settings.eval_max_attempts,
        first_pause_ms=round(settings.eval_retry_seconds * 1000),
        sample_rate=settings.eval_sample_rate,
        session_turns=settings.eval_session_turns,
        budget_spent=settings.eval_budget_spent,
        tracer=tracer,
    )


def make_evaluator(
    settings: Settings,
    store: Store,
    judge: Judge | None,
    rules: tuple[Rule, ...] | None = None,
    tracer: Tracer | None = None,
) -> Evaluator:
    """Make the evaluator over a store, a judge, and rules; without any, those of the package."""
    return Evaluator(store, judge, make_terms(settings, rules, tracer))
