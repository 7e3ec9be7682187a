"""The trace of a transaction, in the words of OpenTelemetry's conventions for databases: no statement, and no value."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Literal

from aura_analytics.spans import Attributes, Span, piece, together

System = Literal["sqlite", "postgresql"]
NAME = "COMMIT"


def commit(system: System) -> AbstractContextManager[Span | None]:
    """Trace a block that is one transaction, of whoever has it."""
    return piece(NAME, "client", _known(system))


def group_commit(system: System, around: Sequence[Span | None], *, events: int) -> AbstractContextManager[Span | None]:
    """Trace a block that is one transaction of several."""
    return together(NAME, "client", {**_known(system), "db.operation.batch.size": events}, around)


def _known(system: System) -> Attributes:
    return {"db.system.name": system, "db.operation.name": NAME}
