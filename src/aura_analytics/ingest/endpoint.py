"""`POST /ingest`: read, decode, hand to the store, answer once it is durable."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from msgspec import Raw
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from aura_analytics.clock import Clock, now
from aura_analytics.errors import BodyTooLarge, EventsRejected, Rejection, UnsupportedMedia
from aura_analytics.events.decode import Decoded, Limits, decode_events, split_json, split_lines
from aura_analytics.events.records import Event, VoiceQuery
from aura_analytics.guard.budget import Budget, Portion
from aura_analytics.guard.door import CHARGE, PRINCIPAL
from aura_analytics.ingest.body import read
from aura_analytics.ingest.ownership import kept_to
from aura_analytics.ingest.ownership import stores_of as owners_of
from aura_analytics.ingest.receipt import Receipt
from aura_analytics.ingest.redacting import make_redaction, redacted, stores_of
from aura_analytics.settings import Settings
from aura_analytics.store import Store

JSON_TYPES = frozenset({"", "application/json"})
LINE_TYPES = frozenset({"application/x-ndjson", "application/ndjson"})

# Bodies above this are decoded on a thread, so that one caller's batch doesn't hold up everybody's single events.
DECODE_INLINE_BYTES = 64 << 10
# So many stores of a request are named in the log.
MOST_STORES = 10


class IngestEndpoint:
    """Takes events over HTTP.

    Args:
        store: keeps them.
        settings: say how much is taken.
        budget: bytes of bodies that may be in the process, also of those that wait at the door; by default its own.
        clock: the present.
    """

    def __init__(self, store: Store, settings: Settings, budget: Budget | None = None, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._most_bytes = settings.ingest_max_batch_bytes
        self._most_events = settings.ingest_max_events
        self._limits = Limits(event_bytes=settings.ingest_max_event_bytes, extra_bytes=settings.ingest_max_extra_bytes)
        self._redaction = make_redaction(settings)
        self._budget = budget or Budget(settings.ingest_queue_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as plain ASGI: what a request object and a response object cost is a tenth of all.

        Raises:
            RequestError: the body can't be taken.
            TooManyRequests: it holds more events than its key may send now.
            Unavailable: not now.
        """
        if scope["method"] != "POST":
            raise HTTPException(405, headers={"allow": "POST"})
        facts = scope.get("aura_facts", {})
        with Portion(self._budget) as portion:
            raws = await self._read(scope, receive, portion)
            decoded = await self._decode(raws, portion.size, facts.get("given_correlation_id"))
            principal = scope.get(PRINCIPAL)
            decoded = kept_to(principal, decoded, await owners_of(principal, decoded, self._store))
            if self._redaction is not None:
                decoded = await self._redacted(decoded, portion.size)
            facts["events"] = len(raws)
            facts["rejected"] = len(decoded.rejected)
            facts["stores"] = _stores(decoded.events)
            correlation_id = _correlation_id(decoded.events, facts)
            if raws and not decoded.events:
                raise _all_rejected(decoded.rejected, correlation_id)
            news = await self._store.append(decoded.events)
        receipt = Receipt(
            accepted=sum(news),
            duplicates=len(news) - sum(news),
            rejected=decoded.rejected,
            query_ids=[event.id if isinstance(event, VoiceQuery) else event.query_id for event in decoded.events],
            correlation_id=correlation_id,
        )
        facts["accepted"] = receipt.accepted
        facts["duplicates"] = receipt.duplicates
        await _answer(receipt, send)

    async def _read(self, scope: Scope, receive: Receive, portion: Portion) -> list[Raw]:
        """Read the body and split it into events."""
        headers = dict(scope["headers"])
        lines = _speaks_lines(headers.get(b"content-type", b"").decode("latin-1"))
        gzipped = _is_gzipped(headers.get(b"content-encoding", b"").decode("latin-1"))
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._most_bytes:
            raise BodyTooLarge(f"a body takes at most {self._most_bytes} bytes")
        body = await read(_chunks(receive), gzipped=gzipped, most=self._most_bytes, portion=portion)
        raws = split_lines(body) if lines else split_json(body)
        if len(raws) > self._most_events:
            raise BodyTooLarge(f"a batch takes at most {self._most_events} events")
        if (charge := scope.get(CHARGE)) is not None:
            await charge(len(raws))
        return raws

    async def _decode(self, raws: list[Raw], size: int, correlation_id: str | None) -> Decoded:
        if size <= DECODE_INLINE_BYTES:
            return self._decoded(raws, correlation_id)
        return await asyncio.to_thread(self._decoded, raws, correlation_id)

    def _decoded(self, raws: list[Raw], correlation_id: str | None) -> Decoded:
        return decode_events(raws, limits=self._limits, clock=self._clock, correlation_id=correlation_id)

    async def _redacted(self, decoded: Decoded, size: int) -> Decoded:
        stores = await stores_of(decoded.events, self._redaction, self._store)
        if size <= DECODE_INLINE_BYTES:
            events = redacted(decoded.events, self._redaction, stores)
        else:
            events = await asyncio.to_thread(redacted, decoded.events, self._redaction, stores)
        return Decoded(events=events, rejected=decoded.rejected)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Give the body as it comes.

    Raises:
        ClientDisconnect: the caller went away before its end; nothing of it is stored.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _answer(receipt: Receipt, send: Send) -> None:
    body = msgspec.json.encode(receipt)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 207 if receipt.rejected else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _speaks_lines(content_type: str) -> bool:
    """Tell newline-delimited JSON from plain JSON; a missing type is plain JSON."""
    media, _, parameters = content_type.partition(";")
    for parameter in parameters.lower().split(";"):
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip('" ') not in ("utf-8", "utf8", "us-ascii"):
            raise UnsupportedMedia("the body is JSON in UTF-8")
    media = media.strip().lower()
    if media in LINE_TYPES:
        return True
    if media in JSON_TYPES:
        return False
    raise UnsupportedMedia("send application/json or application/x-ndjson")


def _is_gzipped(encoding: str) -> bool:
    encoding = encoding.strip().lower()
    if encoding in ("gzip", "x-gzip"):
        return True
    if encoding in ("", "identity"):
        return False
    raise UnsupportedMedia("a body is sent as it is, or with Content-Encoding: gzip")


def _correlation_id(events: list[Event], facts: dict[str, object]) -> str | None:
    """Give what the caller calls this request: by its header, or by its only event."""
    if len(events) == 1 and (own := events[0].correlation_id):
        facts["given_correlation_id"] = own
    given = facts.get("given_correlation_id")
    return given if isinstance(given, str) else None


def _stores(events: list[Event]) -> list[str]:
    """Give the stores of some events, for the log; a batch of very many is told by the first ones."""
    found = dict.fromkeys(event.store_id for event in events if isinstance(event, VoiceQuery))
    return list(found)[:MOST_STORES]


def _all_rejected(rejected: list[Rejection], correlation_id: str | None) -> BodyTooLarge | EventsRejected:
    if len(rejected) == 1 and rejected[0].code == "event_too_large":
        return BodyTooLarge(rejected[0].message)
    return EventsRejected(rejected, correlation_id)
