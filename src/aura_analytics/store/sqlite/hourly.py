"""The sums of hours, for dashboards that read the database itself."""

import sqlite3
from collections.abc import Sequence

from aura_analytics.store import queries
from aura_analytics.store.port import HourlySums
from aura_analytics.store.queries import Row
from aura_analytics.store.sqlite.append import insert

SQL = queries.load("hourly", "sqlite")


def save(connection: sqlite3.Connection, rows: Sequence[HourlySums]) -> None:
    """Store sums in place of those that stand; in a write transaction."""
    insert(connection, SQL["save"], [_row(sums) for sums in rows])


def _row(sums: HourlySums) -> Row:
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
