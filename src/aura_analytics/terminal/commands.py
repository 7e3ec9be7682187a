"""What the commands do, between their arguments and what they print."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import structlog
from rich.console import RenderableType

from aura_analytics.clock import now
from aura_analytics.errors import LoadError, Rejection
from aura_analytics.evaluation.tally import Tally
from aura_analytics.evaluator import label
from aura_analytics.events.decode import Limits
from aura_analytics.ingest.files import Source
from aura_analytics.ingest.load import Loaded, StoreTarget, Target, UrlTarget, load
from aura_analytics.ingest.redacting import make_redaction
from aura_analytics.labelling import judging, make_evaluator, make_rules, prepare_judge
from aura_analytics.logs import plain
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store import migration_status
from aura_analytics.terminal import service, tables
from aura_analytics.terminal.actor import retry_failed
from aura_analytics.terminal.screen import notes, progress, results

log = structlog.get_logger()

MOST_FAILED = 1_000
TIMEOUT_S = 60
ENDING = (signal.SIGTERM, signal.SIGINT)


async def ask(settings: Settings, path: str, parameters: Mapping[str, Any]) -> Any:  # Any: the endpoint's JSON
    """Ask one endpoint of this database's service."""
    async with service.reached_service(settings) as client:
        return await service.get(client, path, parameters)


async def ask_for_csv(settings: Settings, path: str, parameters: Mapping[str, Any]) -> bytes:
    """Ask one endpoint of this database's service for its answer as CSV."""
    async with service.reached_service(settings) as client:
        return (await service.answer(client, path, {**parameters, "format": "csv"})).content


async def ingest(settings: Settings, names: Sequence[str], url: str | None) -> Loaded:
    """Send files of events into the database, or to a server."""
    sources = [_source(name) for name in names]
    sizes = [source.size for source in sources]
    total = sum(size for size in sizes if size is not None) if None not in sizes else None
    console = notes()

    def report(place: str, rejection: Rejection) -> None:
        field = f"{rejection.field}: " if rejection.field else ""
        console.print(plain(f"{place}: {field}{rejection.message}"), markup=False, soft_wrap=True)

    async with _target(settings, url) as target:
        started = now()
        with progress("ingesting", total) as meter:

            def advance(loaded: Loaded, read: int) -> None:
                rate = loaded.events * 1000 / max(1, now() - started)
                meter.set(read, f"{loaded.events:,} events, {rate:,.0f}/s")

            return await load(sources, target, on_rejection=report, on_progress=advance)


@asynccontextmanager
async def _target(settings: Settings, url: str | None) -> AsyncIterator[Target]:
    if url is None:
        limits = Limits(event_bytes=settings.ingest_max_event_bytes, extra_bytes=settings.ingest_max_extra_bytes)
        async with opened_store(settings) as store:
            yield StoreTarget(store, limits, make_redaction(settings))
        return
    if not url.startswith(("http://", "https://")):
        raise LoadError(f"“{url}” is no http:// or https:// URL")
    try:
        client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, headers=service.shown_key(settings))
    except httpx.InvalidURL as error:
        raise LoadError(f"“{url}” is no http:// or https:// URL") from error
    async with client:
        yield UrlTarget(client)


def _source(name: str) -> Source:
    try:
        return Source(name)
    except OSError as error:
        raise LoadError(f"{name} can't be read: {error.strerror}") from error


async def evaluate(settings: Settings, *, retry: bool) -> Tally:
    """Label what is due; first make the failed ones due again, where asked."""
    rules = make_rules(settings)
    prepared = prepare_judge(settings)
    async with opened_store(settings) as store, judging(settings, store, prepared) as judge:
        if retry:
            await retry_failed(store)
        depth = await store.queue_depth(now=now())
        with progress("labelling", depth.due) as meter:
            return await make_evaluator(settings, store, judge, rules).run(
                lambda tally: meter.set(tally.handled, f"{tally.labelled:,} labelled")
            )


