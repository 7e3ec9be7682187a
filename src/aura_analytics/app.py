"""The composition root: the only place where objects meet. Nothing is made at import."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import structlog
import uvicorn
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from aura_analytics.api import insights, interactions, judging, persons, problems, reviewing
from aura_analytics.api.cache import Cache
from aura_analytics.api.description import describe
from aura_analytics.api.endpoints import router, state_router
from aura_analytics.api.front import Front
from aura_analytics.api.health import health
from aura_analytics.api.live import LIVE, Live
from aura_analytics.api.page import built_page
from aura_analytics.api.protocol import GatheringProtocol
from aura_analytics.api.request_log import RequestLog
from aura_analytics.clock import now
from aura_analytics.errors import SettingsError, StoreUnavailable
from aura_analytics.evaluation.candidate import candidates
from aura_analytics.evaluation.process import EvaluatorProcess
from aura_analytics.guard.door import Door
from aura_analytics.guard.keyring import Keyring
from aura_analytics.guard.policy import make_policy
from aura_analytics.ingest.endpoint import IngestEndpoint
from aura_analytics.ingest.redacting import store_kinds
from aura_analytics.labelling import make_evaluator, make_rubric, make_rules
from aura_analytics.privacy.persons import Persons
from aura_analytics.projection import (
    Columns,
    NoColumns,
    Projection,
    RemoteProjection,
    announced,
    attribution_ms,
    own_slot,
)
from aura_analytics.settings import Settings
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.summary import EvaluationQueue
from aura_analytics.store import Store, lies_in_a_file, make_store, migrate
from aura_analytics.version import __version__

log = structlog.get_logger()

# After SIGTERM, requests in flight have this long to be finished and answered.
SHUTDOWN_S = 30
BACKLOG = 2_048
# A server's database may start together with us: this long is it waited for, with pauses that grow.
DATABASE_STARTS_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER_S = 0.5, 10.0, 0.5


def make_reader(settings: Settings, columns: Columns) -> ColumnReader:
    """Make what the metrics read with."""
    return ColumnReader(
        columns,
        grace_ms=round(settings.eval_grace_seconds * 1000),
        staleness_ms=settings.stats_max_staleness_ms // 2,  # the other half is the cache's
    )


def make_persons(store: Store) -> Persons:
    """Make what shows and erases all that is kept of one person. Places beside the rows and their copies go in here."""
    return Persons(store)


@asynccontextmanager
async def opened_store(settings: Settings, *, patience_s: float = 0.0) -> AsyncIterator[Store]:
    """Migrate and open the store; close it at the end.

    Args:
        settings: name it.
        patience_s: for how long a database is waited for that can't be used yet.

    Raises:
        StoreUnavailable: it can't be used.
        MigrationError: it has a shape that this version can't work with.
    """
    trying = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailable),
        stop=stop_after_delay(patience_s) if patience_s else stop_after_attempt(1),
        wait=wait_exponential_jitter(initial=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, jitter=JITTER_S),
        before_sleep=_tell_of_waiting,
        reraise=True,
    )
    store: Store = await trying(_open_store, settings)
    try:
        yield store
    finally:
        await store.close()


async def _open_store(settings: Settings) -> Store:
    applied = await asyncio.to_thread(migrate, settings)
    if applied:
        log.info("migrated", applied=applied)
    store = make_store(settings)
    await store.open()
    return store


def _tell_of_waiting(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("database_awaited", error=str(error), again_in_s=round(state.upcoming_sleep, 1))


@asynccontextmanager
async def running_projection(settings: Settings, store: Store, path: Path | None) -> AsyncIterator[Projection]:
    """Keep the columns of a store in this process until the end of the block; `path` None keeps them in memory.

    Raises:
        ProjectionOwned: another process follows into the same file.
    """
    projection = Projection(
        store,
        path,
        memory_mb=settings.stats_memory_mb,
        threads=settings.stats_threads,
        attribution_ms=attribution_ms(settings),
    )
    await projection.start()
    try:
        yield projection
    finally:
        await projection.stop()


@asynccontextmanager
async def remote_projection(settings: Settings) -> AsyncIterator[RemoteProjection]:
    """Have the columns kept by a process of their own until the end of the block.

    Raises:
        ProjectionOwned: another server keeps them.
    """
    projection = RemoteProjection(settings)
    await projection.start()
    try:
        yield projection
    finally:
        await projection.stop()


@asynccontextmanager
async def kept_columns(settings: Settings, url: str) -> AsyncIterator[Columns]:
    """Have columns in a file of this server's own, and say beside it where it answers; where they are off, none.

    Raises:
        ProjectionOwned: another server keeps them.
    """
    if settings.aura_statistics == "off":
        yield NoColumns()
        return
    with own_slot(settings) as path:
        own = msgspec.structs.replace(settings, aura_columns_path=str(path))
        async with remote_projection(own) as columns:
            with announced(path, url):
                yield columns


def make_app(
    settings: Settings, store: Store, columns: Columns, live: Live | None = None, keyring: Keyring | None = None
) -> RequestLog:
    """Make the ASGI application over open parts. `live` is closed by who gives it; without it, nobody has to.

    The keys are by default those of the store.

    Raises:
        SettingsError: a network or an origin is none.
    """

    async def queue_depth() -> EvaluationQueue:
        depth = await store.queue_depth(now=now())
        return EvaluationQueue(due=depth.due, waiting=depth.waiting, failed=depth.failed)

    reading = FastAPIOffline(
        title="Aura Analytics",
        version=__version__,
        description="What a voice shopping assistant was asked, what became of it, and how good it was.",
    )
    describe(reading)
    reader = make_reader(settings, columns)
    budget_usd = settings.eval_daily_budget_usd or None
    over_both = (
        interactions.router(reader, store),
        judging.router(reader, store, budget_usd=budget_usd),
        reviewing.router(reader, store),
        persons.router(make_persons(store), store.keys),
    )
    for routes in (router(reader, queue_depth), *over_both, insights.router(reader)):
        reading.include_router(routes)
    reading.include_router(state_router(partial(health, store, columns), columns))
    problems.install(reading)
    kept = Cache(reading, store, store.persons, staleness_ms=settings.stats_max_staleness_ms // 2)
    page = built_page()
    others: dict[str, ASGIApp] = {LIVE: live or Live(store), **dict.fromkeys(page.paths, page)}
    front = Front(IngestEndpoint(store, settings), kept, others)
    return RequestLog(Door(front, keyring or Keyring(store.keys), store.keys, make_policy(settings), problems.answer))


class Server(uvicorn.Server):
    """uvicorn, but for its way of dying by the signal that ended it: there is a database to close first.

    Args:
        config: uvicorn's own.
        live: ends its streams before the server waits for what is in flight.
    """

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in flight, and close."""
        await self._live.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals on the event loop, and give them back afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, partial(self.handle_exit, number, None))
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


