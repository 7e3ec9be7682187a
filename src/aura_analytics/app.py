"""The composition root: the only place where objects meet. Nothing is made at import."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import cast

import msgspec
import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp

from aura_analytics.alerting import check_alerts, is_watched, make_alerts, make_gauge, make_webhooks, watching
from aura_analytics.api import alerting, failing, insights, interactions, judging, persons, problems, reviewing, session
from aura_analytics.api.bounds import Bounds, Places, make_bounds
from aura_analytics.api.cache import Cache
from aura_analytics.api.connection import LOOK_S, BoundedProtocol, Rounds
from aura_analytics.api.description import OPENAPI, Description
from aura_analytics.api.endpoints import router, state_router
from aura_analytics.api.front import Front
from aura_analytics.api.health import health
from aura_analytics.api.live import LIVE, Live
from aura_analytics.api.meter import Meter
from aura_analytics.api.metrics import METRICS, Metrics
from aura_analytics.api.page import built_page
from aura_analytics.api.request_log import RequestLog
from aura_analytics.api.tail import TAIL, Tail
from aura_analytics.api.tracing import Traced
from aura_analytics.archiving import archiving, check_archive
from aura_analytics.clock import now
from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.candidate import candidates
from aura_analytics.evaluation.process import EvaluatorProcess
from aura_analytics.guard.budget import Budget
from aura_analytics.guard.door import Door
from aura_analytics.guard.keyring import Keyring
from aura_analytics.guard.policy import make_policy
from aura_analytics.guard.session import Sessions
from aura_analytics.guard.shared_rate import counting
from aura_analytics.ingest.endpoint import IngestEndpoint
from aura_analytics.ingest.receipt import Receipt
from aura_analytics.ingest.redacting import store_kinds
from aura_analytics.labelling import make_evaluator, make_rubric, make_rules
from aura_analytics.logs import heard_by
from aura_analytics.opening import make_persons, make_reader, opened_store
from aura_analytics.projection import (
    Columns,
    NoColumns,
    RemoteProjection,
    announced,
    own_slot,
)
from aura_analytics.projection.port import Verification
from aura_analytics.recent import Recent
from aura_analytics.settings import Settings
from aura_analytics.spans import Tracer
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.summary import EvaluationQueue
from aura_analytics.store import Store, lies_in_a_file, sizes
from aura_analytics.telemetry.tracing import Traces, check_installed, traced
from aura_analytics.version import __version__

log = structlog.get_logger()

# After SIGTERM, requests in flight have this long to be finished and answered.
SHUTDOWN_S = 30
BACKLOG = 2_048
# A server's database may start together with us: this long is it waited for.
DATABASE_STARTS_S = 60.0


@asynccontextmanager
async def remote_projection(settings: Settings, recent: Recent | None = None) -> AsyncIterator[RemoteProjection]:
    """Have the columns kept by a process of their own until the end of the block.

    Raises:
        ProjectionOwned: another server keeps them.
    """
    projection = RemoteProjection(settings, recent.relayed("columns") if recent else None)
    await projection.start()
    try:
        yield projection
    finally:
        await projection.stop()


@asynccontextmanager
async def kept_columns(settings: Settings, url: str, recent: Recent | None = None) -> AsyncIterator[Columns]:
    """Have columns in a file of this server's own, and say beside it where it answers; where they are off, none.

    Raises:
        ProjectionOwned: another server keeps them.
    """
    if settings.aura_statistics == "off":
        yield NoColumns()
        return
    with own_slot(settings) as path:
        own = msgspec.structs.replace(settings, aura_columns_path=str(path))
        async with remote_projection(own, recent) as columns:
            with announced(path, url):
                yield columns


class Streams(msgspec.Struct, frozen=True):
    """What is listened to: changes, and the log. Whoever makes them closes them."""

    live: Live
    tail: Tail

    async def close(self) -> None:
        """End every stream."""
        await self.live.close()
        await self.tail.close()


def make_app(
    settings: Settings,
    store: Store,
    columns: Columns,
    streams: Streams | None = None,
    keyring: Keyring | None = None,
    *,
    traces: Traces | None = None,
) -> ASGIApp:
    """Make the ASGI application over open parts. The keys are by default those of the store; nothing is traced.

    Raises:
        SettingsError: a network or an origin is none.
    """
    policy, keyring = make_policy(settings), keyring or Keyring(store.keys)
    sessions = Sessions(store.sessions, keyring, trusted=policy.trusted, address_header=policy.address_header)
    reading = _reading(settings, store, columns, sessions)
    kept = Cache(reading, store, store.persons, staleness_ms=settings.stats_max_staleness_ms // 2)
    page = built_page()
    streams = streams or Streams(Live(store), Tail(Recent()))
    meter = Meter()
    budget_usd = settings.eval_daily_budget_usd or None
    metrics = Metrics(meter, store, columns, sizes=partial(sizes, settings), budget_usd=budget_usd, traces=traces)
    others: dict[str, ASGIApp] = {LIVE: streams.live, TAIL: streams.tail, METRICS: metrics}
    others[OPENAPI] = Description(reading, Receipt, closed=policy.closed)
    others |= dict.fromkeys(page.paths, page)
    bodies, count = Budget(settings.ingest_queue_bytes), counting(settings, store.keys)
    front = Front(IngestEndpoint(store, settings, bodies), kept, others)
    door = Door(front, keyring, store.keys, policy, problems.answer, sessions=sessions, budget=bodies, count=count)
    served = RequestLog(door, meter)
    return Traced(served, traces) if traces else served


def _reading(settings: Settings, store: Store, columns: Columns, sessions: Sessions) -> FastAPI:
    """Make the part that answers questions, and takes what people say of answers."""

    async def queue_depth() -> EvaluationQueue:
        depth = await store.queue_depth(now=now())
        return EvaluationQueue(due=depth.due, waiting=depth.waiting, failed=depth.failed)

    reading = FastAPIOffline(
        title="Aura Analytics",
        version=__version__,
        description="What a voice shopping assistant was asked, what became of it, and how good it was.",
        redirect_slashes=False,  # it would send to whatever host the request names
    )
    reader = make_reader(settings, columns)
    for routes in (
        router(reader, queue_depth),
        interactions.router(reader, store),
        judging.router(reader, store, budget_usd=settings.eval_daily_budget_usd or None),
        failing.router(reader, store),  # before the next, which has all other paths there
        reviewing.router(reader, store),
        persons.router(make_persons(store), store.keys),
        insights.router(reader),
        _alerts(settings, store, reader),
        session.router(sessions),
        state_router(partial(health, store, columns), columns, Verification),
    ):
        reading.include_router(routes)
    problems.install(reading)
    return reading


def _alerts(settings: Settings, store: Store, reader: Reader) -> APIRouter:
    rules, gauge = make_alerts(settings), make_gauge(settings, store, reader)
    return alerting.router(store, rules, gauge, make_webhooks(settings), watched=is_watched(settings))


class Server(uvicorn.Server):
    """uvicorn, but for its way of dying by the signal that ended it: there is a database to close first.

    Args:
        config: uvicorn's own.
        streams: ended before the server waits for what is in flight.
        rounds: look after the connections.
    """

    def __init__(self, config: uvicorn.Config, streams: Streams, rounds: Rounds) -> None:
        super().__init__(config)
        self._streams = streams
        self._rounds = rounds

    async def on_tick(self, counter: int) -> bool:
        """Do what is to be done every tenth of a second."""
        if counter % round(LOOK_S * 10) == 0:
            self._rounds.look(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is in flight, and close."""
        await self._streams.close()
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
    # What is wrong with these is told before anything is opened.
    make_policy(settings)
    store_kinds(settings)
    check_alerts(settings)
    check_installed(settings)
    check_archive(settings)
    bounds = make_bounds(settings)
    patience_s = 0.0 if lies_in_a_file(settings) else DATABASE_STARTS_S
    async with contextlib.AsyncExitStack() as stack:
        recent = Recent()
        stack.enter_context(heard_by(recent.hear))
        traces = await stack.enter_async_context(traced(settings, "server"))
        begin = await _labelling(settings, stack, recent, traces) if settings.aura_evaluate == "on" else None
        listener = stack.enter_context(contextlib.closing(_bind(settings)))
        url = _url(settings.host, listener)
        store = await stack.enter_async_context(opened_store(settings, patience_s=patience_s))
        columns = await stack.enter_async_context(kept_columns(settings, url, recent))
        if begin is not None:
            await stack.enter_async_context(begin(store))
        keyring = Keyring(store.keys)
        stack.push_async_callback(keyring.close)
        await keyring.refresh()
        _tell_of_door(settings, keyring)
        await stack.enter_async_context(watching(settings, store, make_reader(settings, columns)))
        await stack.enter_async_context(archiving(settings))
        streams = Streams(Live(store, most_of_key=settings.serve_max_listeners_per_key), Tail(recent))
        app = make_app(settings, store, columns, streams, keyring, traces=traces)
        await _run(app, streams, listener, Running(url), on_ready, bounds=bounds)
    log.info("stopped")


