"""Where a request comes from: the client's address, behind proxies that are trusted, and whether it lies in a network.

Anybody may write anything into `X-Forwarded-For`; only what a proxy of ours added to it is believed. Each proxy adds, on
the right, whom it was called by: so the list is read from the right, over the proxies that are trusted, up to the first
address that isn't one of them.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import urlsplit

from aura_analytics.guard.principal import Network

Address = IPv4Address | IPv6Address
Headers = Iterable[tuple[bytes, bytes]]

# The header in which the trusted proxy says whose request it is. Only that one is read: a proxy passes on the others as
# the client wrote them.
AddressHeader = Literal["x-forwarded-for", "cf-connecting-ip", "x-real-ip", "true-client-ip"]

FORWARDED: frozenset[bytes] = frozenset(
    {b"forwarded", b"x-forwarded-for", b"cf-connecting-ip", b"x-real-ip", b"true-client-ip"}
)
# More hops than any request takes.
MOST_HOPS = 32
LONGEST_ADDRESS = 64
MAPPED = IPv6Network("::ffff:0:0/96")


def networks(text: str) -> tuple[Network, ...]:
    """Read networks and addresses, separated by commas or spaces: `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`.

    Raises:
        ValueError: one of them is none; the message names it.
    """
    return tuple(_network(part) for part in text.replace(",", " ").split())


def _network(text: str) -> Network:
    try:
        found = ip_network(text, strict=False)  # people write their own address with the length of its network
    except ValueError as error:
        raise ValueError(f"“{text}” is no network, such as 10.0.0.0/8 or 2001:db8::/32") from error
    if isinstance(found, IPv6Network) and found.subnet_of(MAPPED):
        return ip_network(f"{IPv4Address(int(found.network_address) & 0xFFFFFFFF)}/{found.prefixlen - 96}")
    return found


@lru_cache(maxsize=4_096)  # the same callers come again and again
def address(text: str) -> Address | None:
    """Read an address as proxies write it, with brackets or a port; None where it is none.

    An IPv4 address in IPv6's clothes (`::ffff:192.0.2.7`) is the IPv4 address: a server that listens on both sees it so.
    """
    text = text.strip()
    if len(text) > LONGEST_ADDRESS:
        return None
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def within(found: Address | None, allowed: Sequence[Network] | None) -> bool:
    """Whether an address lies in one of some networks; None allows all, and an unknown address lies in none."""
    if allowed is None:
        return True
    return found is not None and any(found in network for network in allowed)


def client(
    peer: str | None,
    headers: Headers,
    *,
    trusted: Sequence[Network] = (),
    header: AddressHeader = "x-forwarded-for",
) -> Address | None:
    """Give the address of the client; None where it isn't known, as over a socket of the file system.

    Args:
        peer: whom the connection is with.
        headers: of the request.
        trusted: the proxies that are believed.
        header: in which they say whose request it is.
    """
    found = address(peer) if peer else None
    if not trusted or not within(found, trusted):
        return found
    wanted = header.encode()
    given = ",".join(value.decode("latin-1") for name, value in headers if name == wanted)
    if header != "x-forwarded-for":
        return address(given) or found
    return _from_the_right(given, trusted, found)


def _from_the_right(given: str, trusted: Sequence[Network], found: Address | None) -> Address | None:
    """Go over the trusted hops; what can't be read ends the way, at the proxy that wrote it."""
    for hop in reversed(given.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
        before = address(hop)
        if before is None:
            return found
        found = before
        if not within(found, trusted):
            return found
    return found


def is_https(scheme: str | None, peer: str | None, headers: Headers, *, trusted: Sequence[Network] = ()) -> bool:
    """Whether a client speaks HTTPS: with this server, or with a trusted proxy that says so in `X-Forwarded-Proto`."""
    if scheme == "https":
        return True
    found = address(peer) if peer else None
    if not trusted or not within(found, trusted):
        return False
    given = [value for name, value in headers if name == b"x-forwarded-proto"]
    return bool(given) and given[-1].rpartition(b",")[2].strip().lower() == b"https"


def is_local(
    peer: str | None, headers: Sequence[tuple[bytes, bytes]], *, allowed: frozenset[str] = frozenset()
) -> bool:
    """Whether a request was surely sent from this machine by somebody who means this service.

    A proxy on this machine has a loopback address too, and passes on the whole world's requests: it shows by the headers
    that it adds. And a page of somebody else's in a browser here can reach this address: by a name that it lets point
    to it (then `Host` names it), or by a form (then `Origin` does). Pages of the `allowed` origins are meant to.
    """
    found = address(peer) if peer else None
    if found is None or not found.is_loopback:
        return False
    for name, value in headers:
        if name in FORWARDED:
            return False
        if name == b"host" and not _is_loopback_name(f"//{value.decode('latin-1')}"):
            return False
        if name == b"origin":
            origin = value.decode("latin-1").lower()
            if origin not in allowed and not _is_loopback_name(origin):
                return False
    return True


def _is_loopback_name(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    found = address(host)
    return found is not None and (found.is_loopback or found.is_unspecified)
