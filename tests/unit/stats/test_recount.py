"""Every figure, over whatever interactions, is what a plain count in Python gives that follows the contract's words."""

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from aura_analytics.events.records import LABELS, Label, Verdict, VoiceOutcome, VoiceQuery
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.hourly import hourly
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import summary
from aura_analytics.stats.top_queries import top_queries
from aura_analytics.stats.training import ExampleFilter, dataset, examples
from aura_analytics.stats.unanswered import unanswered
from contract.making import GRACE_MS, NOW, outcome, query, verdict
from trying import tried
from unit.stats.conftest import settle

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]

HOUR = 3_600_000
THIS_HOUR = NOW // HOUR * HOUR
ALL = 100_000

# Where a window, an hour or the grace time begins or ends, and the moments beside it.
EDGES = [NOW - 24 * HOUR, NOW - HOUR, THIS_HOUR - HOUR, THIS_HOUR, NOW - GRACE_MS, NOW]
MOMENTS = [0, NOW + 5 * HOUR, *(edge + near for edge in EDGES for near in (-1, 0, 1))]


class Told(msgspec.Struct, frozen=True):
    """One interaction as it was told to the service."""

    query: VoiceQuery
    outcome: VoiceOutcome | None
    verdict: Verdict | None


asked = st.fixed_dictionaries(
    {
        "store_id": st.sampled_from(["a", "b"]),
        "query_text": st.sampled_from(["milk", "Milk", "wo ist das 🍎?", ""]),
        "intent": st.sampled_from([None, "find", ""]),
        "session_id": st.sampled_from([None, "s1", "s2", "s3"]),
        "created_at": st.sampled_from(MOMENTS),
    }
)
flag = st.sampled_from([None, True, False])
done: st.SearchStrategy[dict[str, Any] | None] = st.none() | st.fixed_dictionaries(
    {
        "latency_ms": st.sampled_from([None, 0, 0.1, 812.5, 7_999, 8_000, 8_000.5, 10_001, 1e9]),
        "cost_usd": st.sampled_from([None, 0, 1e-9, 0.1, 0.2, 0.007]),
        "action_success": flag,
        "error_flag": flag,
        "answer_text": st.sampled_from([None, "", "aisle 3 🍎"]),
        "model_name": st.sampled_from([None, "gemini"]),
        "action_taken": st.sampled_from([None, "CART_ADD", "false"]),
    }
)
judged = st.none() | st.tuples(st.sampled_from(LABELS), st.sampled_from([0, 0.5, 0.79, 0.8, 1]))


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """Some interactions; the answers' texts tell them apart."""
    told = []
    for n, (of_query, of_outcome, of_verdict) in enumerate(draw(st.lists(st.tuples(asked, done, judged), max_size=40))):
        id = f"q{n:02}"
        if of_outcome and of_outcome["answer_text"]:
            of_outcome["answer_text"] = f"{of_outcome['answer_text']} {n}"
        told.append(
            Told(
                query(id, **of_query),
                None if of_outcome is None else outcome(id, **of_outcome),
                None if of_verdict is None else verdict(id, of_verdict[0], confidence=of_verdict[1]),
            )
        )
    return told


def between(one: int | None, other: int | None) -> dict[str, str | None]:
    """A window as it stands in a query string; the earlier moment first."""
    if one is not None and other is not None:
        one, other = min(one, other), max(one, other)
    return {"from": None if one is None else str(one), "to": None if other is None else str(other)}


end = st.none() | st.sampled_from(MOMENTS)
windows = st.one_of(
    st.fixed_dictionaries({"period": st.sampled_from([None, "all", "1h", "60m", "24h", "7d"])}),
    st.builds(between, end, end),
)
questions = st.lists(st.tuples(st.sampled_from([None, "a", "b", "nobody"]), windows), min_size=1, max_size=3)
limits = st.sampled_from([1, 2, 5])


# The plain count.


def in_scope(told: Told, scope: Scope) -> bool:
    return (
        scope.store in (None, told.query.store_id)
        and (scope.start is None or told.query.created_at >= scope.start)
        and (scope.end is None or told.query.created_at <= scope.end)
    )


def successful(told: Told) -> bool:
    """“`action_success` is 1”."""
    return told.outcome is not None and told.outcome.action_success is True


def failed(told: Told) -> bool:
    """“`action_success` is 0 or `error_flag` is 1”."""
    return told.outcome is not None and (told.outcome.action_success is False or told.outcome.error_flag is True)


