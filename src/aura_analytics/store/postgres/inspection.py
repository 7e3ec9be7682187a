"""Looking at a PostgreSQL database without changing it."""

from contextlib import closing

import psycopg

from aura_analytics.errors import Trouble
from aura_analytics.store.inspection import Follower, Inspection, depth_of
from aura_analytics.store.keys import key_of
from aura_analytics.store.postgres.connection import conninfo, translated
from aura_analytics.store.queries import Row, load

SQL, FEED = load("inspection", "postgres"), load("feed", "postgres")
EVALUATION, KEYS = load("evaluation", "postgres"), load("keys", "postgres")

# Whoever looks wants to know soon.
STATEMENT_MS = 8_000


def inspect(url: str, *, now: int) -> Inspection:
    """Look at the database that a URL names; it has to be migrated.

    Raises:
        StoreUnavailable: it can't be reached or read.
    """
    with (
        translated(),
        closing(psycopg.connect(conninfo(url, statement_ms=STATEMENT_MS), autocommit=True)) as connection,
    ):
        version, takes_none, moment, size = _row(connection, SQL["server"])
        trouble: Trouble | None = "read-only" if takes_none or not _row(connection, SQL["may_write"])[0] else None
        head = connection.execute(FEED["head"], {}).fetchone() or (0, 0)
        return Inspection(
            version=f"PostgreSQL {version}",
            trouble=trouble,
            now=moment,
            size_bytes=size,
            head=head[0],
            moment=head[1],
            followers=tuple(Follower(*row) for row in connection.execute(SQL["followers"], {}).fetchall()),
            queue=depth_of(_row(connection, EVALUATION["depth"], now=now)),
            keys=tuple(key_of(row) for row in connection.execute(KEYS["all"], {}).fetchall()),
        )


def size(url: str) -> int:
    """Give how many bytes the database has.

    Raises:
        StoreUnavailable: it can't be reached.
    """
    with (
        translated(),
        closing(psycopg.connect(conninfo(url, statement_ms=STATEMENT_MS), autocommit=True)) as connection,
    ):
        return int(_row(connection, SQL["size"])[0])


def _row(connection: psycopg.Connection, statement: str, **asked: int) -> Row:
    row = connection.execute(statement, asked).fetchone()
    assert row is not None  # noqa: S101 (one row, always)
    return row
