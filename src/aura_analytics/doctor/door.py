"""The door: whether anybody, nobody or the right ones can come in, and from which pages."""

from collections.abc import Iterable, Sequence

from aura_analytics.clock import now
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, span, warning
from aura_analytics.guard.policy import make_policy
from aura_analytics.settings import Settings
from aura_analytics.store import lies_in_a_file
from aura_analytics.store.keys import KeyRecord

SOON_MS = 14 * 86_400_000
HERE = frozenset({"127.0.0.1", "localhost", "::1"})


async def keys(settings: Settings, records: Sequence[KeyRecord]) -> Iterable[Finding]:
    """Look at who can come in.

    Raises:
        SettingsError: a network or an origin is none.
    """
    policy = make_policy(settings)
    pages = ", ".join(sorted(policy.origins))
    said = f"browsers may ask from {pages}" if pages else "no page of another origin may ask (CORS_ALLOW_ORIGINS)"
    return [ok("CORS", said), *_keys(settings, records)]


async def rates(settings: Settings) -> Iterable[Finding]:
    """Look at who counts what callers send."""
    limits = {
        "requests": settings.rate_requests_per_second,
        "events": settings.rate_events_per_second,
    }
    said = ", ".join(f"{limit:g} {what} a second" for what, limit in limits.items() if limit)
    if settings.rate_store == "database" and lies_in_a_file(settings):
        return [fail("rates", "RATE_STORE=database needs PostgreSQL, so no server starts", "RATE_STORE=memory")]
    if not said:
        return [skipped("rates", "a key may send as much as it likes", "RATE_REQUESTS_PER_SECOND sets a limit")]
    who = "all servers together" if settings.rate_store == "database" else "each server for itself"
    return [ok("rates", f"{said} a key, counted by {who}")]


def _keys(settings: Settings, records: Sequence[KeyRecord]) -> Iterable[Finding]:
    moment = now()
    live = [record for record in records if record.is_live(moment)]
    make = "aura-analytics keys create NAME --scope ingest makes one"
    if settings.auth == "off":
        yield warning("keys", "AUTH=off: everybody who reaches the address may do everything", "AUTH=on, and keys")
        return
    if not live and settings.host not in HERE:
        yield fail("keys", f"there are none, so nobody who reaches {settings.host} from elsewhere is let in", make)
        return
    if not live:
        yield warning("keys", "there are none: only this machine is let in", f"before others are to come in: {make}")
        return
    soon = [record for record in live if record.expires_at is not None and record.expires_at - moment < SOON_MS]
    yield ok("keys", f"{len(live)} in use")
    for record in soon:
        left = span((record.expires_at or moment) - moment)
        yield warning(f"key {record.id}", f"ends in {left}", f"aura-analytics keys rotate {record.id}")