class Running(msgspec.Struct, frozen=True):
    """A server that takes requests."""

    url: str


OnReady = Callable[[Running], Coroutine[None, None, None]]
Labelling = Callable[[Store], AbstractAsyncContextManager[None]]


async def serve(settings: Settings, *, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in flight, answer it, and bring the log of the database home.

    Args:
        settings: all of them.
        on_ready: started once requests are taken; ended with the server.

    Raises:
        SettingsError: the address can't be served on, the rules can't be read, or the model or rubric isn't known.
        ProjectionOwned: a server keeps the columns of this database already.
        StoreUnavailable: the database can't be used, or doesn't come up.
    """
    make_policy(settings)  # what is wrong with it is told before anything is opened
    store_kinds(settings)
    patience_s = 0.0 if lies_in_a_file(settings) else DATABASE_STARTS_S
    async with contextlib.AsyncExitStack() as stack:
        begin = await _labelling(settings, stack) if settings.aura_evaluate == "on" else None
        listener = stack.enter_context(contextlib.closing(_bind(settings)))
        url = _url(settings.host, listener)
        store = await stack.enter_async_context(opened_store(settings, patience_s=patience_s))
        columns = await stack.enter_async_context(kept_columns(settings, url))
        if begin is not None:
            await stack.enter_async_context(begin(store))
        keyring = Keyring(store.keys)
        stack.push_async_callback(keyring.close)
        await keyring.refresh()
        _tell_of_door(settings, keyring)
        live = Live(store)
        await _run(make_app(settings, store, columns, live, keyring), live, listener, Running(url), on_ready)
    log.info("stopped")


def _tell_of_door(settings: Settings, keyring: Keyring) -> None:
    """Say who is let in, before anybody is."""
    if settings.auth == "off":
        log.warning("door", open_to="everybody who reaches the address", since="AUTH=off")
    elif keyring.has_keys():
        log.info("door", open_to="who shows a key")
    else:
        log.info("door", open_to="this machine only", until="aura-analytics keys create")


async def _labelling(settings: Settings, stack: contextlib.AsyncExitStack) -> Labelling:
    """Look at what labels; give what has it work over a store. Where a model judges, in a process of its own.

    Raises:
        SettingsError: the rules can't be read, or the model or rubric isn't known.
    """
    if not candidates(settings):
        make_rubric(settings)
        rules = make_rules(settings)
        return lambda store: _beside(make_evaluator(settings, store, None, rules).watch(settings.eval_interval_seconds))
    process = EvaluatorProcess(settings)
    await process.start()
    stack.push_async_callback(process.stop)
    return lambda _: process.working()


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have some work done while the block runs; it is cancelled at the end, and waited for."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(
    app: RequestLog, live: Live, listener: socket.socket, running: Running, on_ready: OnReady | None
) -> None:
    server = Server(
        uvicorn.Config(
            app,
            http=GatheringProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=75,
        ),
        live,
    )
    # What is loaded by now stays: a collector that looked through all of it again would stop every request meanwhile.
    gc.collect()
    gc.freeze()
    log.info("serving", url=running.url)
    async with contextlib.AsyncExitStack() as stack:
        if on_ready:
            await stack.enter_async_context(_beside(on_ready(running)))
        await server.serve(sockets=[listener])
    gc.unfreeze()


def _bind(settings: Settings) -> socket.socket:
    """Take the address before anything is opened, so that a taken port costs nothing."""
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SettingsError(f"can't serve on {settings.host}:{settings.port}: {error.strerror or error}") from error
    listener.setblocking(False)  # noqa: FBT003 (the socket's own signature)
    return listener


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 (compared, not bound)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