def reasons(told: Told) -> set[str]:
    """“`error`, `action_failed`, `bad_quality` (label BAD), `needs_review` (label REVIEW), …”."""
    found = set()
    if told.outcome is None:
        if NOW - told.query.created_at >= GRACE_MS:
            found.add("no_response")
    else:
        if told.outcome.error_flag is True:
            found.add("error")
        if told.outcome.action_success is False:
            found.add("action_failed")
        if told.outcome.latency_ms is not None and told.outcome.latency_ms > 8_000:
            found.add("slow_response")
    if told.verdict is not None and told.verdict.label == "BAD":
        found.add("bad_quality")
    if told.verdict is not None and told.verdict.label == "REVIEW":
        found.add("needs_review")
    return found


def average_latency(history: list[Told]) -> Any:
    """“Averages leave absent values out”."""
    known = [told.outcome.latency_ms for told in history if told.outcome and told.outcome.latency_ms is not None]
    return pytest.approx(math.fsum(known) / len(known), rel=1e-12) if known else None


def cost(history: list[Told]) -> Any:
    return pytest.approx(math.fsum(told.outcome.cost_usd or 0 for told in history if told.outcome), abs=1e-9)


def sessions(history: list[Told]) -> int:
    return len({told.query.session_id for told in history} - {None})


def by_text(history: list[Told]) -> dict[tuple[str, str | None], list[Told]]:
    groups = defaultdict(list)
    for told in history:
        groups[told.query.query_text, told.query.intent].append(told)
    return groups


# The comparisons.


async def compare_summary(reader: ColumnReader, scope: Scope, history: list[Told]) -> None:
    found = await summary(reader, scope)
    assert found.store_id == (scope.store or "all")
    assert found.period == scope.period
    assert found.total_queries == len(history)
    assert found.successful_queries == sum(map(successful, history))
    assert found.failed_queries == sum(map(failed, history))
    assert found.average_latency_ms == average_latency(history)
    assert found.total_cost_usd == cost(history)
    assert found.unique_sessions == sessions(history)
    missed = sum(bool(reasons(told) - {"slow_response"}) for told in history)
    assert found.unanswered_rate == (pytest.approx(missed / len(history)) if history else 0)
    assert 0 <= found.conversion_rate <= 1


async def compare_top_queries(reader: ColumnReader, scope: Scope, history: list[Told], limit: int) -> None:
    expected: dict[tuple[str, str | None], Any] = {
        key: (len(group), average_latency(group), pytest.approx(100 * sum(map(successful, group)) / len(group)))
        for key, group in by_text(history).items()
    }
    found = await top_queries(reader, scope, ALL)
    assert {
        (row.query_text, row.intent): (row.count, row.avg_latency_ms, row.success_rate) for row in found
    } == expected
    assert len(found) == len(expected)
    assert [row.count for row in found] == sorted((row.count for row in found), reverse=True)
    assert await top_queries(reader, scope, limit) == found[:limit]


async def compare_unanswered(reader: ColumnReader, scope: Scope, history: list[Told], limit: int) -> None:
    expected = {
        key: (
            len(group),
            max(told.query.created_at for told in group),
            set.union(*map(reasons, group)),
        )
        for key, group in by_text([told for told in history if reasons(told)]).items()
    }
    found = await unanswered(reader, scope, ALL)
    assert {
        (row.query_text, row.intent): (row.occurrences, row.last_seen, set(row.reasons)) for row in found
    } == expected
    assert len(found) == len(expected)
    assert all(len(set(row.reasons)) == len(row.reasons) for row in found)
    assert [row.occurrences for row in found] == sorted((row.occurrences for row in found), reverse=True)
    assert await unanswered(reader, scope, limit) == found[:limit]


async def compare_hourly(reader: ColumnReader, scope: Scope, history: list[Told], limit: int) -> None:
    groups = defaultdict(list)
    for told in history:
        groups[
            datetime.fromtimestamp(told.query.created_at / 1000, UTC).replace(minute=0, second=0, microsecond=0)
        ].append(told)
    found = await hourly(reader, scope, ALL)
    assert [
        (
            datetime.fromisoformat(row.hour),
            row.queries,
            row.successes,
            row.failures,
            row.avg_latency_ms,
            row.cost_usd,
            row.sessions,
        )
        for row in found
    ] == [
        (
            hour,
            len(group),
            sum(map(successful, group)),
            sum(map(failed, group)),
            average_latency(group),
            cost(group),
            sessions(group),
        )
        for hour, group in sorted(groups.items(), reverse=True)
    ]
    assert await hourly(reader, scope, limit) == found[:limit]


