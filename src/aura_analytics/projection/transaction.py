"""Transactions of the columns: a question is answered within one, and a change is made within one."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import duckdb

from aura_analytics.projection import cubes
from aura_analytics.projection.question import Question
from aura_analytics.projection.relations import Relations
from aura_analytics.store.port import WideRow


def answer(cursor: duckdb.DuckDBPyConnection, question: Question) -> list[tuple[Any, ...]]:
    """Answer within one transaction, so that what is stale, the cubes and the rows are of one moment. Any: what a cell can be."""

    def units(sql: str) -> list[int]:
        return [unit for (unit,) in cursor.execute(sql).fetchall()]

    cursor.begin()
    try:
        relations = Relations(
            question, stale_hours=lambda: units(cubes.STALE_HOURS), stale_days=lambda: units(cubes.STALE_DAYS)
        )
        sql, values = relations.expanded()
        return cursor.execute(sql, values).fetchall()
    finally:
        with contextlib.suppress(duckdb.Error):  # one that failed has ended the transaction
            cursor.rollback()


def in_transaction(
    cursor: duckdb.DuckDBPyConnection,
    change: Callable[[duckdb.DuckDBPyConnection, Sequence[WideRow]], None],
    rows: Sequence[WideRow],
) -> None:
    """Make a change over rows; where it fails, nothing of it stays."""
    cursor.begin()
    try:
        change(cursor, rows)
        cursor.commit()
    except BaseException:
        with contextlib.suppress(
            duckdb.Error
        ):  # a commit that failed has ended the transaction; its error is the one to tell
            cursor.rollback()
        raise
