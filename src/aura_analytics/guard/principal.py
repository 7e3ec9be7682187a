"""Who a request comes from, and what they may do."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, get_args

import msgspec

from aura_analytics.errors import Forbidden

Scope = Literal["ingest", "read", "review", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

# What a scope brings along. Who labels has to see what they label; `admin` is for people and holds all. `ingest` brings
# nothing: the key that lies in every assistant's settings writes, and can't read back a word of what was said. Nor does
# `metrics`, which lies in a monitor's.
IMPLIED: dict[Scope, frozenset[Scope]] = {
    "ingest": frozenset({"ingest"}),
    "read": frozenset({"read", "metrics"}),
    "review": frozenset({"review", "read", "metrics"}),
    "metrics": frozenset({"metrics"}),
    "admin": frozenset(SCOPES),
}

Network = IPv4Network | IPv6Network


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """A key's holder. None among `stores` and `networks` is no limit; `expires_at` is in epoch milliseconds.

    `signed_only`: each request has to be signed; to show the key is not enough.
    """

    key_id: str
    name: str
    scopes: frozenset[Scope]
    stores: frozenset[str] | None = None
    networks: tuple[Network, ...] | None = None
    expires_at: int | None = None
    signed_only: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether one of its scopes is this one or brings it along."""
        return any(scope in IMPLIED[own] for own in self.scopes)

    def sees(self, store_id: str | None) -> bool:
        """Whether what belongs to a store is its business; what belongs to none is only for who sees all."""
        return self.stores is None or store_id in self.stores

    def is_expired(self, now: int) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


# Whom a service without keys serves on its own machine.
LOCAL = Principal(key_id="", name="local", scopes=frozenset({"admin"}))


def effective_stores(principal: Principal, asked: Sequence[str] | None) -> frozenset[str] | None:
    """Give the stores that an answer is about: those asked for, or all that the principal sees; None for all there are.

    Raises:
        Forbidden: one that is asked for isn't theirs. To leave it out would give numbers that aren't those asked for.
    """
    if not asked:
        return principal.stores
    if any(not principal.sees(store_id) for store_id in asked):
        raise Forbidden("this key doesn't see all of these stores")
    return frozenset(asked)
