"""`aura-analytics tail`: a running server's log as it happens, over the network, as `wrangler tail` shows a worker's."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any

import httpx
import msgspec
import typer
from rich.text import Text

from aura_analytics.clock import now
from aura_analytics.errors import LoadError
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.terminal import service
from aura_analytics.terminal.keyring import period_ms
from aura_analytics.terminal.running import run, settings_for
from aura_analytics.terminal.screen import notes, results

TAIL = "/logs/tail"
STREAM = "text/event-stream"
# What an event is called that says how many lines are gone.
LOST = "lost"
# Longer than the server is ever silent.
SILENT_S = 60.0
CONNECT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "red"}
# What a line shows before all else, and so not again as name=value.
LEADING = ("timestamp", "level", "event", "process")
REQUEST = ("method", "path", "status", "duration_ms")

# A line of the log, or what else the server says. Any: whatever was logged.
Line = dict[str, Any]


class LevelName(StrEnum):
    """A level, as an argument."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class Event(msgspec.Struct, frozen=True):
    """One event of the stream."""

    kind: str
    id: str
    line: Line


def tail(
    *,
    correlation_id: Annotated[str | None, typer.Option(metavar="ID", help="Only what belongs to this one.")] = None,
    level: Annotated[LevelName, typer.Option(help="Least severe lines that are shown.")] = LevelName.debug,
    store: Annotated[str | None, typer.Option(metavar="STORE", help="Only what is about this store.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="PERIOD", help="Begin with lines of the last 10m, 2h …; by default from now on."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Go on, or end with what there is.")] = True,
    url: Annotated[
        str | None, typer.Option(help="The server; by default this database's, or the one at HOST and PORT.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each line as JSON, as the server wrote it.")] = False,
) -> None:
    """Show a running server's log as it happens; needs a key of the scope admin where there are keys."""
    settings = settings_for(None)
    wanted = {
        "correlation_id": correlation_id,
        "level": level.value,
        "store": store,
        "since": None if since is None else str(now() - period_ms("--since", since)),
        "follow": None if follow else "false",
    }
    given = {name: value for name, value in wanted.items() if value is not None}
    run(show(settings, url, given, as_json=as_json))


async def show(settings: Settings, url: str | None, wanted: dict[str, str], *, as_json: bool) -> None:
    """Print what comes until it is stopped, or until the end where nothing is followed.

    Raises:
        LoadError: no server answers, or it doesn't let this key look at its log.
    """
    address = url or await service.serving_at(settings) or service.own_address(settings)
    limits = httpx.Timeout(CONNECT_S, read=SILENT_S)
    try:
        client = httpx.AsyncClient(
            base_url=address, timeout=limits, trust_env=False, headers=service.shown_key(settings)
        )
    except httpx.InvalidURL as error:
        raise LoadError(f"“{address}” is no http:// or https:// URL") from error
    async with client:
        async for event in followed(client, wanted, follow="follow" not in wanted):
            _print(event, as_json=as_json)


async def followed(client: httpx.AsyncClient, wanted: dict[str, str], *, follow: bool) -> AsyncIterator[Event]:
    """Give what comes; a lost connection is made again, and goes on where it was.

    A server ends each stream after a while, so that who may no longer look at it doesn't: that is no loss.

    Raises:
        LoadError: no server answers at the beginning, it refuses, or what answers sends no log.
    """
    last, was_there, pause_s = "", False, FIRST_PAUSE_S
    while True:
        try:
            async for event in _events(client, wanted, last):
                was_there = True
                last = event.id or last
                pause_s = FIRST_PAUSE_S if event.id else pause_s
                if event.line:
                    yield event
            if not follow:
                return
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise LoadError(f"“{client.base_url}” is no http:// or https:// URL") from error
        except httpx.HTTPError as error:
            if not (was_there and follow):
                raise LoadError(
                    f"no server answers at {client.base_url}: {plain(str(error)) or type(error).__name__};"
                    " start one with aura-analytics serve, or name it with --url"
                ) from error
            notes().print(f"the server is gone; trying again in {pause_s:g} s", style="yellow")
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def _events(client: httpx.AsyncClient, wanted: dict[str, str], last: str) -> AsyncIterator[Event]:
    """Give the events of one connection; the first has no line, and says that it stands."""
    shown = {"last-event-id": last} if last else {}
    async with client.stream("GET", TAIL, params=wanted, headers=shown) as answer:
        if answer.status_code == 503:  # stopping, or too many listen: it is worth another try
            raise httpx.RemoteProtocolError(service.explain(await _read(answer)))
        if not answer.is_success:
            raise LoadError(_refused(await _read(answer)))
        if answer.headers.get("content-type", "").partition(";")[0].strip().lower() != STREAM:
            raise LoadError(f"what answers at {client.base_url} has no log to look at: is it another service?")
        yield Event("open", "", {})
        fields: dict[str, str] = {}
        async for row in _rows(answer):
            name, _, value = row.partition(": ")
            if row:
                fields[name] = value
            else:
                yield _event(fields)
                fields = {}


async def _rows(answer: httpx.Response) -> AsyncIterator[str]:
    """Give the rows of a stream: they end with a line feed, and with nothing else that may stand in a text."""
    begun = b""
    async for piece in answer.aiter_bytes():
        *rows, begun = (begun + piece).split(b"\n")
        for row in rows:
            yield row.decode(errors="replace")


def _event(fields: dict[str, str]) -> Event:
    kind, written = fields.get("event", ""), fields.get("data", "{}")
    try:
        line = msgspec.json.decode(written, type=dict[str, int] if kind == LOST else Line)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise LoadError(f"the server sent a line that can't be read: {plain(written[:80])}") from error
    return Event(kind, fields.get("id", ""), line)


async def _read(answer: httpx.Response) -> httpx.Response:
    await answer.aread()
    return answer


def _refused(answer: httpx.Response) -> str:
    said = plain(service.explain(answer))
    if answer.status_code in (401, 403):
        return f"{said}; AURA_API_KEY has to be a key of the scope admin, for all stores"
    if answer.status_code == 404:
        return "what answers there has no log to look at: is it another service, or an older version?"
    return said


def _print(event: Event, *, as_json: bool) -> None:
    if event.kind == LOST:
        notes().print(
            f"{event.line.get('lost', 0):,} lines were lost: they came faster than they were read", style="yellow"
        )
    elif as_json:
        sys.stdout.write(json.dumps(event.line) + "\n")
        sys.stdout.flush()
    else:
        results().print(pretty(event.line), soft_wrap=True)


def pretty(line: Line) -> Text:
    """Make a line of the log for people; nothing in it acts on a terminal."""
    level, event = str(line.get("level", "")), str(line.get("event", ""))
    rest = [name for name in line if name not in LEADING]
    text = Text(f"{_clock(line)} ", style="dim")
    text.append(f"{plain(level):<7} ", style=STYLES.get(level, ""))
    if process := line.get("process"):
        text.append(f"[{plain(str(process))}] ", style="dim")
    if event == "request" and all(name in line for name in REQUEST[:2]):
        method, path, status, took = (plain(str(line.get(name, "–"))) for name in REQUEST)
        text.append(f"{method} {path} {status} {took} ms", style="bold")
        rest = [name for name in rest if name not in REQUEST]
    else:
        text.append(plain(event), style="bold")
    for name in rest:
        if line[name] not in (None, [], 0) or name == "status":
            text.append(f" {plain(name)}=", style="dim")
            text.append(plain(_value(line[name])))
    return text


def _clock(line: Line) -> str:
    moment = plain(str(line.get("timestamp", "")))
    return moment[11:23] if len(moment) == 24 else moment


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
