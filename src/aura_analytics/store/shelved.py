"""What a store asks of the archive: the interactions that have left its tables."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from aura_analytics.store.queries import Row

# The rows of an interaction by their tables.
Rows = dict[str, list[Row]]


class Shelved(NamedTuple):
    """A file of the archive on this machine. Its columns begin with `WIDE_COLUMNS`; `ids` are those in force, None: all."""

    path: Path
    ids: list[str] | None


class Past(Protocol):
    """The archive, as a store sees it."""

    async def recall(self, query_ids: Sequence[str]) -> None:
        """Put interactions back into the tables, those of them that lie in the archive."""

    async def rows(self, query_ids: Sequence[str]) -> dict[str, Rows]:
        """Read interactions where they lie; one that is just taken out of the archive may be missing."""

    async def count(self) -> int:
        """Count the interactions that lie there."""

    def files(self) -> AsyncIterator[Shelved]:
        """Give all files, one after the other.

        An interaction that is archived meanwhile may also have been seen in the tables; one that is put back meanwhile,
        and in neither of the two, is told of by the feed.
        """

    def wide_rows(self) -> AsyncIterator[list[Row]]:
        """Give the joined rows of all interactions that lie there, in batches, as `files` does."""
