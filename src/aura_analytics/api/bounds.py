"""How much of the server one connection, one address, and all of them together may have."""

import resource
from collections import Counter

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.guard.network import address, networks, within
from aura_analytics.guard.principal import Network
from aura_analytics.guard.rate import caller_at
from aura_analytics.settings import Settings

# Files that a server has open beside its connections: databases, logs, pipes to its processes.
OWN_FILES = 128
# Requests that may wait behind the one that is being answered, on one connection.
MOST_PIPELINED = 32


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept to. Connections by number, heads in bytes, patience in seconds.

    `bytes_per_s`: who is slow has a second more for so many bytes that have come, or that were read.
    """

    connections: int = 2_000
    per_address: int = 500
    trusted: tuple[Network, ...] = ()
    url_bytes: int = 8 << 10
    header_fields: int = 100
    header_bytes: int = 32 << 10
    head_s: float = 10.0
    body_s: float = 20.0
    answer_s: float = 60.0
    bytes_per_s: int = 8 << 10


def make_bounds(settings: Settings) -> Bounds:
    """Make them out of the settings; no more connections than this process may have files.

    Raises:
        SettingsError: the system lets this process have too few files.
    """
    return Bounds(
        connections=min(settings.serve_max_connections, files_left(settings.serve_max_connections)),
        per_address=settings.serve_max_connections_per_address,
        trusted=networks(settings.trusted_proxies),
        url_bytes=settings.serve_max_url_bytes,
        header_fields=settings.serve_max_headers,
        header_bytes=settings.serve_max_header_bytes,
        head_s=settings.serve_head_seconds,
        body_s=settings.serve_body_seconds,
        answer_s=settings.serve_answer_seconds,
        bytes_per_s=settings.serve_min_bytes_per_second,
    )


def files_left(wanted: int) -> int:
    """Give how many connections the system lets this process have, after asking it for as many as are wanted.

    Raises:
        SettingsError: not even one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    # Some are open just to be told that there is no place.
    needed = 2 * wanted + OWN_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft <= OWN_FILES + 1:
        raise SettingsError(f"this process may have {soft} files open (ulimit -n), and needs {OWN_FILES} for itself")
    return max(1, min(wanted, (soft - OWN_FILES) // 2))


class Places:
    """Who has connections. Lives on the event loop, so it needs no lock."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._held: Counter[str] = Counter()
        self._total = 0
        self._refused: Counter[str] = Counter()

    def enter(self, peer: str | None) -> bool:
        """Take a place for a connection; tell whether there was one. Trusted proxies bring everybody's requests."""
        found = address(peer) if peer else None
        caller = caller_at(found)
        is_proxy = bool(self._bounds.trusted) and within(found, self._bounds.trusted)
        if self._total >= self._bounds.connections:
            return False
        if not is_proxy and self._held[caller] >= self._bounds.per_address:
            return False
        self._held[caller] += 1
        self._total += 1
        return True

    def leave(self, peer: str | None) -> None:
        """Give a place back."""
        caller = caller_at(address(peer) if peer else None)
        self._total -= 1
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]

    def refused(self, code: str) -> None:
        """Count a refusal."""
        self._refused[code] += 1

    def refusals(self) -> dict[str, int]:
        """Give how often what was refused since this was asked last, by the codes."""
        told, self._refused = dict(self._refused), Counter()
        return told
