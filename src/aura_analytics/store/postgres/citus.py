"""Spreading the tables over a Citus cluster, where the database is one. Elsewhere nothing of this is seen.

What belongs to an interaction lies on one node, whatever table it is in, so that the joins stay there. The queue, the
feed, the keys of the followers and the conversions stay on the coordinator: they are small or short-lived, and a
transaction's id, by which the feed is followed, means something on one node only. So do the judge's tables: what may still
be asked of a model and who looks at what are a few rows that everybody locks, and the requests are a log that is only
summed up by its moments.
"""

import psycopg
import structlog

from aura_analytics.store.queries import load

log = structlog.get_logger()

SQL = load("citus", "postgres")

# The first is spread by its key; the others lie where it does.
DISTRIBUTED = (
    ("voice_queries", "id"),
    ("voice_outcomes", "query_id"),
    ("voice_evaluations", "query_id"),
    ("voice_evaluation_history", "query_id"),
)


def waiting(connection: psycopg.Connection) -> list[tuple[str, str]]:
    """Give what has to be spread yet: the tables, and by which column."""
    if connection.execute(SQL["is_there"], {}).fetchone() is None:
        return []
    spread = {table for (table,) in connection.execute(SQL["distributed"], {}).fetchall()}
    return [(table, column) for table, column in DISTRIBUTED if table not in spread]


def distribute(connection: psycopg.Connection) -> list[str]:
    """Spread what isn't yet; give the tables' names. What they hold already moves along, which takes its time."""
    missing = waiting(connection)
    first, _ = DISTRIBUTED[0]
    for table, column in missing:
        beside = "none" if table == first else first
        connection.execute(SQL["distribute"], {"table": table, "column": column, "beside": beside})
        log.info("distributed", table=table, by=column)
    return [table for table, _ in missing]
