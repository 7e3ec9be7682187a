"""Which events a caller may send: a key that is kept to some stores writes nothing into others."""

from aura_analytics.errors import Rejection
from aura_analytics.events.decode import Decoded
from aura_analytics.events.records import Event, VoiceOutcome
from aura_analytics.guard.principal import Principal


def kept_to(principal: Principal | None, decoded: Decoded) -> Decoded:
    """Reject the events of stores that a principal doesn't see.

    An outcome names no store; it goes to the query whose id it names, and ids are not to be guessed.
    """
    if principal is None or principal.stores is None:
        return decoded
    events: list[Event] = []
    rejected = {one.index: one for one in decoded.rejected}
    places = (index for index in range(len(decoded.events) + len(rejected)) if index not in rejected)
    others: list[Rejection] = []
    for index, event in zip(places, decoded.events, strict=True):
        if isinstance(event, VoiceOutcome) or principal.sees(event.store_id):
            events.append(event)
        else:
            message = "this key writes into some stores only, and this isn't one of them"
            others.append(Rejection(index=index, code="forbidden_store", field="store_id", message=message))
    return Decoded(events=events, rejected=sorted([*decoded.rejected, *others], key=lambda one: one.index))
