"""The sums of hours, for dashboards that read the database itself."""

import sqlite3
from collections.abc import Sequence

from aura_analytics.store import queries
from aura_analytics.store.port import HourlySums
from aura_analytics.store.sqlite.append import insert

SQL = queries.load("hourly", "sqlite")


def save(connection: sqlite3.Connection, rows: Sequence[HourlySums]) -> None:
    """Store sums in place of those that stand, but for hours whose totals are kept; in a write transaction."""
    (kept_before,) = connection.execute(SQL["kept_before"]).fetchone()
    rows = [sums for sums in rows if kept_before is None or sums.hour_bucket >= kept_before]
    insert(connection, SQL["save"], [sums.cells for sums in rows])
    connection.executemany(
        SQL["drop"],
        [{"store_id": sums.store_id, "hour_bucket": sums.hour_bucket} for sums in rows if not sums.total_queries],
    )
