"""The door: whether anybody, nobody or the right ones can come in, and from which pages."""

from collections.abc import Iterable, Sequence

from aura_analytics.clock import now
from aura_analytics.doctor.finding import Finding, fail, ok, span, warning
from aura_analytics.guard.policy import make_policy
from aura_analytics.settings import Settings
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
