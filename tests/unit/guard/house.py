"""A door over a real database, before a service that says what it was asked."""

import json
from typing import Any

import httpx
from starlette.types import Receive, Scope, Send

from aura_analytics.api import problems
from aura_analytics.guard import key
from aura_analytics.guard.budget import Budget
from aura_analytics.guard.door import CHARGE, PRINCIPAL, Door, Policy
from aura_analytics.guard.keyring import Keyring
from aura_analytics.store import Store
from aura_analytics.store.keys import KeyRecord

NOW = 1_764_400_000_000


class Watch:
    """A clock that stands until it is turned, in milliseconds; `seconds` is the same for rates."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000


async def asked(scope: Scope, receive: Receive, send: Send) -> None:
    """Say what comes through the door."""
    body = await receive()
    events = dict(scope["headers"]).get(b"events")
    if events:
        try:
            await scope[CHARGE](int(events))
        except Exception as error:  # noqa: BLE001 (the edge, as the real front is)
            await (await problems.answer(scope, error))(scope, receive, send)
            return
    principal = scope.get(PRINCIPAL)
    said = {
        "query": scope["query_string"].decode(),
        "body": body.get("body", b"").decode("latin-1"),
        "key": principal.name if principal else None,
    }
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


class House:
    """A database with keys, and doors before it."""

    def __init__(self, store: Store, watch: Watch) -> None:
        self.store = store
        self.watch = watch

    async def key(self, *scopes: str, **fields: Any) -> str:
        """Make a key that is known here."""
        made = key.make()
        whole = {"name": "-".join(scopes), "created_at": NOW, **fields}
        record = KeyRecord(id=made.id, hash=made.hash, scopes=scopes, **whole)
        await self.store.keys.create(record, actor="test")
        return made.token

    def door(self, budget: Budget | None = None, **policy: Any) -> Door:
        """Make a door."""
        keyring = Keyring(self.store.keys, clock=self.watch)
        return Door(
            asked,
            keyring,
            self.store.keys,
            Policy(**policy),
            problems.answer,
            clock=self.watch,
            timer=self.watch.seconds,
            budget=budget,
        )

    def client(
        self, door: Door | None = None, *, peer: str = "127.0.0.1", host: str = "127.0.0.1:8787", **policy: Any
    ) -> httpx.AsyncClient:
        """Make a caller who comes to a door."""
        transport = httpx.ASGITransport(door or self.door(**policy), client=(peer, 1))
        return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")
