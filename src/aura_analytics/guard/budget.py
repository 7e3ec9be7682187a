"""Bytes of bodies in the process: as many as may be, whether they wait at the door or to be stored."""

from typing import Self

from aura_analytics.errors import QueueFull


class Budget:
    """How many bytes of bodies may be in the process at once. Lives on the event loop, so it needs no lock."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def take(self, size: int, *, held: int = 0) -> None:
        """Take a part of the budget; an idle service always takes one body, whatever its size.

        Args:
            size: bytes that are wanted.
            held: bytes that the same body has taken already; who holds all that is taken may go on.

        Raises:
            QueueFull: too much is in the process already.
        """
        if self._taken > held and self._taken + size > self._most:
            raise QueueFull("too many bytes wait to be stored; nothing of this request was stored")
        self._taken += size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        self._taken -= size


class Portion:
    """What one request has taken of the budget, `size` in bytes; given back at its end."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self.size)

    def take(self, size: int) -> None:
        """Take more for this request."""
        self._budget.take(size, held=self.size)
        self.size += size

    def give_back(self) -> None:
        """Give all of it back before the end: somebody else pays for the same bytes now."""
        self._budget.give_back(self.size)
        self.size = 0
