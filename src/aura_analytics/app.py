"""The composition root: the only place where objects meet. Nothing is made at import."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import structlog
import uvicorn
from fastapi_offline import FastAPIOffline
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from aura_analytics.api import insights, interactions, judging, problems
from aura_analytics.api.cache import Cache
from aura_analytics.api.description import describe
from aura_analytics.api.endpoints import router, state_router
from aura_analytics.api.front import Front
from aura_analytics.api.health import health
from aura_analytics.api.protocol import GatheringProtocol
from aura_analytics.api.request_log import RequestLog
from aura_analytics.clock import now
from aura_analytics.errors import SettingsError, StoreUnavailable
from aura_analytics.evaluation.judgement import Judge
from aura_analytics.evaluation.rule import Rule
from aura_analytics.evaluation.rules import default_rules, read_rules
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.guard.door import Door
from aura_analytics.guard.keyring import Keyring
from aura_analytics.guard.policy import make_policy
from aura_analytics.ingest.endpoint import IngestEndpoint
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

# How often one interaction is asked about before it goes back to the queue.
JUDGE_ATTEMPTS = 3
# After SIGTERM, requests in flight have this long to be finished and answered.
SHUTDOWN_S = 30
BACKLOG = 2_048
# A server's database may start together with us: this long is it waited for, with pauses that grow.
DATABASE_STARTS_S = 60.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, JITTER_S = 0.5, 10.0, 0.5


def make_judge(settings: Settings) -> Judge | None:
    """Make the judge that the settings name; without a key there is none.

    Raises:
        SettingsError: the model isn't known.
    """
    if not settings.gemini_api_key:
        return None
    # Imported here, since the SDK takes two seconds to load and most commands never ask a model.
    from aura_analytics.evaluation.judge import model_judge  # noqa: PLC0415

    return model_judge(
        settings.eval_model,
        api_key=settings.gemini_api_key,
        base_url=settings.eval_base_url or None,
        timeout_s=settings.eval_timeout_seconds,
        attempts=JUDGE_ATTEMPTS,
    )


def make_rules(settings: Settings) -> tuple[Rule, ...]:
    """Make the rules that the settings name; by default those of the package.

    Raises:
        SettingsError: the file can't be read, or says something that isn't known.
    """
    if not settings.eval_rules:
        return default_rules()
    try:
        return read_rules(Path(settings.eval_rules))
    except SettingsError as error:
        raise SettingsError(f"EVAL_RULES: {error}") from error


def make_evaluator(
    settings: Settings, store: Store, judge: Judge | None, rules: tuple[Rule, ...] | None = None
) -> Evaluator:
    """Make the evaluator over a store, a judge, and rules; without any, those of the package."""
    return Evaluator(
        store,
        judge,
        batch_size=settings.eval_batch_size,
        concurrency=settings.eval_concurrency,
        lease_ms=round(settings.eval_lease_seconds * 1000),
        max_attempts=settings.eval_max_attempts,
        rules=rules,
    )


def make_reader(settings: Settings, columns: Columns) -> ColumnReader:
    """Make what the metrics read with."""
    return ColumnReader(
        columns,
        grace_ms=round(settings.eval_grace_seconds * 1000),
        staleness_ms=settings.stats_max_staleness_ms // 2,  # the other half is the cache's
    )


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


def make_app(settings: Settings, store: Store, columns: Columns, keyring: Keyring | None = None) -> RequestLog:
    """Make the ASGI application over open parts; the keys are by default those of the store.

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
    over_both = (interactions.router(reader, store), judging.router(reader, store))
    for routes in (router(reader, queue_depth), *over_both, insights.router(reader)):
        reading.include_router(routes)
    reading.include_router(state_router(partial(health, store, columns), columns))
    problems.install(reading)
    kept = Cache(reading, store, staleness_ms=settings.stats_max_staleness_ms // 2)
    front = Front(IngestEndpoint(store, settings), kept)
    return RequestLog(Door(front, keyring or Keyring(store.keys), store.keys, make_policy(settings), problems.answer))


class Server(uvicorn.Server):
    """uvicorn, but for its way of dying by the signal that ended it: there is a database to close first."""

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
    evaluator: Evaluator


OnReady = Callable[[Running], Coroutine[None, None, None]]


async def serve(settings: Settings, *, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in flight, answer it, and bring the log of the database home.

    Args:
        settings: all of them.
        on_ready: started once requests are taken; ended with the server.

    Raises:
        SettingsError: the address can't be served on, the rules can't be read, or the model isn't known.
        ProjectionOwned: a server keeps the columns of this database already.
        StoreUnavailable: the database can't be used, or doesn't come up.
    """
    make_policy(settings)  # what is wrong with it is told before anything is opened
    evaluates = settings.aura_evaluate == "on"
    rules = make_rules(settings) if evaluates else None
    judge = await asyncio.to_thread(make_judge, settings) if evaluates else None
    patience_s = 0.0 if lies_in_a_file(settings) else DATABASE_STARTS_S
    with contextlib.closing(_bind(settings)) as listener:
        url = _url(settings.host, listener)
        async with (
            opened_store(settings, patience_s=patience_s) as store,
            kept_columns(settings, url) as columns,
            contextlib.AsyncExitStack() as beside,
        ):
            if judge is not None:
                beside.push_async_callback(judge.aclose)
            running = Running(url, make_evaluator(settings, store, judge, rules))
            if evaluates:
                await beside.enter_async_context(_beside(running.evaluator.watch(settings.eval_interval_seconds)))
            keyring = Keyring(store.keys)
            beside.push_async_callback(keyring.close)
            await _run(make_app(settings, store, columns, keyring), listener, running, on_ready)
    log.info("stopped")


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


async def _run(app: RequestLog, listener: socket.socket, running: Running, on_ready: OnReady | None) -> None:
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
        )
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
