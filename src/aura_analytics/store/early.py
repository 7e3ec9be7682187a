"""Outcomes of senders who write into some stores only, and of whose queries it isn't known yet whether they are theirs.

Each waits apart from all others, so that none keeps another one out: which of them was meant is told by the query, when it
comes. Who writes into all stores needs no wait: such an outcome is stored as it comes, and stands where there is one.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec
import structlog

from aura_analytics.events.records import EarlyOutcome

log = structlog.get_logger()

# So many are named in the log.
MOST_NAMED = 5


class Waiting(msgspec.Struct, frozen=True):
    """An early outcome that has waited for a query, and the store that this turned out to be of."""

    query_id: str
    stores: frozenset[str]
    store_id: str

    @property
    def fits(self) -> bool:
        """Whether the query is its sender's."""
        return self.store_id in self.stores


def sender_of(early: EarlyOutcome) -> str:
    """Name the sender by their stores."""
    return sha256(written(early.stores).encode()).hexdigest()


def written(stores: Sequence[str]) -> str:
    """Write stores as a cell holds them."""
    return msgspec.json.encode(stores).decode()


def read(stores: str) -> frozenset[str]:
    """Read stores as a cell holds them."""
    return msgspec.json.decode(stores, type=frozenset[str])


def tell_of_dropped(query_ids: Iterable[str]) -> None:
    """Say of early outcomes that they were of no store of their senders': somebody made them up, or sends a wrong id."""
    named = list(query_ids)
    if named:
        log.warning("early_outcomes_dropped", count=len(named), query_ids=named[:MOST_NAMED])
