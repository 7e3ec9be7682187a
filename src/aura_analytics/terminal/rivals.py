"""The command that holds two judges against each other: both judge the same stored interactions, whose labels stay."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from aura_analytics import labelling
from aura_analytics.errors import SettingsError
from aura_analytics.evaluation import trial as trials
from aura_analytics.evaluation.judgement import Case, Gate, Judge, Judgement
from aura_analytics.evaluation.trial import Trial
from aura_analytics.events.records import LABELS, Label
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.stats.rivals import Contest, Effort, contest, effort, flipped
from aura_analytics.store import Store
from aura_analytics.store.judging import Choice
from aura_analytics.terminal.naming import named
from aura_analytics.terminal.screen import progress

DEFAULT_LIMIT, MOST = 100, 10_000
# Verdicts that are read at once.
BATCH = 1_000


class Rival(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the two: as it was named, what it is, which labels it gave, why it gave none, and what it took."""

    name: str
    model: str
    rubrics: list[str]
    labels: dict[Label, int]
    failures: dict[str, int]
    effort: Effort


class Example(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An interaction that the two labelled differently, why each did, and people's label if there is one."""

    query_id: str
    query_text: str
    answer_text: str | None
    a: Judgement
    b: Judgement
    people: Label | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Two judges over the same interactions; `examples` are all that they labelled differently."""

    interactions: int
    a: Rival
    b: Rival
    contest: Contest
    examples: list[Example]


async def compare(settings: Settings, names: Sequence[str], choice: Choice, limit: int) -> Comparison:
    """Have two judges judge up to so many interactions of a choice, the same each time; requests count and are noted.

    Args:
        settings: what the names leave open.
        names: of the two.
        choice: which interactions.
        limit: how many at most.

    Raises:
        SettingsError: a name is none, or there is no key for its model.
        StoreUnavailable: the database can't be used.
    """
    prepared = [await asyncio.to_thread(_prepared, settings, name) for name in names]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened_store(settings))
        gate = labelling.make_gate(settings, store)
        judges = [make(gate) for make in prepared]
        for judge in judges:
            stack.push_async_callback(judge.aclose)
        chosen = await store.choose(choice, limit)
        cases = await trials.cases(store, chosen, settings.eval_session_turns)
        with progress("judging", len(judges) * len(cases)) as meter:
            found = await trials.tried(
                store,
                judges,
                cases,
                concurrency=settings.eval_concurrency,
                on_progress=lambda done: meter.set(done, f"{done:,} of {len(judges) * len(cases):,}"),
            )
        return told(names, judges, cases, found, await _by_people(store, cases))


def _prepared(settings: Settings, name: str) -> Callable[[Gate], Judge]:
    """Give what makes the judge of a name; before any database is opened, since much can be wrong about it."""
    make = labelling.prepare_judge(named(settings, name))
    if make is None:
        raise SettingsError(f"{name}: its model has no key")
    return make


async def _by_people(store: Store, cases: Sequence[Case]) -> dict[str, Label]:
    ids = [case.interaction.query.id for case in cases]
    found: dict[str, Label] = {}
    for start in range(0, len(ids), BATCH):
        verdicts = await store.verdicts(ids[start : start + BATCH])
        found |= {one.query_id: one.label for one in verdicts if one.evaluated_by == "human" and one.label in LABELS}
    return found


def told(
    names: Sequence[str],
    judges: Sequence[Judge],
    cases: Sequence[Case],
    trials: Sequence[Trial],
    people: Mapping[str, Label],
) -> Comparison:
    """Say what was found, as it is printed."""
    a, b = (_rival(*one) for one in zip(names, judges, trials, strict=True))
    of_a, of_b = ({id: one.label for id, one in trial.judgements.items()} for trial in trials)
    by_id = {case.interaction.query.id: case for case in cases}
    said_a, said_b = (trial.judgements for trial in trials)
    return Comparison(
        interactions=len(cases),
        a=a,
        b=b,
        contest=contest(of_a, of_b, people),
        examples=[_example(by_id[id], said_a[id], said_b[id], people.get(id)) for id in flipped(of_a, of_b)],
    )


def _rival(name: str, judge: Judge, trial: Trial) -> Rival:
    labels = Counter(one.label for one in trial.judgements.values())
    rubrics = {one.rubric for one in trial.calls}
    return Rival(
        name=name,
        model=judge.name,
        rubrics=sorted(rubrics),
        labels={label: labels[label] for label in LABELS},
        failures=dict(trial.failures.most_common()),
        effort=effort(trial.calls, len(trial.judgements)),
    )


def _example(case: Case, a: Judgement, b: Judgement, people: Label | None) -> Example:
    outcome = case.interaction.outcome
    return Example(
        query_id=case.interaction.query.id,
        query_text=case.interaction.query.query_text,
        answer_text=outcome.answer_text if outcome else None,
        a=a,
        b=b,
        people=people,
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Give a comparison as JSON has it. Any: what JSON can hold."""
    found: dict[str, Any] = msgspec.to_builtins(comparison)
    return found
