"""One interaction with all that belongs to it, and the conversation around it."""

from typing import Any, Protocol

import msgspec

from aura_analytics.errors import StatisticsOff
from aura_analytics.events.records import Extra, InteractionDetails, Verdict, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.projection import Question, Slice
from aura_analytics.stats.reader import Reader

# Turns that are shown before an interaction, and after it.
AROUND = 20

# From when to when a session of a store went; in one row if it is known.
EXTENT = """
SELECT first_at, last_at FROM sessions
WHERE key = hash($session) AND session_id = $session AND store_id = $store
"""

# The turns of a session around one of them, in their order; what was said next is only told where it says the same.
TURNS = f"""
SELECT id, created_at, query_text, intent, answer_text, latency_ms, action_taken, action_success, error_flag, label,
       rephrased, repeated, cause, CASE WHEN rephrased OR repeated THEN next_id END
FROM (
    SELECT *, max(place) FILTER (WHERE id = $id) OVER () AS middle
    FROM (SELECT *, row_number() OVER (ORDER BY created_at, id) AS place FROM {{turns}})
)
WHERE place BETWEEN middle - {AROUND} AND middle + {AROUND}
ORDER BY place
"""


class Query(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A query as it was told; `extra` holds the caller's own fields."""

    id: str
    store_id: str
    session_id: str | None
    user_id: str | None
    created_at: int
    received_at: int
    query_text: str
    query_source: str
    transcription_confidence: float | None
    audio_duration_ms: int | None
    intent: str | None
    fast_path: bool
    correlation_id: str | None
    extra: Extra | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of it. Any: names of tools, or whatever call objects the assistant's tools have."""

    occurred_at: int
    received_at: int
    answer_text: str | None
    model_name: str | None
    latency_ms: float | None
    tokens_prompt: int | None
    tokens_completion: int | None
    tokens_total: int | None
    cost_usd: float | None
    action_taken: str | None
    action_success: bool | None
    error_flag: bool | None
    error_message: str | None
    tool_calls: list[Any] | None
    correlation_id: str | None
    extra: Extra | None


class Judgement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A label, why, how sure, and by whom: `method` is `rules`, a model's name, or a person's.

    `rubric` is the instructions that a model had, the rest what all its requests for this label took.
    """

    label: str
    reason: str
    confidence: float
    evaluated_at: int
    evaluated_by: str
    method: str
    explanation: str | None
    rubric: str | None
    tokens_prompt: int | None
    tokens_completion: int | None
    cost_usd: float | None
    duration_ms: float | None


class Conversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A conversion that names the query."""

    id: str
    occurred_at: int
    received_at: int
    value: float | None
    currency: str | None
    order_id: str | None
    store_id: str | None
    session_id: str | None
    correlation_id: str | None
    extra: Extra | None


class Turn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A turn of the conversation. `next_id`: the turn that says the same again, rephrased or repeated."""

    id: str
    created_at: int
    query_text: str
    intent: str | None
    answer_text: str | None
    latency_ms: float | None
    action_taken: str | None
    action_success: bool | None
    error_flag: bool | None
    label: str | None
    rephrased: bool
    repeated: bool
    cause: str | None
    next_id: str | None


class Details(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One interaction.

    `verdict` is the label that stands, `history` those before it, latest first. `turns` are the session's around it and
    itself, in their order; `rephrased`, `repeated` and `cause` are its own, `said_again` the turn that says the same.
    A server that keeps no statistics knows nothing of the conversation: no turns, and None.
    """

    query: Query
    outcome: Outcome | None
    verdict: Judgement | None
    history: list[Judgement]
    conversions: list[Conversion]
    rephrased: bool | None
    repeated: bool | None
    said_again: Turn | None
    cause: str | None
    turns: list[Turn]


class Rows(Protocol):
    """What is asked of the row database."""

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one interaction with all that belongs to it; None where the query isn't there."""


async def details(rows: Rows, reader: Reader, query_id: str) -> Details | None:
    """Give one interaction; None where there is none of that id."""
    found = await rows.interaction(query_id)
    if found is None:
        return None
    try:
        turns = await _turns(reader, found.query)
        known = True
    except StatisticsOff:
        turns, known = [], False
    by_id = {turn.id: turn for turn in turns}
    itself = by_id.get(query_id)
    return Details(
        query=_query(found.query),
        outcome=None if found.outcome is None else _outcome(found.outcome),
        verdict=None if found.verdict is None else judgement(found.verdict),
        history=[judgement(verdict) for verdict in found.history],
        conversions=[_conversion(conversion) for conversion in found.conversions],
        rephrased=(itself is not None and itself.rephrased) if known else None,
        repeated=(itself is not None and itself.repeated) if known else None,
        said_again=None if itself is None or itself.next_id is None else by_id.get(itself.next_id),
        cause=None if itself is None else itself.cause,
        turns=turns,
    )


async def _turns(reader: Reader, query: VoiceQuery) -> list[Turn]:
    """Read the conversation; without a session it is the one turn."""
    moments = [query.created_at]
    if query.session_id is not None:
        of_session = {"session": query.session_id, "store": query.store_id}
        moments += [moment for row in await reader.ask(Question(sql=EXTENT, parameters=of_session)) for moment in row]
    about = Slice(start=min(moments), end=max(moments), stores=(query.store_id,), session=query.session_id)
    sql = TURNS if query.session_id is not None else TURNS.replace("{turns}", "(SELECT * FROM {turns} WHERE id = $id)")
    question = Question(sql=sql, parameters={"id": query.id}, about=about, answered_until=reader.answered_until)
    fields = Turn.__struct_fields__
    return [Turn(**dict(zip(fields, row, strict=True))) for row in await reader.ask(question)]


def _query(query: VoiceQuery) -> Query:
    return Query(transcription_confidence=query.transcription_conf, **_shared(query, Query))


def _outcome(outcome: VoiceOutcome) -> Outcome:
    return Outcome(**_shared(outcome, Outcome))


def judgement(verdict: Verdict) -> Judgement:
    """Give a verdict as answers show it."""
    return Judgement(**_shared(verdict, Judgement))


def _conversion(conversion: VoiceConversion) -> Conversion:
    return Conversion(**_shared(conversion, Conversion))


def _shared(record: msgspec.Struct, kind: type[msgspec.Struct]) -> dict[str, Any]:  # Any: a record's own values
    """Give the values of a record that an answer has fields of the same name for."""
    names = set(record.__struct_fields__) & set(kind.__struct_fields__)
    return {name: getattr(record, name) for name in names}
