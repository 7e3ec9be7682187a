"""Failed evaluations in SQLite."""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from aura_analytics.store import queries
from aura_analytics.store.failures import (
    END,
    MOST_CAUSES,
    RETRIED_ROWS,
    Failure,
    FailureCause,
    FailureChoice,
    asked,
    cause_of,
    failure_of,
    lists,
)
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite.access import Access
from aura_analytics.store.sqlite.append import json_of
from aura_analytics.store.sqlite.connection import fetch

SQL = queries.load("failures", "sqlite")
EVALUATION = queries.load("evaluation", "sqlite")


class Failing(Access):
    """What failed, and another try for it; part of `Store`."""

    async def failures(
        self, choice: FailureChoice, limit: int, *, after: tuple[int, str] | None = None
    ) -> list[Failure]:
        """List failed ones."""
        before, after_id = after or (END, "")
        bound = {"limit": limit, "before": before, "after_id": after_id}
        return [failure_of(row) for row in await self._found("list", choice, bound)]

    async def failure_causes(self, choice: FailureChoice) -> list[FailureCause]:
        """Count the failed ones by their causes."""
        return [cause_of(row) for row in await self._found("causes", choice, {"limit": MOST_CAUSES})]

    async def retry_failures(self, choice: FailureChoice, *, now: int) -> int:
        """Make failed ones due again; what fails meanwhile stays."""
        count, after = 0, (END, "")
        while found := await self.failures(choice, RETRIED_ROWS, after=after):
            after = (found[-1].failed_at, found[-1].query_id)
            count += await self._write.change(partial(_retry, query_ids=[one.query_id for one in found], now=now))
        return count

    async def _found(self, statement: str, choice: FailureChoice, more: dict[str, Any]) -> list[Row]:  # Any: cells
        bound = asked(choice) | {name: json_of(values) for name, values in lists(choice).items()} | more
        return await self._read(lambda connection: fetch(connection, SQL[statement], bound))


def _retry(connection: sqlite3.Connection, *, query_ids: Sequence[str], now: int) -> int:
    bound = {"now": now, "ids": json_of(list(query_ids))}
    return connection.execute(EVALUATION["retry_some"], bound).rowcount
