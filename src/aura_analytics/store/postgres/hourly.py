"""The sums of hours, for dashboards that read the database itself."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.port import HourlySums
from aura_analytics.store.postgres.append import json_of
from aura_analytics.store.queries import load

SQL = load("hourly", "postgres")


async def save(connection: AsyncConnection[Any], rows: Sequence[HourlySums]) -> None:
    """Store sums in place of those that stand; in a transaction. Any: a row is a tuple."""
    await connection.execute(SQL["save"], {"rows": json_of([_row(sums) for sums in rows])})


def _row(sums: HourlySums) -> tuple[Any, ...]:
    return (
        sums.store_id,
        sums.hour_bucket,
        sums.total_queries,
        sums.successful_queries,
        sums.failed_queries,
        round(sums.total_latency_ms),
        sums.unique_sessions,
        sums.total_cost_usd,
    )
