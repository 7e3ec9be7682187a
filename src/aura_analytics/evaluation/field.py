"""What a rule may look at: the fields of an interaction, what each holds, and how it is read."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import msgspec

from aura_analytics.events.records import Interaction, QuerySource, VoiceOutcome

Kind = Literal["number", "text", "flag"]

# What gives a field's value, or None where it is absent. Any: a number, a text or a flag.
Read = Callable[[Interaction], Any]


class Field(msgspec.Struct, frozen=True):
    """One field: what it holds, how it is read, and its values where all of them are known beforehand."""

    kind: Kind
    read: Read
    values: tuple[str, ...] = ()


def _length_of_answer(outcome: VoiceOutcome) -> int | None:
    return None if outcome.answer_text is None else len(outcome.answer_text)


def _count_of_calls(outcome: VoiceOutcome) -> int | None:
    return None if outcome.tool_calls is None else len(outcome.tool_calls)


def _tokens(outcome: VoiceOutcome) -> int | None:
    """Give the total that the caller named, or else the sum of what they named."""
    if outcome.tokens_total is not None:
        return outcome.tokens_total
    known = [count for count in (outcome.tokens_prompt, outcome.tokens_completion) if count is not None]
    return sum(known) if known else None


# In the order of the documentation. Each is read by one function, and without an outcome what is of it is None: every rule
# asks for every interaction.
FIELDS: dict[str, Field] = {
    "store_id": Field("text", lambda asked: asked.query.store_id),
    "query_source": Field("text", lambda asked: asked.query.query_source, get_args(QuerySource)),
    "query_text": Field("text", lambda asked: asked.query.query_text),
    "query_text_length": Field("number", lambda asked: len(asked.query.query_text)),
    "transcription_conf": Field("number", lambda asked: asked.query.transcription_conf),
    "audio_duration_ms": Field("number", lambda asked: asked.query.audio_duration_ms),
    "intent": Field("text", lambda asked: asked.query.intent),
    "fast_path": Field("flag", lambda asked: asked.query.fast_path),
    "has_outcome": Field("flag", lambda asked: asked.outcome is not None),
    "answer_text": Field("text", lambda asked: (became := asked.outcome) and became.answer_text),
    "answer_text_length": Field("number", lambda asked: (became := asked.outcome) and _length_of_answer(became)),
    "model_name": Field("text", lambda asked: (became := asked.outcome) and became.model_name),
    "latency_ms": Field("number", lambda asked: (became := asked.outcome) and became.latency_ms),
    "tokens": Field("number", lambda asked: (became := asked.outcome) and _tokens(became)),
    "tokens_prompt": Field("number", lambda asked: (became := asked.outcome) and became.tokens_prompt),
    "tokens_completion": Field("number", lambda asked: (became := asked.outcome) and became.tokens_completion),
    "cost_usd": Field("number", lambda asked: (became := asked.outcome) and became.cost_usd),
    "action_taken": Field("text", lambda asked: (became := asked.outcome) and became.action_taken),
    "action_was_taken": Field("flag", lambda asked: (became := asked.outcome) and became.action_was_taken),
    "action_success": Field("flag", lambda asked: (became := asked.outcome) and became.action_success),
    "error_flag": Field("flag", lambda asked: (became := asked.outcome) and became.error_flag),
    "error_message": Field("text", lambda asked: (became := asked.outcome) and became.error_message),
    "tool_calls_count": Field("number", lambda asked: (became := asked.outcome) and _count_of_calls(became)),
}
