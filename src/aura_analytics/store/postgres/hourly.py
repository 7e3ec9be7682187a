"""The sums of hours, for dashboards that read the database itself."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from aura_analytics.store.port import HourlySums
from aura_analytics.store.postgres.append import json_of
from aura_analytics.store.queries import load

SQL = load("hourly", "postgres")


async def save(connection: AsyncConnection[Any], rows: Sequence[HourlySums]) -> None:
    """Store sums in place of those that stand, but for hours whose totals are kept; in a transaction. Any: a row is a tuple."""
    (kept_before,) = await (await connection.execute(SQL["kept_before"], {})).fetchone() or (None,)
    rows = [sums for sums in rows if kept_before is None or sums.hour_bucket >= kept_before]
    await connection.execute(SQL["save"], {"rows": json_of([sums.cells for sums in rows])})
    if nothing := [
        {"store_id": sums.store_id, "hour_bucket": sums.hour_bucket} for sums in rows if not sums.total_queries
    ]:
        async with connection.cursor() as cursor:
            await cursor.executemany(SQL["drop"], nothing)
