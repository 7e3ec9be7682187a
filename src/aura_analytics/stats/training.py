"""Labelled interactions for those who train the model: as a list, or as chat examples without end."""

from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec

from aura_analytics.events.records import Label
from aura_analytics.projection import Question
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Format = Literal["openai", "anthropic", "gemini"]

# Examples that are in memory at once, however many are asked for.
CHUNK_ROWS = 2_000

# The labelled interactions of a window, newest first.
DATASET = """
SELECT query_text, answer_text, store_id, intent, model_name, action_taken, created_at
FROM {rows}
WHERE label = $label
ORDER BY created_at DESC, id DESC
LIMIT $limit
"""

IS_EXAMPLE = """
label = $label AND answer_text IS NOT NULL AND confidence >= $min_confidence
AND (latency_ms IS NULL OR latency_ms <= $max_latency)
"""

# Where to cut the examples into chunks: the moment of every so many, newest first.
CUTS = f"""
SELECT DISTINCT created_at FROM (
    SELECT created_at, row_number() OVER (ORDER BY created_at DESC) AS n FROM {{rows}} WHERE {IS_EXAMPLE}
) WHERE n % {CHUNK_ROWS} = 0 ORDER BY created_at DESC
"""

# One chunk of them: older than the last cut, not older than the next.
CHUNK = f"""
SELECT query_text, answer_text FROM {{rows}}
WHERE {IS_EXAMPLE} AND ($before IS NULL OR created_at < $before) AND ($not_before IS NULL OR created_at >= $not_before)
ORDER BY created_at DESC, id DESC
"""


class LabelledInteraction(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled interaction. `completion` is None where the answer's text isn't known."""

    prompt: str
    completion: str | None
    store_id: str
    intent: str | None
    model_name: str | None
    action_taken: str | None
    created_at: int


class ExampleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which interactions make examples. An unknown latency passes; `limit` None is all."""

    label: Label = "GOOD"
    min_confidence: float = 0.8
    max_latency_ms: float = 8_000
    limit: int | None = None


async def dataset(reader: Reader, scope: Scope, label: Label, limit: int) -> list[LabelledInteraction]:
    """List labelled interactions, newest first."""
    rows = await reader.ask(Question(sql=DATASET, about=scope, parameters={"label": label, "limit": limit}))
    return [
        LabelledInteraction(
            prompt=prompt,
            completion=completion,
            store_id=store_id,
            intent=intent,
            model_name=model_name,
            action_taken=action_taken,
            created_at=created_at,
        )
        for prompt, completion, store_id, intent, model_name, action_taken, created_at in rows
    ]


async def examples(reader: Reader, scope: Scope, chosen: ExampleFilter, form: Format) -> AsyncIterator[bytes]:
    """Give chat examples as NDJSON, a chunk at a time, newest first; memory doesn't grow with their number."""
    parameters = {
        "label": chosen.label,
        "min_confidence": chosen.min_confidence,
        "max_latency": chosen.max_latency_ms,
    }
    cuts: list[int | None] = [
        cut for (cut,) in await reader.ask(Question(sql=CUTS, about=scope, parameters=parameters))
    ]
    left = chosen.limit
    encoder = msgspec.json.Encoder()
    for before, not_before in zip([None, *cuts], [*cuts, None], strict=True):
        chunk = parameters | {"before": before, "not_before": not_before}
        rows = await reader.ask(Question(sql=CHUNK, about=scope, parameters=chunk))
        if left is not None:
            rows = rows[:left]
            left -= len(rows)
        if rows:
            yield encoder.encode_lines([example(prompt, completion, form) for prompt, completion in rows])
        if left == 0:
            return


def example(prompt: str, completion: str, form: Format) -> dict[str, Any]:  # Any: each provider's own shape
    """Write one turn as the provider's tuning takes it."""
    if form == "gemini":
        return {
            "contents": [
                {"role": "user", "parts": [{"text": prompt}]},
                {"role": "model", "parts": [{"text": completion}]},
            ]
        }
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]}
