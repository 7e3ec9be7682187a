"""What copying asks of a database, whichever it is. All of it blocks, so it is called on threads."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from aura_analytics.errors import AuraError
from aura_analytics.store.copying.tables import Stage, TableName
from aura_analytics.store.port import FeedPoint
from aura_analytics.store.queries import Dialect, Row

# Where a walk stands: a row's number, or a key.
Mark = int | str


class TooMuchText(AuraError):
    """Some rows hold more text than may be in memory at once."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a database has been copied: a stage and the last row of it, or all of them and a point of its feed."""

    stage: int
    mark: str
    point: FeedPoint

    @property
    def cells(self) -> dict[str, int | str]:
        """Its values by the names of the statements."""
        return {"stage": self.stage, "mark": self.mark, **msgspec.structs.asdict(self.point)}


def progress_of(rows: Sequence[Row]) -> Progress | None:
    """Read the row of `progress`, if there is one."""
    for stage, mark, position, moment in rows:
        return Progress(stage=stage, mark=mark, point=FeedPoint(position=position, moment=moment))
    return None


class Side(Protocol):
    """One of the two databases."""

    dialect: Dialect

    def open(self) -> None:
        """Connect; the database must have been migrated."""

    def close(self) -> None:
        """Let go of the database, and of its lock."""

    def lock(self) -> bool:
        """Keep other copies away from this database; False where there is one."""

    def reading(self) -> AbstractContextManager[None]:
        """Let all that is read in the block be of one moment."""

    def changing(self) -> AbstractContextManager[None]:
        """Have a transaction; it is durable when the block has ended."""

    def walk(self, stage: Stage, after: Mark, limit: int) -> list[tuple[Mark, str]]:
        """Give the next rows' ids in their order, each after what to go on from."""

    def rows(self, table: TableName, ids: Sequence[str], *, most_text: int | None) -> list[Row]:
        """Give the rows that belong to some ids; those of the queue end with their lease.

        Raises:
            TooMuchText: they hold more characters than may be.
        """

    def moments(self, ids: Sequence[str]) -> list[Row]:
        """Give the ids that have a query here, and when each was asked and received."""

    def answered(self, ids: Sequence[str]) -> frozenset[str]:
        """Tell which of some queries have an outcome here."""

    def write(self, table: TableName, rows: Sequence[Row]) -> int:
        """Store rows, and tell how many it were: an event that is there already stays, and so does a person's label."""

    def unqueue(self, ids: Sequence[str]) -> int:
        """Remove the work of some queries."""

    def publish(self, query_ids: Sequence[str], conversion_ids: Sequence[str], *, now: int) -> None:
        """Tell the followers what this transaction changed."""

    def progress(self, source: str) -> Progress | None:
        """Read how far a database has been copied into this one."""

    def copied_before(self) -> int:
        """Count the databases that have been copied into this one."""

    def note_progress(self, source: str, progress: Progress, *, now: int) -> None:
        """Note how far a database has been copied into this one."""

    def without_key(self) -> dict[TableName, int]:
        """Count the rows that can't be told apart, since they have no text for a key."""

    def days(self) -> list[Row]:
        """Count by day (UTC): its number since 1970, queries, outcomes, and the labels GOOD, REVIEW and BAD."""
