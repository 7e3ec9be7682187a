"""What the door keeps to, out of the settings."""

from aura_analytics.errors import SettingsError
from aura_analytics.guard.door import Policy
from aura_analytics.guard.headers import origins
from aura_analytics.guard.network import networks
from aura_analytics.guard.rate import Quota
from aura_analytics.settings import Settings

# What may be sent at once where only an average is set, as seconds of it.
BURST_S = 10


def make_policy(settings: Settings) -> Policy:
    """Make what the door keeps to.

    Raises:
        SettingsError: a network or an origin is none.
    """
    try:
        trusted = networks(settings.trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"TRUSTED_PROXIES: {error}") from error
    try:
        allowed = origins(settings.cors_allow_origins)
    except ValueError as error:
        raise SettingsError(f"CORS_ALLOW_ORIGINS: {error}") from error
    return Policy(
        closed=settings.auth == "on",
        trusted=trusted,
        address_header=settings.client_address_header,
        origins=allowed,
        requests=_quota("requests", "request", settings.rate_requests_per_second, settings.rate_requests_burst),
        events=_quota("events", "events", settings.rate_events_per_second, settings.rate_events_burst),
        most_body_bytes=settings.ingest_max_batch_bytes,
    )


def _quota(name: str, unit: str, per_second: float, burst: int) -> Quota | None:
    if not per_second:
        return None
    return Quota(name=name, unit=unit, per_second=per_second, burst=burst or max(1, round(per_second * BURST_S)))
