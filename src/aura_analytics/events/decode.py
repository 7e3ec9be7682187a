"""Bytes → records, both dialects, or which field is wrong and why.

An event in the documented shape takes one pass through msgspec's typed decoder. Whatever that refuses (fields of the
caller's own, `null` where a value is due, other spellings of a moment) takes the patient way: decoded to a plain object,
put in order, and held against the same types. So the rules stand once, in `aura_analytics.events.wire`.
"""

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw
from ulid import ULID

from aura_analytics.clock import Clock, now
from aura_analytics.errors import MalformedBody, Rejection
from aura_analytics.events.records import Event, Extra, VoiceOutcome, VoiceQuery
from aura_analytics.events.wire import (
    DOCUMENTED,
    OLDER,
    YEAR_9999_MS,
    Discriminator,
    EventShape,
    OutcomeFields,
    QueryFields,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
REPLACEMENT = "\ufffd"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_AT_FIELD = re.compile(r"^(?P<what>.*?)(?: - at `\$\.(?P<field>[^`.\[]+)[^`]*`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")

_discriminators = msgspec.json.Decoder(Discriminator)
_arrays = msgspec.json.Decoder(list[Raw])
_objects = msgspec.json.Decoder(dict[str, Any])
_decoders = {kind: msgspec.json.Decoder(kind) for kind in (*DOCUMENTED.values(), *OLDER.values())}
_lists = msgspec.json.Decoder(list[Any] | None)
_wire_names = {kind: {field.encode_name: field.name for field in msgspec.structs.fields(kind)} for kind in _decoders}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one event may weigh, in bytes of JSON: all of it, and the part that is the caller's own."""

    event_bytes: int = 1 << 20
    extra_bytes: int = 8 << 10


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What a body held: the records in their order, and the events that can't be taken."""

    events: list[Event]
    rejected: list[Rejection]


class InvalidEvent(ValueError):
    """One event is wrong; stays inside of this package, where it becomes a `Rejection`."""

    def __init__(self, code: str, field: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field

    def at(self, index: int) -> Rejection:
        """Say which event of the body this was."""
        return Rejection(index=index, code=self.code, field=self.field, message=str(self))


def split_json(body: bytes) -> list[Raw]:
    """Split one JSON document into its events: the members of an array, or the one object.

    Raises:
        MalformedBody: the body is empty or no JSON.
    """
    body = body.removeprefix(BYTE_ORDER_MARK).strip()
    if not body:
        raise MalformedBody("the body is empty; send one event, an array of events, or one event a line")
    if not body.startswith(b"["):
        return [Raw(body)]
    try:
        try:
            return _arrays.decode(body)
        except msgspec.DecodeError:
            return _arrays.decode(mend_surrogates(body))
    except RecursionError as error:
        raise MalformedBody("the JSON is nested too deeply") from error
    except ValueError as error:
        raise MalformedBody(f"the body is no JSON: {error}") from error


def split_lines(body: bytes) -> list[Raw]:
    """Split newline-delimited JSON into its events; blank lines are passed over.

    Raises:
        MalformedBody: no line holds anything.
    """
    lines = (line.strip() for line in body.removeprefix(BYTE_ORDER_MARK).split(b"\n"))
    if events := [Raw(line) for line in lines if line]:
        return events
    raise MalformedBody("the body is empty; send one event a line")


def mend_surrogates(text: bytes) -> bytes:
    r"""Replace escapes of half a character, which JavaScript writes for a string that was cut inside of an emoji.

    `\ud83d` alone is no character in any encoding; it becomes U+FFFD, as browsers show it. Pairs stay as they are.
    """
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def decode_events(
    raws: Sequence[Raw], *, limits: Limits, clock: Clock = now, correlation_id: str | None = None
) -> Decoded:
    """Make records of the events of one body.

    Args:
        raws: the events as JSON, in the body's order.
        limits: what one event may weigh.
        clock: the moment of reception, and of an event that names none.
        correlation_id: what the request carries; an event's own goes before it.
    """
    events: list[Event] = []
    rejected: list[Rejection] = []
    received_at = clock()
    for index, raw in enumerate(raws):
        try:
            events.append(decode_event(raw, limits=limits, received_at=received_at, correlation_id=correlation_id))
        except InvalidEvent as error:
            rejected.append(error.at(index))
    return Decoded(events=events, rejected=rejected)


def decode_event(raw: Raw | bytes, *, limits: Limits, received_at: int, correlation_id: str | None = None) -> Event:
    """Make a record of one event.

    Raises:
        InvalidEvent: it isn't one of the four shapes; the error names the field.
    """
    text = bytes(raw)
    if len(text) > limits.event_bytes:
        raise InvalidEvent("event_too_large", None, f"an event takes at most {limits.event_bytes} bytes")
    try:
        kind = _kind(text)
        wire = None if b"\\u0000" in text else _decode_at_once(kind, text)
        if wire is not None:
            return _record(wire, None, received_at, correlation_id)
        return _decode_patiently(kind, text, limits, received_at, correlation_id)
    except RecursionError as error:
        raise InvalidEvent("nested_too_deeply", None, "the JSON is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise _explain(error) from error
    except ValueError as error:
        if isinstance(error, InvalidEvent):
            raise
        mended = mend_surrogates(text)
        if mended != text:
            return decode_event(mended, limits=limits, received_at=received_at, correlation_id=correlation_id)
        raise InvalidEvent("malformed_json", None, f"this is no JSON: {error}") from error


def _kind(text: bytes) -> EventShape:
    """Tell the shape of an event by its discriminator; `event_type` goes before `type`."""
    told = _discriminators.decode(text)
    field, value, kinds = (
        ("event_type", told.event_type, DOCUMENTED) if told.event_type is not None else ("type", told.type, OLDER)
    )
    kind = kinds.get(value) if isinstance(value, str) else None
    if kind is not None:
        return kind
    expected = ", ".join(
        [*(f'"event_type": "{name}"' for name in DOCUMENTED), *(f'"type": "{name}"' for name in OLDER)]
    )
    if value is None:
        raise InvalidEvent("missing_field", "event_type", f"an event says what it is: {expected}")
    raise InvalidEvent("unknown_event_type", field, f"this event type isn't known; known are {expected}")


def _decode_at_once(kind: EventShape, text: bytes) -> QueryFields | OutcomeFields | None:
    """Decode an event in the documented shape; None where only the patient way can tell whether it is really wrong."""
    try:
        return _decoders[kind].decode(text)
    except msgspec.ValidationError:
        return None


def _decode_patiently(
    kind: EventShape, text: bytes, limits: Limits, received_at: int, correlation_id: str | None
) -> Event:
    """Decode an event with fields of the caller's own, nulls, or moments that only Python's parser reads."""
    names = _wire_names[kind]
    known: dict[str, Any] = {}
    extra: Extra = {}
    for name, value in _objects.decode(text).items():
        if value is None or (name in ("event_type", "type") and name == kind.__struct_config__.tag_field):
            continue
        cleaned = _clean(value)
        if name in names:
            known[name] = _lenient(names[name], name, cleaned)
        elif name in ("correlation_id", "correlationId"):
            known.setdefault("correlationId" if "correlationId" in names else "correlation_id", cleaned)
        else:
            extra[_clean(name)] = cleaned
    config = kind.__struct_config__
    wire = msgspec.convert({str(config.tag_field): config.tag, **known}, kind)
    if extra and len(msgspec.json.encode(extra)) > limits.extra_bytes:
        most = f"fields of your own take at most {limits.extra_bytes} bytes an event"
        raise InvalidEvent("extra_too_large", max(extra, key=lambda name: len(msgspec.json.encode(extra[name]))), most)
    return _record(wire, extra or None, received_at, correlation_id)


def _lenient(record_name: str, wire_name: str, value: Any) -> Any:  # Any: what JSON can hold
    """Take the spellings that JSON libraries differ in: 5.0 for 5, and every ISO 8601 form of a moment."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    if record_name == "created_at" and isinstance(value, str):
        return _moment(wire_name, value.strip())
    return value


def _moment(wire_name: str, text: str) -> datetime:
    """Read a moment as the one pass does, so that both ways agree on every digit; else as Python's parser does."""
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(text, datetime)
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise InvalidEvent(
            "invalid_value", wire_name, "a moment is ISO 8601 with an offset or Z, or epoch milliseconds"
        ) from error


def _clean(value: Any) -> Any:  # Any: what JSON can hold
    """Replace the NUL character in texts: no database agrees with another one on what it means."""
    if isinstance(value, str):
        return value.replace("\0", REPLACEMENT)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {name.replace("\0", REPLACEMENT): _clean(item) for name, item in value.items()}
    return value


def _explain(error: msgspec.ValidationError) -> InvalidEvent:
    """Turn msgspec's words into a code, a field, and a sentence."""
    message = str(error)
    if missing := _MISSING.search(message):
        return InvalidEvent("missing_field", missing["field"], f"{missing['field']} is required")
    parts = _AT_FIELD.match(message)
    what, field = (parts["what"].partition(" - at ")[0], parts["field"]) if parts else (message, None)
    if "Invalid" in what or "timezone" in what:
        code = "invalid_value"
    elif "got `" in what:
        code = "invalid_type"
    else:
        code = "out_of_range"
    return InvalidEvent(code, field, what[0].lower() + what[1:].replace("`", ""))


def _record(
    wire: QueryFields | OutcomeFields, extra: Extra | None, received_at: int, correlation_id: str | None
) -> Event:
    """Make the record that both dialects share."""
    if isinstance(wire, QueryFields):
        return _query(wire, extra, received_at, correlation_id)
    return _outcome(wire, extra, received_at, correlation_id)


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


def _epoch_ms(wire: QueryFields | OutcomeFields, received_at: int) -> int:
    moment = wire.created_at
    if moment is None:
        return received_at
    if isinstance(moment, int):
        return moment
    milliseconds: int = (moment - EPOCH) // MILLISECOND
    if not 0 <= milliseconds <= YEAR_9999_MS:
        raise InvalidEvent("out_of_range", _name(wire, "created_at"), "a moment lies in the years 1970 to 9999 (UTC)")
    return milliseconds


def _name(wire: QueryFields | OutcomeFields, field: str) -> str:
    """Give the name of a field in the event's own dialect."""
    return next(name for name, known in _wire_names[type(wire)].items() if known == field)


def _action(action: str | bool | None) -> str | None:  # noqa: FBT001 (the wire allows both)
    return ("true" if action else "false") if isinstance(action, bool) else action


def _tool_calls(
    wire: OutcomeFields, extra: Extra | None
) -> tuple[list[Any] | None, Extra | None]:  # Any: call objects are the assistant's own
    """Choose between the two forms of the tools; where an event holds both, the names stay with the record."""
    calls = wire.tool_calls
    if isinstance(calls, str):
        try:
            calls = _clean(_lists.decode(mend_surrogates(calls.encode())))
        except (ValueError, RecursionError) as error:
            said = "tool calls are a list, or a list as JSON"
            raise InvalidEvent("invalid_value", _name(wire, "tool_calls"), said) from error
    if calls is None:
        return wire.tools_used, extra
    if wire.tools_used is not None:
        extra = {**(extra or {}), "tools_used": wire.tools_used}
    return calls, extra
