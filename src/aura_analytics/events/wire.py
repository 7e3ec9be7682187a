"""How events look on the wire: two dialects of the same three events, as types that msgspec checks.

The rules stand here once, as the fields' types. The documented dialect names most fields as the records do, the older
one in camel case; a field that isn't named here is the caller's own and is kept with the record.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta

from aura_analytics.events.records import QuerySource

INT64_MAX = 2**63 - 1
YEAR_9999_MS = 253_402_300_799_999

Identifier = Annotated[str, Meta(min_length=1, max_length=128)]
Name = Annotated[str, Meta(min_length=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Amount = Annotated[float, Meta(ge=0)]
Flag = bool | Annotated[int, Meta(ge=0, le=1)]
Moment = Annotated[datetime, Meta(tz=True)] | Annotated[int, Meta(ge=0, le=YEAR_9999_MS)]
Currency = Annotated[str, Meta(pattern=r"^[A-Za-z]{3}\Z")]
CorrelationId = Annotated[str, Meta(min_length=1, max_length=256)]


class Discriminator(msgspec.Struct):
    """The two fields that tell what an event is and in which dialect it speaks. Any: they may hold nonsense."""

    event_type: Any = None
    type: Any = None


class QueryFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a query, named as in the record."""

    id: Identifier | None = None
    store_id: Name
    session_id: str | None = None
    user_id: str | None = None
    created_at: Moment | None = None
    query_text: str
    query_source: QuerySource | None = None
    transcription_conf: Share | None = None
    audio_duration_ms: Count | None = None
    intent: str | None = None
    fast_path: Flag | None = None
    correlation_id: CorrelationId | None = None


class OutcomeFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an outcome, named as in the record, and the two short forms that the guide allows."""

    query_id: Identifier
    created_at: Moment | None = None
    answer_text: str | None = None
    model_name: str | None = None
    latency_ms: Amount | None = None
    tokens_prompt: Count | None = None
    tokens_completion: Count | None = None
    tokens_used: Count | None = None
    cost_usd: Amount | None = None
    action_taken: str | bool | None = None
    action_success: Flag | None = None
    error_flag: Flag | None = None
    error_message: str | None = None
    tools_used: list[str] | None = None
    tool_calls: list[Any] | str | None = None  # Any: call objects are the assistant's own; a string holds JSON
    correlation_id: CorrelationId | None = None


class ConversionFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a conversion, named as in the record. One of `query_id` and `session_id` must be there."""

    id: Identifier | None = None
    query_id: Identifier | None = None
    session_id: str | None = None
    store_id: Name | None = None
    created_at: Moment | None = None
    value: Amount | None = None
    currency: Currency | None = None
    order_id: Identifier | None = None
    correlation_id: CorrelationId | None = None


AnyFields = QueryFields | OutcomeFields | ConversionFields
Fields = TypeVar("Fields", QueryFields, OutcomeFields, ConversionFields)


def _dialect(
    fields: type[Fields], *, tag_field: str, tag: str, rename: dict[str, str] | Literal["camel"]
) -> type[Fields]:
    """Make the type of one event in one dialect. The fields are declared anew, since only a class's own are renamed."""
    hints = get_type_hints(fields, include_extras=True)
    dialect = msgspec.defstruct(
        f"{tag_field}_{tag}",
        [(field.name, hints[field.name], field.default) for field in msgspec.structs.fields(fields)],
        bases=(fields,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
        tag_field=tag_field,
        tag=tag,
        rename=rename,
    )
    return cast("type[Fields]", dialect)  # defstruct can't tell the type checker of its bases


EventShape = type[QueryFields] | type[OutcomeFields] | type[ConversionFields]

DOCUMENTED: dict[str, EventShape] = {
    "voice_query": _dialect(
        QueryFields,
        tag_field="event_type",
        tag="voice_query",
        rename={"id": "query_id", "created_at": "timestamp", "transcription_conf": "transcription_confidence"},
    ),
    "voice_outcome": _dialect(
        OutcomeFields, tag_field="event_type", tag="voice_outcome", rename={"created_at": "timestamp"}
    ),
    "voice_conversion": _dialect(
        ConversionFields,
        tag_field="event_type",
        tag="voice_conversion",
        rename={"id": "conversion_id", "created_at": "timestamp"},
    ),
}
OLDER: dict[str, EventShape] = {
    "query": _dialect(QueryFields, tag_field="type", tag="query", rename="camel"),
    "outcome": _dialect(OutcomeFields, tag_field="type", tag="outcome", rename="camel"),
    "conversion": _dialect(ConversionFields, tag_field="type", tag="conversion", rename="camel"),
}

# Of each shape, the fields by their names on the wire.
WIRE_NAMES: dict[type[AnyFields], dict[str, str]] = {
    shape: {field.encode_name: field.name for field in msgspec.structs.fields(shape)}
    for shape in (*DOCUMENTED.values(), *OLDER.values())
}


def wire_name(fields: AnyFields, field: str) -> str:
    """Give the name of a field in the event's own dialect."""
    return next(name for name, known in WIRE_NAMES[type(fields)].items() if known == field)
