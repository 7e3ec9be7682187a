"""Bytes → records, both dialects, or which field is wrong and why.

An event in the documented shape takes one pass through msgspec's typed decoder. Whatever that refuses (fields of the
caller's own, `null` where a value is due, other spellings of a moment) takes the patient way: decoded to a plain object,
put in order, and held against the same types. So the rules stand once, in `aura_analytics.events.wire`.
"""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from aura_analytics.clock import Clock, now
from aura_analytics.errors import MalformedBody, Rejection
from aura_analytics.events.assembly import record
from aura_analytics.events.records import Event, Extra
from aura_analytics.events.rejection import InvalidEvent, explain
from aura_analytics.events.texts import clean, mend_surrogates
from aura_analytics.events.wire import DOCUMENTED, OLDER, WIRE_NAMES, AnyFields, Discriminator, EventShape

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_discriminators = msgspec.json.Decoder(Discriminator)
_arrays = msgspec.json.Decoder(list[Raw])
_objects = msgspec.json.Decoder(dict[str, Any])
_decoders = {kind: msgspec.json.Decoder(kind) for kind in WIRE_NAMES}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one event may weigh, in bytes of JSON: all of it, and the part that is the caller's own."""

    event_bytes: int = 1 << 20
    extra_bytes: int = 8 << 10


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What a body held: the records in their order, and the events that can't be taken."""

    events: list[Event]
    rejected: list[Rejection]


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
        InvalidEvent: it isn't one of the six shapes; the error names the field.
    """
    text = bytes(raw)
    if len(text) > limits.event_bytes:
        raise InvalidEvent("event_too_large", None, f"an event takes at most {limits.event_bytes} bytes")
    try:
        kind = _kind(text)
        wire = None if b"\\u0000" in text else _decode_at_once(kind, text)
        if wire is not None:
            return record(wire, None, received_at, correlation_id)
        return _decode_patiently(kind, text, limits, received_at, correlation_id)
    except RecursionError as error:
        raise InvalidEvent("nested_too_deeply", None, "the JSON is nested too deeply") from error
    except msgspec.ValidationError as error:
        raise explain(error) from error
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


def _decode_at_once(kind: EventShape, text: bytes) -> AnyFields | None:
    """Decode an event in the documented shape; None where only the patient way can tell whether it is really wrong."""
    try:
        return _decoders[kind].decode(text)
    except msgspec.ValidationError:
        return None


def _decode_patiently(
    kind: EventShape, text: bytes, limits: Limits, received_at: int, correlation_id: str | None
) -> Event:
    """Decode an event with fields of the caller's own, nulls, or moments that only Python's parser reads."""
    names = WIRE_NAMES[kind]
    known: dict[str, Any] = {}
    extra: Extra = {}
    for name, value in _objects.decode(text).items():
        if value is None or (name in ("event_type", "type") and name == kind.__struct_config__.tag_field):
            continue
        cleaned = clean(value)
        if name in names:
            known[name] = _lenient(names[name], name, cleaned)
        elif name in ("correlation_id", "correlationId"):
            known.setdefault("correlationId" if "correlationId" in names else "correlation_id", cleaned)
        else:
            extra[clean(name)] = cleaned
    config = kind.__struct_config__
    wire = msgspec.convert({str(config.tag_field): config.tag, **known}, kind)
    if extra and len(msgspec.json.encode(extra)) > limits.extra_bytes:
        most = f"fields of your own take at most {limits.extra_bytes} bytes an event"
        raise InvalidEvent("extra_too_large", max(extra, key=lambda name: len(msgspec.json.encode(extra[name]))), most)
    return record(wire, extra or None, received_at, correlation_id)


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
