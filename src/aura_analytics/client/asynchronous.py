"""The client for programs with an event loop.

Tracking waits for nothing anyway, and sending has its own thread: so it doesn't compete with the loop, and lives on
when the loop ends. Only waiting for it is different here.
"""

import asyncio
from types import TracebackType
from typing import Self

from aura_analytics.client.synchronous import Client


class AsyncClient(Client):
    """A `Client` that is awaited where that one waits: `async with`, `await aflush()`, `await aclose()`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aflush(self, timeout_s: float = 30.0) -> bool:
        """Do what `flush` does, while the loop goes on."""
        return await asyncio.to_thread(self.flush, timeout_s)

    async def aclose(self, timeout_s: float | None = None) -> None:
        """Do what `close` does, while the loop goes on."""
        await asyncio.to_thread(self.close, timeout_s)