async def compare_dataset(reader: ColumnReader, scope: Scope, history: list[Told], limit: int) -> None:
    for label in LABELS:
        expected = Counter(
            (
                told.query.query_text,
                told.outcome.answer_text if told.outcome else None,
                told.query.store_id,
                told.query.intent,
                told.outcome.model_name if told.outcome else None,
                told.outcome.action_taken if told.outcome else None,
                told.query.created_at,
            )
            for told in history
            if told.verdict and told.verdict.label == label
        )
        found = await dataset(reader, scope, label, ALL)
        assert Counter(map(msgspec.structs.astuple, found)) == expected
        moments = [row.created_at for row in found]
        assert moments == sorted(moments, reverse=True)
        assert await dataset(reader, scope, label, limit) == found[:limit]


def turn(line: bytes, form: str) -> tuple[str, str]:
    """The two texts of a chat example, which must have the provider's shape and nothing else."""
    found = json.loads(line)
    if form == "gemini":
        [shopper, assistant] = found.pop("contents")
        assert not found
        assert (shopper["role"], assistant["role"]) == ("user", "model")
        assert shopper.keys() == assistant.keys() == {"role", "parts"}
        [[prompt], [completion]] = [[part["text"] for part in side["parts"]] for side in (shopper, assistant)]
        return prompt, completion
    [shopper, assistant] = found.pop("messages")
    assert not found
    assert (shopper["role"], assistant["role"]) == ("user", "assistant")
    assert shopper.keys() == assistant.keys() == {"role", "content"}
    return shopper["content"], assistant["content"]


async def compare_examples(
    reader: ColumnReader, scope: Scope, history: list[Told], label: Label, bounds: tuple[float, float]
) -> None:
    least, most = bounds
    expected = [
        told
        for told in history
        if told.verdict
        and told.verdict.label == label
        and told.verdict.confidence >= least
        and told.outcome
        and told.outcome.answer_text is not None
        and (told.outcome.latency_ms is None or told.outcome.latency_ms <= most)
    ]
    moments = {told.outcome.answer_text: told.query.created_at for told in expected if told.outcome}
    chosen = ExampleFilter(label=label, min_confidence=least, max_latency_ms=most)
    for form in ("openai", "anthropic", "gemini"):
        text = b"".join([piece async for piece in examples(reader, scope, chosen, form)])
        lines = text.split(b"\n")
        assert lines.pop() == b""
        turns = [turn(line, form) for line in lines]
        assert Counter(turns) == Counter(
            (told.query.query_text, told.outcome.answer_text) for told in expected if told.outcome
        )
        order = [moments[completion] for _, completion in turns if completion]
        assert order == sorted(order, reverse=True)
        few = msgspec.structs.replace(chosen, limit=2)
        some = b"".join([piece async for piece in examples(reader, scope, few, form)])
        assert some == b"".join(line + b"\n" for line in lines[:2])


@tried(6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=histories(),
    asked_for=questions,
    limit=limits,
    label=st.sampled_from(LABELS),
    bounds=st.tuples(st.sampled_from([0, 0.5, 0.8, 1]), st.sampled_from([0, 812.5, 8_000, 1e12])),
)
async def test_every_figure_is_that_of_a_plain_count(
    *,
    loaded: Loaded,
    history: list[Told],
    asked_for: list[tuple[str | None, dict[str, str | None]]],
    limit: int,
    label: Label,
    bounds: tuple[float, float],
) -> None:
    outcomes = [told.outcome for told in history if told.outcome]
    verdicts = {told.query.id: told.verdict for told in history if told.verdict}
    async with loaded([*outcomes, *(told.query for told in history)], verdicts) as reader:
        for settled, (store, window) in itertools.product([False, True], asked_for):
            if settled:
                await settle(reader)
            scope = scopes.parse({"store": store, **window}, now=NOW)
            counted = [told for told in history if in_scope(told, scope)]
            event(f"interactions in scope: {len(counted) // 10 * 10}+")
            await compare_summary(reader, scope, counted)
            await compare_top_queries(reader, scope, counted, limit)
            await compare_unanswered(reader, scope, counted, limit)
            await compare_hourly(reader, scope, counted, limit)
            await compare_dataset(reader, scope, counted, limit)
            await compare_examples(reader, scope, counted, label, bounds)
