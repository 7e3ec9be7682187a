"""What a program says of a query, an outcome, a conversion, and the line of JSON that is made of it.

A line is written at once, with its id and its moment, so that it is the same at every try, in every process.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, NotRequired, Required, TypedDict
from uuid import uuid4

import msgspec

from aura_analytics.client.stderr import described
from aura_analytics.clock import now
from aura_analytics.errors import ParameterError
from aura_analytics.events.decode import Limits, decode_event
from aura_analytics.events.records import QuerySource
from aura_analytics.events.rejection import InvalidEvent

Moment = datetime | str | int
Kind = Literal["voice_query", "voice_outcome", "voice_conversion"]


class Query(TypedDict, total=False):
    """An utterance. `query_id` is made up where it is missing; `timestamp` is the present."""

    store_id: Required[str]
    query_text: Required[str]
    query_id: str | None
    timestamp: Moment | None
    session_id: str | None
    user_id: str | None
    query_source: QuerySource | None
    transcription_confidence: float | None
    audio_duration_ms: int | None
    intent: str | None
    fast_path: bool | None
    correlation_id: str | None


class Outcome(TypedDict, total=False):
    """What the assistant answered and did."""

    query_id: Required[str]
    timestamp: Moment | None
    answer_text: str | None
    model_name: str | None
    latency_ms: float | None
    tokens_prompt: int | None
    tokens_completion: int | None
    tokens_used: int | None
    cost_usd: float | None
    action_taken: str | bool | None
    action_success: bool | None
    error_flag: bool | None
    error_message: str | None
    tools_used: list[str] | None
    correlation_id: str | None


class Conversion(TypedDict, total=False):
    """What was bought. One of `query_id` and `session_id` has to be there."""

    conversion_id: str | None
    query_id: str | None
    session_id: NotRequired[str | None]
    store_id: str | None
    timestamp: Moment | None
    order_id: str | None
    value: float | None
    currency: str | None
    correlation_id: str | None


def new_id() -> str:
    """Make an id that nobody else makes."""
    return uuid4().hex


def is_named(value: object) -> bool:
    """Whether a field says something; what can't even tell whether it is true does."""
    try:
        return bool(value)
    except Exception:  # noqa: BLE001  # the caller's own value
        return True


def encoded(
    kind: Kind, fields: Mapping[str, object], most_bytes: int, own: Mapping[str, object] | None = None
) -> bytes:
    """Write an event as a line without its end; fields that are None are left out, and go before those of `own`.

    Raises:
        ParameterError: a value can't be written as JSON, or it is too large.
    """
    try:
        line = _written(kind, {**(own or {}), **fields})
    except Exception as error:  # whatever the caller's own values do when they are read
        raise ParameterError(f"an event can't be written as JSON: {described(error)}") from error
    if len(line) > most_bytes:
        raise ParameterError(f"an event takes at most {most_bytes} bytes")
    return line


def _written(kind: Kind, fields: Mapping[str, object]) -> bytes:
    moment = fields.get("timestamp")
    given = {name: value for name, value in fields.items() if value is not None}
    event = given | {"event_type": kind, "timestamp": datetime.now(UTC) if moment is None else moment}
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError:  # half of a pair of surrogates; the service mends it
        return json.dumps(event, default=str).encode()


def check(line: bytes) -> None:
    """Hold an event against the service's own rules.

    Raises:
        ParameterError: it is wrong; the message names the field.
    """
    try:
        decode_event(line, limits=Limits(), received_at=now())
    except InvalidEvent as error:
        raise ParameterError(f"{error.field}: {error}" if error.field else str(error)) from error
