"""The process that keeps the columns of a server: `python -m aura_analytics.projection.host FD`.

Reading rows and filling columns takes the interpreter's lock thousands of times a second. In the server's own process
that halves what it takes in; here it costs the server nothing. The process ends when the server's side of the socket
closes, whatever became of the server.
"""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvloop

from aura_analytics import logs
from aura_analytics.archive.past import attached
from aura_analytics.errors import ProjectionOwned, SettingsError, StoreUnavailable, Unavailable
from aura_analytics.projection import frames
from aura_analytics.projection.attribution import attribution_ms
from aura_analytics.projection.follower import Projection
from aura_analytics.projection.owner import owner_of
from aura_analytics.recent import relay
from aura_analytics.settings import Settings
from aura_analytics.store import Store, columns_path, make_store

log = structlog.get_logger()

# A server that was killed leaves its own process of columns behind for a moment.
TAKE_OVER_S = 10.0
BETWEEN_TRIES_S = 0.1


async def host(channel: socket.socket) -> None:
    """Serve the columns over a socket until it closes."""
    reader, writer = await asyncio.open_connection(sock=channel)
    start = await frames.read(reader)
    if not isinstance(start, frames.Start):
        return
    settings = start.settings
    logs.configure(settings.log_level, settings.log_format)
    with logs.heard_by(relay(sys.stdout.fileno())):
        await _serve(settings, reader, writer)


async def _serve(settings: Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keep the columns and answer from them, or say why there are none."""
    try:
        async with _opened(settings) as store:
            projection = await _take_over(settings, store)
            frames.write(writer, frames.Started())
            await _answer_calls(projection, reader, writer)
            await projection.stop()
    except (ProjectionOwned, SettingsError) as error:
        await _refuse(writer, frames.Started(owned_elsewhere=str(error)))
    except StoreUnavailable as error:
        await _refuse(writer, frames.Started(unavailable=str(error)))
    finally:
        writer.close()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Store]:
    store = make_store(settings)
    attached(settings, store)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _refuse(writer: asyncio.StreamWriter, started: frames.Started) -> None:
    """Say why there are no columns; the server may be gone by then."""
    frames.write(writer, started)
    with contextlib.suppress(ConnectionError):
        await writer.drain()


async def _take_over(settings: Settings, store: Store) -> Projection:
    """Open the columns, once whoever was killed before us has let go of them.

    Raises:
        ProjectionOwned: somebody lives who owns them.
    """
    path = columns_path(settings)
    until = time.monotonic() + TAKE_OVER_S
    while True:
        projection = Projection(
            store,
            path,
            memory_mb=settings.stats_memory_mb,
            threads=settings.stats_threads,
            attribution_ms=attribution_ms(settings),
        )
        try:
            await projection.start()
        except ProjectionOwned:
            if owner_of(path) is not None or time.monotonic() > until:
                raise
            await asyncio.sleep(BETWEEN_TRIES_S)
        else:
            return projection


async def _answer_calls(projection: Projection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer what comes, several at once, until the other side is gone."""
    running: set[asyncio.Task[None]] = set()
    while isinstance(call := await frames.read(reader), frames.Call | frames.Ask):
        task = asyncio.create_task(_answer(projection, call, writer))
        running.add(task)
        task.add_done_callback(running.discard)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _answer(projection: Projection, call: frames.Call | frames.Ask, writer: asyncio.StreamWriter) -> None:
    try:
        if isinstance(call, frames.Ask):
            result: object = await projection.ask(call.question, staleness_ms=call.staleness_ms)
        else:
            result = await getattr(projection, call.method)(**call.arguments)
        frames.write(writer, frames.Answer(call.number, result))
    except Unavailable as error:
        frames.write(writer, frames.Failure(call.number, str(error), error.retry_after_s))
    except Exception:  # the edge of a call: whoever asked is told, and the log holds what it was
        log.exception("columns_failed", call=type(call).__name__)
        frames.write(writer, frames.Failure(call.number, "the statistics failed", unavailable=False))


def main() -> None:
    """Run until the server is gone; its signals are its own business."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(host(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
