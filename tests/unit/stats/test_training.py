"""Training data, by the contract's own sentences."""

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest

from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.training import CHUNK_ROWS, ExampleFilter, Format, dataset, examples
from contract.making import NOW, outcome, query, verdict

Loaded = Callable[..., AbstractAsyncContextManager[ColumnReader]]

PROMPT, COMPLETION = 'wo sind "die" 🍎?\n', "Gang 3 \u2028\\"


async def lines(reader: ColumnReader, chosen: ExampleFilter, form: Format = "openai") -> list[Any]:
    text = b"".join([piece async for piece in examples(reader, Scope(), chosen, form)])
    return [json.loads(line) for line in text.splitlines()]


def completions(found: list[Any]) -> list[str]:
    return [line["messages"][1]["content"] for line in found]


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (
            "openai",
            {"messages": [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": COMPLETION}]},
        ),
        (
            "anthropic",
            {"messages": [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": COMPLETION}]},
        ),
        (
            "gemini",
            {
                "contents": [
                    {"role": "user", "parts": [{"text": PROMPT}]},
                    {"role": "model", "parts": [{"text": COMPLETION}]},
                ]
            },
        ),
    ],
)
async def test_an_example_has_the_shape_of_its_provider(loaded: Loaded, form: Format, line: dict[str, Any]) -> None:
    events = [query("a", query_text=PROMPT), outcome("a", answer_text=COMPLETION)]
    async with loaded(events, {"a": verdict("a", "GOOD", confidence=0.9)}) as reader:
        assert await lines(reader, ExampleFilter(), form) == [line]


async def test_by_default_only_what_is_surely_good_and_quick_is_an_example(loaded: Loaded) -> None:
    told: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
        "sure": ({"latency_ms": 8_000}, {"confidence": 0.8}),
        "latency unknown": ({}, {"confidence": 1}),
        "unsure": ({}, {"confidence": 0.79}),
        "slow": ({"latency_ms": 8_000.5}, {"confidence": 1}),
        "bad": ({}, {"label": "BAD", "confidence": 1}),
        "review": ({}, {"label": "REVIEW", "confidence": 1}),
        "not labelled": ({}, None),
        "not answered": ({"answer_text": None}, {"confidence": 1}),
        "no outcome": (None, {"confidence": 1}),
    }
    events = [query(id) for id in told] + [
        outcome(id, **{"answer_text": id} | fields) for id, (fields, _) in told.items() if fields is not None
    ]
    verdicts = {id: verdict(id, **fields) for id, (_, fields) in told.items() if fields is not None}
    async with loaded(events, verdicts) as reader:
        assert sorted(completions(await lines(reader, ExampleFilter()))) == ["latency unknown", "sure"]
        every = ExampleFilter(label="BAD", min_confidence=0, max_latency_ms=1e12)
        assert completions(await lines(reader, every)) == ["bad"]


async def test_more_examples_than_are_in_memory_at_once_come_once_each_and_the_newest_first(loaded: Loaded) -> None:
    """Many share their moment, also where one piece ends and the next begins."""
    count = 2 * CHUNK_ROWS + 500
    moments = {f"q{n:05}": NOW - n // 7 * (n % 3 > 0) - n // 700 for n in range(count)}
    events = [
        event for id, moment in moments.items() for event in (query(id, created_at=moment), outcome(id, answer_text=id))
    ]
    verdicts = {id: verdict(id, confidence=1) for id in moments}
    async with loaded(events, verdicts) as reader:
        found = completions(await lines(reader, ExampleFilter()))
        assert sorted(found) == sorted(moments)
        assert [moments[id] for id in found] == sorted(moments.values(), reverse=True)
        for limit in (1, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, count, count + 1):
            assert completions(await lines(reader, ExampleFilter(limit=limit))) == found[:limit]


async def test_a_dataset_lists_every_labelled_interaction_the_newest_first(loaded: Loaded) -> None:
    events = [
        query("a", created_at=NOW - 2, query_text="milk", intent="find", store_id="shop"),
        outcome("a", answer_text="aisle 3", model_name="gemini", action_taken="FAQ"),
        query("b", created_at=NOW - 1, query_text="bread"),
        query("c", query_text="eggs"),
    ]
    verdicts = {"a": verdict("a", "GOOD", confidence=0), "b": verdict("b", "GOOD"), "c": verdict("c", "BAD")}
    async with loaded(events, verdicts) as reader:
        found = msgspec.to_builtins(await dataset(reader, Scope(), "GOOD", 20))
    assert found == [
        {
            "prompt": "bread",
            "completion": None,
            "store_id": "shop",
            "intent": None,
            "model_name": None,
            "action_taken": None,
            "created_at": NOW - 1,
        },
        {
            "prompt": "milk",
            "completion": "aisle 3",
            "store_id": "shop",
            "intent": "find",
            "model_name": "gemini",
            "action_taken": "FAQ",
            "created_at": NOW - 2,
        },
    ]
