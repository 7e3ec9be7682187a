"""A sample that anybody draws alike: the ids whose hashes are lowest."""

import hashlib
from collections.abc import Iterable
from heapq import nsmallest


class Lowest:
    """Keeps the `limit` ids with the lowest SHA-256 of all that it is shown."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[tuple[str, str]] = []

    def show(self, ids: Iterable[str]) -> None:
        """Look at more ids; only the lowest are kept in memory."""
        hashed = ((hashlib.sha256(id.encode()).hexdigest(), id) for id in ids)
        self._kept = nsmallest(self._limit, [*self._kept, *hashed])

    @property
    def ids(self) -> list[str]:
        """Give what was kept, by the hash."""
        return [id for _, id in self._kept]
