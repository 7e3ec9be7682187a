"""Which conversions are the same one, where the sender gives them no ids."""

import re
from hashlib import blake2b

import msgspec

from aura_analytics.events.wire import ConversionFields

_OURS = re.compile(r"cv-[0-9a-f]{32}")


def is_ours(id: str) -> bool:
    """Whether an id looks like those that are made here: nobody may choose the one that another shop's order will get."""
    return _OURS.fullmatch(id) is not None


def conversion_id(wire: ConversionFields, *, currency: str | None, occurred_at: int | None) -> str:
    """Give an id that the same conversion gets again when it is sent again.

    An order converts once, however often it is told of; without an order, the same is what says the same.

    Args:
        wire: what the event says.
        currency: as the record has it: two spellings are one currency.
        occurred_at: None where the event names no moment: that of its reception is another one at each try.
    """
    if wire.order_id is None:
        told = (wire.store_id, wire.query_id, wire.session_id, wire.value, currency, occurred_at)
        return _digest("told", *told)
    if wire.store_id is None:
        return _digest("order", wire.query_id, wire.session_id, wire.order_id)
    return _digest("order", wire.store_id, wire.order_id)


def _digest(*parts: str | float | None) -> str:
    return f"cv-{blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()}"
