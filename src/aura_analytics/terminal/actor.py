"""Who sits at the machine, as the record of what administrators do has it."""

import getpass
import socket

from aura_analytics.clock import now
from aura_analytics.store import Store
from aura_analytics.store.audit import record


def actor() -> str:
    """Name who changes something, for the record."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a container's user may have no name
        return f"unnamed@{socket.gethostname()}"


async def retry_failed(store: Store) -> None:
    """Make all failed evaluations due again, and put it on record."""
    count = await store.retry_failed(now=now())
    if count:
        await record(store.keys, actor=actor(), action="evaluations.retried", details={"interactions": count})
