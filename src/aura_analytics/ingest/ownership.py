"""Which events a caller may send: a key that is kept to some stores writes nothing into others."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from aura_analytics.errors import Rejection
from aura_analytics.events.decode import Decoded
from aura_analytics.events.records import EarlyOutcome, Event, Storable, VoiceOutcome, VoiceQuery
from aura_analytics.guard.principal import Principal

# Ids that are looked up at once.
LOOKED_UP = 500


class Rows(Protocol):
    """What is asked of the row database."""

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give the stores of these interactions, as far as they are there."""


async def stores_of(principal: Principal | None, decoded: Decoded, rows: Rows) -> dict[str, str]:
    """Give the stores of the queries that events name and didn't bring, as far as they are known; for who sees all, none.

    The database is asked only for a key that is kept to some stores: what it costs is theirs alone.
    """
    if principal is None or principal.stores is None:
        return {}
    stores = {event.id: event.store_id for event in decoded.events if isinstance(event, VoiceQuery)}
    named = {event.query_id for event in decoded.events if not isinstance(event, VoiceQuery) and event.query_id}
    ids = sorted(named)
    for start in range(0, len(ids), LOOKED_UP):
        # What is there already goes before what this body says: the first query of an id wins.
        stores |= await rows.stores_of(ids[start : start + LOOKED_UP])
    return stores


def kept_to(principal: Principal | None, decoded: Decoded, stores: Mapping[str, str]) -> Decoded:
    """Reject the events of stores that a principal doesn't see, and those that name a query of such a store.

    An outcome names no store; of one that comes before its query it is told later whether it is theirs (`set_apart`).
    """
    if principal is None or principal.stores is None:
        return decoded
    events: list[Event] = []
    rejected = {one.index: one for one in decoded.rejected}
    places = (index for index in range(len(decoded.events) + len(rejected)) if index not in rejected)
    others: list[Rejection] = []
    for index, event in zip(places, decoded.events, strict=True):
        if _is_kept(principal, event, stores):
            events.append(event)
        else:
            message = "this key writes into some stores only, and this isn't one of them"
            field = "query_id" if isinstance(event, VoiceOutcome) else "store_id"
            others.append(Rejection(index=index, code="forbidden_store", field=field, message=message))
    return Decoded(events=events, rejected=sorted([*decoded.rejected, *others], key=lambda one: one.index))


def _is_kept(principal: Principal, event: Event, stores: Mapping[str, str]) -> bool:
    if isinstance(event, VoiceQuery):
        return principal.sees(event.store_id)
    names = stores.get(event.query_id) if event.query_id else None
    if names is not None and not principal.sees(names):
        return False
    return isinstance(event, VoiceOutcome) or principal.sees(event.store_id)


def set_apart(principal: Principal | None, events: Sequence[Event]) -> Sequence[Storable]:
    """Have the store look at whose queries outcomes are of, where their sender doesn't see all stores.

    Also those whose queries were seen to be theirs, or came along: the first query of an id wins, and that may be
    another one which came just before.
    """
    if principal is None or principal.stores is None:
        return events
    stores = tuple(sorted(principal.stores))
    return [EarlyOutcome(outcome=one, stores=stores) if isinstance(one, VoiceOutcome) else one for one in events]