async def watch(settings: Settings) -> None:
    """Label what is due, again and again, until SIGTERM or SIGINT; then give back what isn't labelled, and end."""
    rules = make_rules(settings)
    prepared = await asyncio.to_thread(prepare_judge, settings)
    work = asyncio.create_task(label(settings, rules, prepared), name="evaluation")
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")
    finally:
        for number in ENDING:
            loop.remove_signal_handler(number)


async def failed(settings: Settings) -> list[dict[str, Any]]:
    """List the interactions that got no label."""
    async with opened_store(settings) as store:
        return [msgspec.structs.asdict(one) for one in await store.failed_evaluations(MOST_FAILED)]


async def verify(settings: Settings, *, rebuild: bool) -> dict[str, Any]:
    """Compare rows and columns."""
    async with service.reached_service(settings) as client:
        found: dict[str, Any] = await service.get(client, "/verify", {"rebuild": "true" if rebuild else None})
        return found


def migrated(settings: Settings) -> list[dict[str, Any]]:
    """List the migrations, and when each was applied."""
    return [msgspec.structs.asdict(one) for one in migration_status(settings)]


def show(answer: Any, table: Callable[[Any], RenderableType], *, as_json: bool) -> None:  # Any: the endpoint's JSON
    """Print an answer: a table on a terminal, JSON where asked."""
    if as_json:
        print_json(answer)
    else:
        results().print(table(answer))


def show_csv(body: bytes) -> None:
    """Print CSV: as it is in a pipe, and so that nothing in it acts on it on a terminal."""
    console = results()
    if not console.is_terminal:
        sys.stdout.buffer.write(body)
        return
    for line in body.decode().split("\r\n")[:-1]:
        console.print(plain(line), markup=False, emoji=False, soft_wrap=True)


def show_applied(names: Sequence[str], *, as_json: bool) -> None:
    """Print which migrations were applied."""
    if as_json:
        print_json({"applied": list(names)})
        return
    for name in names:
        results().print(f"applied {name}")
    if not names:
        results().print("nothing to apply")


def show_loaded(loaded: Loaded, *, as_json: bool) -> None:
    """Print what became of the files."""
    if as_json:
        print_json(msgspec.structs.asdict(loaded))
        return
    results().print(
        f"{loaded.accepted:,} accepted, {loaded.duplicates:,} duplicates, {loaded.rejected:,} rejected", markup=False
    )


def show_requeued(count: int) -> None:
    """Tell how many are labelled anew: beside the result, which is what came of it."""
    notes().print(f"{count:,} to be labelled anew")


def show_tally(tally: Tally, *, as_json: bool) -> None:
    """Print what a run of the evaluation did."""
    if as_json:
        print_json({"labels": dict(tally.labels), **tally.counts()})
        return
    by_label = ", ".join(f"{count:,} {label}" for label, count in sorted(tally.labels.items()))
    results().print(f"{tally.labelled:,} labelled{f' ({by_label})' if by_label else ''}", end="")
    results().print(f", {tally.postponed:,} to be tried again, {tally.failed:,} given up", markup=False, end="")
    waiting = [(tally.paused, "wait for the judge"), (tally.left, "left out of the sample")]
    results().print("".join(f", {count:,} {what}" for count, what in waiting if count), markup=False)


def show_verification(found: dict[str, Any], *, as_json: bool) -> None:
    """Print what a comparison found."""
    if as_json:
        print_json(found)
    elif found["differing"]:
        results().print(tables.differences_table(found["differences"]))
        results().print(f"{found['differing']:,} of {found['interactions']:,} interactions differ")
    else:
        results().print(f"{found['interactions']:,} interactions: rows and columns agree")


def print_json(value: Any) -> None:  # Any: what JSON can hold
    """Print JSON; what people said is escaped, so that no terminal acts on it."""
    print(json.dumps(value, indent=2))  # noqa: T201 (a result)
