"""Who is told of something: webhooks of alerts, and whoever listens to traces. Nobody is told anything here."""

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from urllib.parse import urlsplit

import httpx

from aura_analytics.alerting import is_watched, make_alerts, make_webhooks
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, warning
from aura_analytics.settings import Settings
from aura_analytics.store.inspection import Inspection
from aura_analytics.telemetry.endpoint import headers_of, traces_url
from aura_analytics.telemetry.tracing import check_installed

ANSWER_S = 5.0
LOG = "aura-analytics alerts log says why"


async def alerts(settings: Settings) -> Iterable[Finding]:
    """Look at what is watched, and whether each address can be reached; no message is sent.

    Raises:
        SettingsError: the rules can't be read, or there are addresses and no secret.
    """
    rules, webhooks = make_alerts(settings), make_webhooks(settings)
    hosts = ", ".join(sorted(set(webhooks.names().values())))
    if not settings.alerts and not hosts:
        return [skipped("alerts", "nothing is watched, since nobody is told", "WEBHOOK_URLS names who is")]
    if not is_watched(settings):
        return [warning("alerts", "nothing is watched: AURA_STATISTICS=off", "watch with a server that has statistics")]
    said = f"{len(rules)} rules; told: {hosts or 'nobody but who asks (WEBHOOK_URLS)'}"
    urls = dict.fromkeys(settings.webhook_urls.replace(",", " ").split())
    return [ok("alerts", said), *await asyncio.gather(*map(_reached, urls))]


def told(seen: Inspection) -> Iterable[Finding]:
    """Say what of alerts hasn't been heard."""
    if seen.unheard:
        yield warning("alert messages", f"{seen.unheard:,} are tried again, since nobody heard them", LOG)
    if seen.given_up:
        yield warning("alerts given up", f"{seen.given_up:,} messages were never heard", LOG)


async def _reached(url: str) -> Finding:
    """Connect, and hang up."""
    parts = urlsplit(url)
    name = f"webhook {parts.hostname or '?'}"
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    try:
        async with asyncio.timeout(ANSWER_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or (443 if secure else 80), ssl=secure)
    except (OSError, ValueError, TimeoutError) as error:
        said = f"it can't be reached: {getattr(error, 'strerror', None) or type(error).__name__}"
        return fail(name, said, "is the address right, and does it still run? Messages are kept for two days")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return ok(name, "reached; aura-analytics alerts test sends a message")


async def traces(settings: Settings) -> Iterable[Finding]:
    """Send whoever listens to traces none.

    Raises:
        SettingsError: OpenTelemetry isn't installed.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if not endpoint:
        return [skipped("traces", "nothing is traced", "OTEL_EXPORTER_OTLP_ENDPOINT says where to")]
    check_installed(settings)
    host = urlsplit(endpoint).hostname or "?"
    headers = {**headers_of(settings.otel_exporter_otlp_headers), "content-type": "application/x-protobuf"}
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            status = (await client.post(traces_url(endpoint), content=b"", headers=headers)).status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        lost = (
            "traces are lost meanwhile, and nothing else; is it up, and does OTLP over HTTP answer there (port 4318)?"
        )
        return [warning("traces", f"{host} can't be reached: {type(error).__name__}", lost)]
    if status in (401, 403):
        return [fail("traces", f"{host} refuses: HTTP {status}", "see OTEL_EXPORTER_OTLP_HEADERS")]
    if not 200 <= status < 300:
        return [
            fail(
                "traces",
                f"{host} takes none: HTTP {status}",
                "see OTEL_EXPORTER_OTLP_ENDPOINT: /v1/traces is put behind",
            )
        ]
    return [ok("traces", f"{host} takes them")]