def _tell_of_door(settings: Settings, keyring: Keyring) -> None:
    """Say who is let in, before anybody is."""
    if settings.auth == "off":
        log.warning("door", open_to="everybody who reaches the address", since="AUTH=off")
    elif keyring.has_keys():
        log.info("door", open_to="who shows a key")
    else:
        log.info("door", open_to="this machine only", until="aura-analytics keys create")


async def _labelling(
    settings: Settings, stack: contextlib.AsyncExitStack, recent: Recent, tracer: Tracer | None
) -> Labelling:
    """Look at what labels; give what has it work over a store. Where a model judges, in a process of its own.

    Raises:
        SettingsError: the rules can't be read, or the model or rubric isn't known.
    """
    if not candidates(settings):
        make_rubric(settings)
        rules = make_rules(settings)
        interval_s = settings.eval_interval_seconds
        return lambda store: _beside(make_evaluator(settings, store, None, rules, tracer).watch(interval_s))
    process = EvaluatorProcess(settings, recent.relayed("evaluator"))
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
    app: ASGIApp,
    streams: Streams,
    listener: socket.socket,
    running: Running,
    on_ready: OnReady | None,
    *,
    bounds: Bounds,
) -> None:
    places = Places(bounds)
    server = Server(
        uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, bounds, places)),
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            timeout_keep_alive=75,
        ),
        streams,
        Rounds(places),
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
