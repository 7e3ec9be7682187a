"""Looking at a SQLite file without changing it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from aura_analytics.errors import StoreUnavailable, Trouble
from aura_analytics.store.inspection import Follower, Inspection, depth_of
from aura_analytics.store.keys import key_of
from aura_analytics.store.queries import load
from aura_analytics.store.sqlite.connection import BUSY_TIMEOUT_S, connect, path_of, translated

SQL, FEED = load("inspection", "sqlite"), load("feed", "sqlite")
EVALUATION, KEYS = load("evaluation", "sqlite"), load("keys", "sqlite")


def inspect(url: str, *, now: int) -> Inspection:
    """Look at the file that a URL names; it has to be migrated.

    Raises:
        StoreUnavailable: there is none, or it can't be read.
    """
    path = path_of(url)
    if not path.exists():
        raise StoreUnavailable("there is no such file yet", trouble="away")
    with closing(connect(path, read_only=True)) as connection, translated():
        head, moment = connection.execute(FEED["head"]).fetchone() or (0, 0)
        (version,) = connection.execute(SQL["version"]).fetchone()
        return Inspection(
            version=f"SQLite {version}",
            trouble=_trouble(path),
            now=None,
            size_bytes=connection.execute(SQL["size"]).fetchone()[0],
            head=head,
            moment=moment,
            followers=tuple(Follower(*row) for row in connection.execute(SQL["followers"])),
            queue=depth_of(connection.execute(EVALUATION["depth"], {"now": now}).fetchone()),
            keys=tuple(key_of(row) for row in connection.execute(KEYS["all"])),
        )


def _trouble(path: Path) -> Trouble | None:
    """Take the lock of who writes and let go of it at once; nothing is written."""
    try:
        with translated(), closing(_writing(path)) as connection:
            connection.execute(SQL["begin"])
            connection.rollback()
    except StoreUnavailable as error:
        return error.trouble
    return None


def _writing(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )


def size(url: str) -> int:
    """Give how many bytes the file has, with what hasn't been brought home yet; 0 where there is none."""
    path = path_of(url)
    return sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())
