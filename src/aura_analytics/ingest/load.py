"""Sending files of events where they belong: straight into the store, or to a server."""

import asyncio
import gzip
from collections.abc import Callable, Sequence
from typing import Protocol

import httpx
import msgspec
from msgspec import Raw

from aura_analytics.errors import LoadError, Rejection
from aura_analytics.events.decode import Limits, decode_events
from aura_analytics.events.records import VoiceQuery
from aura_analytics.ingest.files import Batch, Source
from aura_analytics.ingest.receipt import Receipt
from aura_analytics.ingest.redacting import Redactions, redacted, stores_of
from aura_analytics.store import Store

# A server that is away or full gets this many tries a batch, with a growing pause between.
TRIES = 6
LONGEST_PAUSE_S = 30.0


class Loaded(msgspec.Struct, kw_only=True):
    """What became of the files so far. Grows while it runs."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0

    @property
    def events(self) -> int:
        """How many were looked at."""
        return self.accepted + self.duplicates + self.rejected


class Target(Protocol):
    """Where events go."""

    async def send(self, events: Sequence[Raw]) -> Receipt:
        """Store some events; what can't be taken is in the receipt."""


class StoreTarget:
    """The row database itself."""

    def __init__(self, store: Store, limits: Limits, redaction: Redactions | None = None) -> None:
        self._store = store
        self._limits = limits
        self._redaction = redaction

    async def send(self, events: Sequence[Raw]) -> Receipt:
        """Decode and store some events."""
        decoded = decode_events(events, limits=self._limits)
        stores = await stores_of(decoded.events, self._redaction, self._store)
        kept = redacted(decoded.events, self._redaction, stores)
        news = await self._store.append(kept) if kept else []
        return Receipt(
            accepted=sum(news),
            duplicates=len(news) - sum(news),
            rejected=decoded.rejected,
            query_ids=[event.id if isinstance(event, VoiceQuery) else event.query_id for event in decoded.events],
        )


class UrlTarget:
    """A server's `/ingest`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, events: Sequence[Raw]) -> Receipt:
        """Post some events; again where the server can't take them now.

        Raises:
            LoadError: it can't be reached, or refuses for good.
        """
        body = await asyncio.to_thread(gzip.compress, b"\n".join(bytes(event) for event in events), 1)
        headers = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
        cause = ""
        for attempt in range(TRIES):
            pause = min(LONGEST_PAUSE_S, 0.5 * 2**attempt)
            try:
                answer = await self._client.post("/ingest", content=body, headers=headers)
            except httpx.HTTPError as error:
                cause = str(error) or type(error).__name__
            else:
                if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                    return await self._send_less(events, answer)
                if answer.status_code not in (429, 503):
                    return _receipt(answer)
                cause = f"HTTP {answer.status_code}"
                pause = max(pause, _retry_after_s(answer))
            if attempt < TRIES - 1:
                await asyncio.sleep(min(pause, LONGEST_PAUSE_S))
        raise LoadError(f"{self._client.base_url} can't be used: {cause}")

    async def _send_less(self, events: Sequence[Raw], refusal: httpx.Response) -> Receipt:
        """Send what is too much for the server in two halves; one event that is too large by itself can't be taken."""
        if len(events) == 1:
            size = len(bytes(events[0]))
            message = f"the server doesn't take an event of {size} bytes (HTTP {refusal.status_code})"
            rejection = Rejection(index=0, code="event_too_large", field=None, message=message)
            return Receipt(accepted=0, duplicates=0, rejected=[rejection], query_ids=[])
        half = len(events) // 2
        first, second = await self.send(events[:half]), await self.send(events[half:])
        moved = [msgspec.structs.replace(one, index=one.index + half) for one in second.rejected]
        return Receipt(
            accepted=first.accepted + second.accepted,
            duplicates=first.duplicates + second.duplicates,
            rejected=[*first.rejected, *moved],
            query_ids=[*first.query_ids, *second.query_ids],
        )


async def load(
    sources: Sequence[Source],
    target: Target,
    *,
    on_rejection: Callable[[str, Rejection], None],
    on_progress: Callable[[Loaded, int], None],
) -> Loaded:
    """Send every event of some files.

    Args:
        sources: the files.
        target: where to.
        on_rejection: told the place of an event that can't be taken, and why; the rest goes in.
        on_progress: told what became of the events so far, and how many bytes of the files are read.

    Raises:
        LoadError: a file can't be read, or the target can't be used; what went in before stays.
    """
    loaded = Loaded()
    before = 0
    for source in sources:
        batches = source.batches()
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await _send(batch, target, loaded, on_rejection)
            on_progress(loaded, before + batch.read)
        before += source.size or 0
    return loaded


async def _send(batch: Batch, target: Target, loaded: Loaded, on_rejection: Callable[[str, Rejection], None]) -> None:
    receipt = await target.send(batch.events)
    loaded.accepted += receipt.accepted
    loaded.duplicates += receipt.duplicates
    loaded.rejected += len(receipt.rejected)
    for rejection in receipt.rejected:
        on_rejection(batch.places[rejection.index], rejection)


class _AllRejected(msgspec.Struct):
    """The problem document of a batch of which nothing could be taken."""

    rejected: list[Rejection]


def _receipt(answer: httpx.Response) -> Receipt:
    """Read the answer; a batch of which nothing could be taken is a receipt too.

    Raises:
        LoadError: the answer is another one.
    """
    try:
        if answer.is_success:
            return msgspec.json.decode(answer.content, type=Receipt)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            refused = msgspec.json.decode(answer.content, type=_AllRejected)
            return Receipt(accepted=0, duplicates=0, rejected=refused.rejected, query_ids=[])
    except ValueError as error:  # no JSON, no UTF-8, or another shape
        raise LoadError("the server's answer can't be read; is it this service?") from error
    raise LoadError(f"the server refused with HTTP {answer.status_code}")


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else 0.0
