"""Failed evaluations in PostgreSQL."""

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
from aura_analytics.store.postgres.access import Access
from aura_analytics.store.postgres.append import storable
from aura_analytics.store.queries import Row, load

SQL = load("failures", "postgres")
EVALUATION = load("evaluation", "postgres")


class Failing(Access):
    """What failed, and another try for it; part of `Store`."""

    async def failures(
        self, choice: FailureChoice, limit: int, *, after: tuple[int, str] | None = None
    ) -> list[Failure]:
        """List failed ones."""
        before, after_id = after or (END, "")
        rows = await self._found("list", choice, limit=limit, before=before, after_id=storable(after_id))
        return [failure_of(row) for row in rows]

    async def failure_causes(self, choice: FailureChoice) -> list[FailureCause]:
        """Count the failed ones by their causes."""
        return [cause_of(row) for row in await self._found("causes", choice, limit=MOST_CAUSES)]

    async def retry_failures(self, choice: FailureChoice, *, now: int) -> int:
        """Make failed ones due again; what fails meanwhile stays."""
        count, after = 0, (END, "")
        while found := await self.failures(choice, RETRIED_ROWS, after=after):
            after = (found[-1].failed_at, found[-1].query_id)
            ids = sorted(one.query_id for one in found)
            count += await self._execute(EVALUATION["retry_some"], now=now, ids=ids)
        return count

    async def _found(self, statement: str, choice: FailureChoice, **more: object) -> list[Row]:
        bound = asked(choice) | {"cause": None if choice.cause is None else storable(choice.cause)}
        chosen = {name: [storable(value) for value in values] for name, values in lists(choice).items()}
        return await self._read(SQL[statement], **bound, **chosen, **more)
