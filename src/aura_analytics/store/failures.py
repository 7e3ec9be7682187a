"""Interactions that no further try is made for: why, in groups, and making them due again."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from aura_analytics.store.queries import Row
from aura_analytics.store.tolerance import text_of

# Failed ones that are made due again by one transaction.
RETRIED_ROWS = 1_000
# Causes that are told apart in a list; the rarest are left out.
MOST_CAUSES = 50
# After the last failed one that there could be.
END = 2**63 - 1


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failed evaluation; `cause` is what went wrong last. What was asked is None where the query is gone."""

    query_id: str
    attempts: int
    cause: str
    failed_at: int
    store_id: str | None
    created_at: int | None
    query_text: str | None


class FailureCause(msgspec.Struct, frozen=True, kw_only=True):
    """How many failed for the same cause, and when the last one did, in epoch ms."""

    cause: str
    count: int
    last_at: int


class FailureChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which failed ones; None is no limit."""

    cause: str | None = None
    stores: frozenset[str] | None = None
    query_ids: tuple[str, ...] | None = None


class Failures(Protocol):
    """What failed; part of `Store`."""

    async def failures(
        self, choice: FailureChoice, limit: int, *, after: tuple[int, str] | None = None
    ) -> list[Failure]:
        """List failed ones, the latest first; `after`: when the last one before failed, and its id."""

    async def failure_causes(self, choice: FailureChoice) -> list[FailureCause]:
        """Count the failed ones by their causes, the most frequent first."""

    async def retry_failures(self, choice: FailureChoice, *, now: int) -> int:
        """Make failed ones due again, as new, in steps, so that ingest goes on; tell how many."""


def asked(choice: FailureChoice) -> dict[str, Any]:
    """Name what the statements are bound with, but for the lists. Any: cells."""
    return {
        "cause": choice.cause,
        "any_store": int(choice.stores is None),
        "any_id": int(choice.query_ids is None),
    }


def lists(choice: FailureChoice) -> dict[str, Sequence[str]]:
    """Name the lists that the statements are bound with."""
    return {"stores": sorted(choice.stores or ()), "ids": list(choice.query_ids or ())}


def failure_of(row: Row) -> Failure:
    """Read a row of `list`; what others have written may be anything."""
    created_at = row[5] if isinstance(row[5], int) else None
    return Failure(
        query_id=row[0],
        attempts=row[1],
        cause=row[2],
        failed_at=row[3],
        store_id=text_of(row[4]),
        created_at=created_at,
        query_text=text_of(row[6]),
    )


def cause_of(row: Row) -> FailureCause:
    """Read a row of `causes`."""
    return FailureCause(cause=row[0], count=row[1], last_at=row[2])
