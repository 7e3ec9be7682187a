"""Bytes of bodies in the process: as many as may be, whether they wait at the door or to be stored."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from aura_analytics.errors import QueueFull

# What bodies may take that have to be whole before it is known whose they are: so much of the budget in all, and so much
# from one address. Who only says that they sign can hold up others who sign, and nobody else.
UNPROVEN_PART = 4
UNPROVEN_PART_EACH = 16


class Budget:
    """How many bytes of bodies may be in the process at once. Lives on the event loop, so it needs no lock."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is taken."""
        return self._taken == 0

    def take(self, size: int, *, held: int = 0) -> None:
        """Take a part of the budget; an idle service always takes one body, whatever its size.

        Args:
            size: bytes that are wanted.
            held: bytes that the same body has taken already; who holds all that is taken may go on.

        Raises:
            QueueFull: too much is in the process already.
        """
        if self._taken > held and self._taken + size > self.most:
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


class Unproven:
    """What bodies may take of a budget that nobody has proven to be theirs yet."""

    def __init__(self, budget: Budget) -> None:
        self._all = Budget(budget.most // UNPROVEN_PART)
        self._most_each = budget.most // UNPROVEN_PART_EACH
        self._each: dict[str, Budget] = {}

    @contextmanager
    def portion(self, caller: str) -> Iterator[Callable[[int], None]]:
        """Have what takes bytes for one body of a caller, until it is proven or refused.

        Raises:
            QueueFull: by what is given, where it would be too much.
        """
        each = self._each.setdefault(caller, Budget(self._most_each))
        with Portion(self._all) as of_all, Portion(each) as own:

            def take(size: int) -> None:
                own.take(size)
                of_all.take(size)

            yield take
        if each.is_idle:
            self._each.pop(caller, None)
