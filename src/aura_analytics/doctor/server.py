"""A running server: whether it answers, is healthy, takes events, and gives numbers."""

import contextlib
from collections.abc import Iterable, Sequence
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from aura_analytics.clock import now
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, span, warning
from aura_analytics.guard.policy import make_policy
from aura_analytics.settings import Settings
from aura_analytics.version import __version__

ANSWER_S = 8.0
# The header has whole seconds, and a server that is busy writes them late; what matters begins at minutes.
SKEW_MS = 10_000
NEED = "AURA_API_KEY has to be a key with the scope {scope}"


class Health(msgspec.Struct):
    """What `/health` says."""

    status: str
    version: str = ""
    database: str = ""
    statistics: str = ""


async def answers(settings: Settings, url: str | None) -> Iterable[Finding]:
    """Ask a server all that can be asked without a trace; without one there is nothing to ask."""
    if url is None:
        start = "aura-analytics serve starts one; --url names one elsewhere"
        return [warning("server", f"none answers at {settings.host}:{settings.port}", start)]
    shown = {"x-api-key": settings.aura_api_key} if settings.aura_api_key else {}
    try:
        async with httpx.AsyncClient(base_url=url, timeout=ANSWER_S, trust_env=False, headers=shown) as client:
            answer = await client.get("/health")
            return [
                *_health(url, answer),
                *_clock(answer),
                await _ingest(client),
                await _numbers(client, settings),
                *await _origins(client, settings),
            ]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"{url}: {str(error) or type(error).__name__}"
        return [fail("server", said, "is it the right address, and does it still run?")]


def _health(url: str, answer: httpx.Response) -> Iterable[Finding]:
    try:
        health = msgspec.json.decode(answer.content, type=Health)
    except msgspec.MsgspecError:
        yield fail("server", f"what answers at {url} is another service", "see --url, HOST and PORT")
        return
    if health.status != "healthy":
        yield fail("server", f"unhealthy: the database is {health.database}", "its log says more: aura-analytics tail")
    else:
        yield ok("server", f"healthy at {url}; statistics: {health.statistics}")
    if health.version != __version__:
        said = f"the server is {health.version or 'of no known version'}, this is {__version__}"
        yield warning("server version", said, "start the server anew with the version that is installed")


def _clock(answer: httpx.Response) -> Iterable[Finding]:
    with contextlib.suppress(ValueError, TypeError):
        apart = abs(now() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp() * 1000)
        # Its clock was read somewhere between the question and the answer.
        if apart > SKEW_MS + answer.elapsed.total_seconds() * 1000:
            yield warning("server clock", f"{span(apart)} from this machine's", "synchronise both (NTP)")


async def _ingest(client: httpx.AsyncClient) -> Finding:
    """Send a batch of no events: it goes all the way and leaves nothing."""
    answer = await client.post("/ingest", json=[])
    if answer.status_code in (401, 403):
        return skipped("ingest", "the server asks for a key", NEED.format(scope="ingest (or admin)"))
    if answer.status_code == 429:
        return skipped("ingest", "this caller has sent too much lately (429)", "try again in a while")
    if answer.status_code >= 500:
        return fail("ingest", f"no events are taken: HTTP {answer.status_code}", "see the lines about the database")
    return ok("ingest", "events are taken")


async def _numbers(client: httpx.AsyncClient, settings: Settings) -> Finding:
    if settings.aura_statistics == "off":
        return skipped("statistics", "AURA_STATISTICS=off")
    answer = await client.get("/stats/summary", params={"period": "1h"})
    if answer.status_code in (401, 403):
        return skipped("statistics", "the server asks for a key", NEED.format(scope="read (or admin)"))
    if answer.status_code == 503:
        return warning("statistics", "they can't be read right now", "they may be being built; try again in a while")
    if not answer.is_success:
        return fail("statistics", f"no numbers: HTTP {answer.status_code}", "its log says why: aura-analytics tail")
    return ok("statistics", f"numbers within {answer.elapsed.total_seconds() * 1000:,.0f} ms")


async def _origins(client: httpx.AsyncClient, settings: Settings) -> Sequence[Finding]:
    """Ask as a browser would before a page of another origin is let."""
    found = []
    for origin in sorted(make_policy(settings).origins):
        asked = {"origin": origin, "access-control-request-method": "GET"}
        answer = await client.options("/stats/summary", headers=asked)
        if answer.headers.get("access-control-allow-origin") in (origin, "*"):
            found.append(ok(f"CORS for {origin}", "allowed by the server"))
        else:
            advice = "start the server anew: it has other settings, or a proxy takes the headers away"
            found.append(fail(f"CORS for {origin}", "not allowed by the server", advice))
    return found
