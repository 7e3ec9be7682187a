"""Serving, sending the made-up interactions through the front door, and showing what came of them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Any

import httpx
import msgspec

from aura_analytics.app import Running, serve
from aura_analytics.clock import now
from aura_analytics.errors import AuraError
from aura_analytics.settings import Settings
from aura_analytics.terminal import figures, insights, service, tables
from aura_analytics.terminal.commands import evaluate, show_tally
from aura_analytics.terminal.screen import notes, results

BATCH_INTERACTIONS = 50
PERIOD = "7d"
IDS = ("query_id", "session_id", "order_id")


class Told(msgspec.Struct, frozen=True):
    """One made-up interaction, and what was bought then: how long ago, and the events' fields.

    Any: as the documented dialect has them.
    """

    seconds_ago: int
    query: dict[str, Any]
    outcome: dict[str, Any] | None = None
    outcome_after_ms: int | None = None
    conversion: dict[str, Any] | None = None
    conversion_after_s: int = 0


async def demo(settings: Settings) -> None:
    """Serve until stopped; meanwhile fill the service and print its numbers."""
    await serve(settings, on_ready=partial(show, settings))


async def show(settings: Settings, running: Running) -> None:
    """Send the interactions to a running service, have them labelled, and print the statistics."""
    try:
        async with httpx.AsyncClient(base_url=running.url, timeout=60, trust_env=False) as client:
            await _send(client, running.url)
            show_tally(await evaluate(settings, retry=False), as_json=False)
            await _print(client)
    except (AuraError, httpx.HTTPError) as error:
        notes().print(f"the demonstration failed: {error}", style="red", markup=False)
        return
    _hints(running.url)


async def _send(client: httpx.AsyncClient, url: str) -> None:
    told = list(interactions())
    accepted = duplicates = 0
    for start in range(0, len(told), BATCH_INTERACTIONS):
        batch = [event for one in told[start : start + BATCH_INTERACTIONS] for event in events(one, now())]
        answer = await client.post("/ingest", json=batch)
        answer.raise_for_status()
        receipt = answer.json()
        accepted += receipt["accepted"]
        duplicates += receipt["duplicates"]
    again = f" ({duplicates} were there already)" if duplicates else ""
    results().print(f"{len(told)} interactions sent to {url}/ingest: {accepted} events stored{again}")


def interactions() -> Iterator[Told]:
    """Read the made-up interactions."""
    text = files("aura_analytics.demo").joinpath("interactions.ndjson").read_bytes()
    return iter(msgspec.json.Decoder(Told).decode_lines(text))


def events(told: Told, present: int) -> list[dict[str, Any]]:  # Any: as the documented dialect has them
    """Make the events of one interaction, in the days before the present (epoch milliseconds)."""
    day = datetime.fromtimestamp(present / 1000, UTC).strftime("%Y%m%d")
    said_at = present - told.seconds_ago * 1000
    query = _of_day(told.query, day)
    made = [_event("voice_query", said_at, query)]
    if told.outcome is not None:
        fields = {"query_id": query["query_id"], **told.outcome}
        made.append(_event("voice_outcome", said_at + (told.outcome_after_ms or 0), fields))
    if told.conversion is not None:
        bought_at = said_at + told.conversion_after_s * 1000
        made.append(_event("voice_conversion", bought_at, _of_day(told.conversion, day)))
    return made


def _of_day(fields: dict[str, Any], day: str) -> dict[str, Any]:
    """Have ids carry the day, so that another day's demonstration isn't taken for a repetition."""
    return fields | {name: f"{fields[name]}-{day}" for name in IDS if fields.get(name)}


def _event(kind: str, moment: int, fields: dict[str, Any]) -> dict[str, Any]:
    return {"event_type": kind, "timestamp": _iso(moment), **fields}


async def _print(client: httpx.AsyncClient) -> None:
    console = results()
    console.print(figures.summary_table(await service.get(client, "/stats/summary", {"period": PERIOD})))
    top = await service.get(client, "/stats/top-queries", {"period": PERIOD, "limit": 10})
    console.print(tables.top_queries_table(top))
    broken = await service.get(client, "/insights/causes", {"period": PERIOD, "examples": 0})
    console.print(insights.where_it_broke(broken))
    missed = await service.get(client, "/stats/unanswered", {"period": PERIOD, "limit": 10})
    console.print(tables.unanswered_table(missed))


def _iso(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")


def _hints(url: str) -> None:
    results().print(
        f"""\
Serving on {url} until you press Ctrl-C. Open {url}/docs, or try in another terminal:

  curl '{url}/stats/summary?period=7d&store=pixel-gaming'
  curl '{url}/stats/timeseries?period=7d&step=day&split=store&format=csv'
  curl '{url}/insights/causes?period=7d&label=BAD'
  curl '{url}/interactions?period=7d&text=gift'
  curl -X POST {url}/ingest -H 'Content-Type: application/json' \\
       -d '{{"event_type": "voice_query", "store_id": "my-shop", "query_text": "do you have red shoes"}}'
  curl '{url}/stats/top-queries?store=my-shop'
""",
        markup=False,
        soft_wrap=True,
    )
