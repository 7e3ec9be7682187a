"""Taking back what a person said of an interaction."""

from typing import Protocol

import msgspec

from aura_analytics.events.records import Verdict


class TakenBack(msgspec.Struct, frozen=True):
    """That a person's label was taken back, and the one that stands again; without any, the interaction waits for one."""

    standing: Verdict | None


class Undoing(Protocol):
    """Part of `Store`."""

    async def take_back(self, query_id: str, *, given_at: int | None, now: int) -> TakenBack | None:
        """Take a person's label back that stands, and let the one before stand again.

        `given_at`: only if it is the one of that moment. None where there is none such.
        """
