"""The part of the composition root that watches: rules, measures and webhooks meet here. Nothing is made at import."""

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aura_analytics.alerts.measure import Gauge
from aura_analytics.alerts.rule import Rule, default_rules, read_rules
from aura_analytics.alerts.watch import Watch
from aura_analytics.alerts.webhook import Webhooks
from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.stats.reader import Reader
from aura_analytics.store import Store


def is_watched(settings: Settings) -> bool:
    """Whether a server with these settings watches: somebody has to want it, and there have to be statistics."""
    return bool(settings.alerts or settings.webhook_urls) and settings.aura_statistics == "on"


def make_alerts(settings: Settings) -> tuple[Rule, ...]:
    """Make the rules that the settings name; by default those of the package.

    Raises:
        SettingsError: the file can't be read, or says something that isn't known.
    """
    if not settings.alerts:
        return default_rules()
    try:
        return read_rules(Path(settings.alerts))
    except SettingsError as error:
        raise SettingsError(f"ALERTS: {error}") from error


def make_webhooks(settings: Settings) -> Webhooks:
    """Make what tells whoever listens; nobody may.

    Raises:
        SettingsError: there are addresses and no secret, or one that is no base64.
    """
    urls = settings.webhook_urls.replace(",", " ").split()
    if urls and not settings.webhook_secret:
        raise SettingsError("WEBHOOK_URLS needs WEBHOOK_SECRET, which messages are signed with: whsec_ and base64")
    try:
        b64decode(settings.webhook_secret.removeprefix("whsec_"), validate=True)
    except ValueError as error:
        raise SettingsError("WEBHOOK_SECRET is whsec_ and base64; this isn't base64") from error
    return Webhooks(list(dict.fromkeys(urls)), settings.webhook_secret)


def check_alerts(settings: Settings) -> None:
    """Look at all that can be wrong about them.

    Raises:
        SettingsError: the rules can't be read, or there are addresses and no secret.
    """
    make_alerts(settings)
    make_webhooks(settings)


def make_gauge(settings: Settings, store: Store, reader: Reader) -> Gauge:
    """Make what measures rules."""
    return Gauge(reader, store, budget_usd=settings.eval_daily_budget_usd or None)


@asynccontextmanager
async def watching(settings: Settings, store: Store, reader: Reader) -> AsyncIterator[None]:
    """Watch until the end of the block, if somebody wants it."""
    if not is_watched(settings):
        yield
        return
    webhooks = make_webhooks(settings)
    gauge = make_gauge(settings, store, reader)
    watch = Watch(make_alerts(settings), gauge, store.alerts, webhooks, interval_s=settings.alerts_interval_seconds)
    task = asyncio.create_task(watch.run(), name="alerts")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
