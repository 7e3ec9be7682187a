"""From the fields on the wire to the record that both dialects share."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from ulid import ULID

from aura_analytics.events.identity import conversion_id, is_ours
from aura_analytics.events.records import Event, Extra, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.events.rejection import InvalidEvent
from aura_analytics.events.texts import clean, mend_surrogates
from aura_analytics.events.wire import (
    YEAR_9999_MS,
    AnyFields,
    ConversionFields,
    OutcomeFields,
    QueryFields,
    wire_name,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_lists = msgspec.json.Decoder(list[Any] | None)


def record(wire: AnyFields, extra: Extra | None, received_at: int, correlation_id: str | None) -> Event:
    """Make the record of an event; `correlation_id` is the request's, and the event's own goes before it.

    Raises:
        InvalidEvent: what the types of the wire can't tell is wrong.
    """
    if isinstance(wire, QueryFields):
        return _query(wire, extra, received_at, correlation_id)
    if isinstance(wire, OutcomeFields):
        return _outcome(wire, extra, received_at, correlation_id)
    return _conversion(wire, extra, received_at, correlation_id)


def _query(wire: QueryFields, extra: Extra | None, received_at: int, correlation_id: str | None) -> VoiceQuery:
    return VoiceQuery(
        id=wire.id if wire.id is not None else str(ULID()),
        store_id=wire.store_id,
        created_at=_epoch_ms(wire, received_at),
        received_at=received_at,
        query_text=wire.query_text,
        session_id=wire.session_id,
        user_id=wire.user_id,
        query_source=wire.query_source or "voice",
        transcription_conf=wire.transcription_conf,
        audio_duration_ms=wire.audio_duration_ms,
        intent=wire.intent,
        fast_path=bool(wire.fast_path),
        correlation_id=wire.correlation_id or correlation_id,
        extra=extra,
    )


def _outcome(wire: OutcomeFields, extra: Extra | None, received_at: int, correlation_id: str | None) -> VoiceOutcome:
    tool_calls, extra = _tool_calls(wire, extra)
    return VoiceOutcome(
        query_id=wire.query_id,
        occurred_at=_epoch_ms(wire, received_at),
        received_at=received_at,
        answer_text=wire.answer_text,
        model_name=wire.model_name,
        latency_ms=wire.latency_ms,
        tokens_prompt=wire.tokens_prompt,
        tokens_completion=wire.tokens_completion,
        tokens_total=wire.tokens_used,
        cost_usd=wire.cost_usd,
        action_taken=_action(wire.action_taken),
        action_success=None if wire.action_success is None else bool(wire.action_success),
        error_flag=None if wire.error_flag is None else bool(wire.error_flag),
        error_message=wire.error_message,
        tool_calls=tool_calls,
        correlation_id=wire.correlation_id or correlation_id,
        extra=extra,
    )


def _conversion(
    wire: ConversionFields, extra: Extra | None, received_at: int, correlation_id: str | None
) -> VoiceConversion:
    if not wire.query_id and not wire.session_id:
        field = wire_name(wire, "query_id")
        raise InvalidEvent("missing_field", field, f"{field} or {wire_name(wire, 'session_id')} is required")
    currency = None if wire.currency is None else wire.currency.upper()
    occurred_at = _epoch_ms(wire, received_at)
    told_at = None if wire.created_at is None else occurred_at
    id = wire.id
    if id is None or is_ours(id):
        id = conversion_id(wire, currency=currency, occurred_at=told_at)
        if wire.id not in (None, id):
            field = wire_name(wire, "id")
            raise InvalidEvent("invalid_value", field, f"{field} has the form of those that the service makes itself")
    return VoiceConversion(
        id=id,
        query_id=wire.query_id,
        session_id=wire.session_id,
        store_id=wire.store_id,
        occurred_at=occurred_at,
        received_at=received_at,
        value=wire.value,
        currency=currency,
        order_id=wire.order_id,
        correlation_id=wire.correlation_id or correlation_id,
        extra=extra,
    )


def _epoch_ms(wire: AnyFields, received_at: int) -> int:
    moment = wire.created_at
    if moment is None:
        return received_at
    if isinstance(moment, int):
        return moment
    milliseconds: int = (moment - EPOCH) // MILLISECOND
    if not 0 <= milliseconds <= YEAR_9999_MS:
        raise InvalidEvent(
            "out_of_range", wire_name(wire, "created_at"), "a moment lies in the years 1970 to 9999 (UTC)"
        )
    return milliseconds


def _action(action: str | bool | None) -> str | None:  # noqa: FBT001 (the wire allows both)
    return ("true" if action else "false") if isinstance(action, bool) else action


def _tool_calls(
    wire: OutcomeFields, extra: Extra | None
) -> tuple[list[Any] | None, Extra | None]:  # Any: call objects are the assistant's own
    """Choose between the two forms of the tools; where an event holds both, the names stay with the record."""
    calls = wire.tool_calls
    if isinstance(calls, str):
        try:
            calls = clean(_lists.decode(mend_surrogates(calls.encode())))
        except (ValueError, RecursionError) as error:
            said = "tool calls are a list, or a list as JSON"
            raise InvalidEvent("invalid_value", wire_name(wire, "tool_calls"), said) from error
    if calls is None:
        return wire.tools_used, extra
    if wire.tools_used is not None:
        extra = {**(extra or {}), "tools_used": wire.tools_used}
    return calls, extra
