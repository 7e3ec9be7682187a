"""Bringing a SQLite database to the shape that this version works with.

The files are the ones that people apply to D1 with wrangler, so a database may have seen any number of them before.
Which ones it has seen stands in its `migration_metadata`; each file adds its own row.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aura_analytics.errors import MigrationError, StoreUnavailable
from aura_analytics.store.migrations import UNKNOWN, Migration, available, tell_of_later
from aura_analytics.store.port import MigrationState
from aura_analytics.store.sqlite.connection import connect, path_of, translated

DIRECTORY = "analytics"

# What each version is relied on for: a database whose records and tables disagree is named, not guessed at.
NEEDED = {
    "voice_queries": {"id", "store_id", "created_at", "query_text", "query_source", "received_at", "extra"},
    "voice_outcomes": {"query_id", "latency_ms", "action_success", "error_message", "tokens_total", "extra"},
    "voice_evaluations": {"query_id", "label", "evaluated_by", "method", "explanation", "rubric", "duration_ms"},
    "voice_stats_hourly": {"store_id", "hour_bucket", "total_latency_ms", "unique_sessions", "total_cost_usd"},
    "evaluation_queue": {"query_id", "due_at", "attempts", "lease", "failed_at", "waits_since"},
    "change_feed": {"position", "changed_at", "query_ids", "conversion_ids"},
    "change_followers": {"name", "position"},
    "database_identity": {"token"},
    "voice_conversions": {"id", "query_id", "session_id", "occurred_at", "value", "currency", "order_id", "extra"},
    "voice_evaluation_history": {"query_id", "label", "evaluated_by", "method", "explanation", "rubric", "duration_ms"},
    "copy_progress": {"source", "stage", "mark", "position", "moment"},
    "judge_calls": {"called_at", "query_id", "model", "outcome", "cost_usd"},
    "judge_allowance": {"name", "level", "at"},
    "review_leases": {"query_id", "reviewer", "leased_until"},
    "judge_batches": {"id", "model", "requests", "job", "ended_at", "held_by"},
    "api_keys": {"id", "name", "hash", "scopes", "stores", "networks", "signing_secret", "expires_at", "revoked_at"},
    "seen_signatures": {"id", "until"},
    "privacy_secret": {"secret"},
    "forgotten": {"hash", "until"},
    "erasures": {"id", "person", "begun_at", "ended_at", "erased"},
    "audit_log": {"number", "at", "actor", "action", "subject", "details"},
    "page_sessions": {"hash", "key_id", "opened_at", "ends_at"},
    "alert_states": {"rule", "state", "since", "looked_at", "value", "of"},
    "alert_messages": {
        "id",
        "target",
        "rule",
        "kind",
        "body",
        "made_at",
        "due_at",
        "attempts",
        "delivered_at",
        "error",
    },
    "alert_turn": {"name", "holder", "until"},
    "early_outcomes": {"number", "query_id", "sender", "stores", "outcome"},
}


def migrate(url: str) -> list[Migration]:
    """Apply what the database hasn't seen; give what was applied. Safe to run again and from several processes at once.

    Raises:
        MigrationError: the database records a migration whose tables it doesn't have.
        StoreUnavailable: the file can't be used.
    """
    path = path_of(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the folder of the database can't be made: {error.strerror}") from error
    with closing(connect(path)) as connection, translated(), _exclusively(connection):
        recorded, known = _recorded(connection), available(DIRECTORY)
        tell_of_later(recorded, known)
        applied = [migration for migration in known if migration.version not in recorded]
        for migration in applied:
            _apply(connection, migration)
        _check(connection)
    return applied


def status(url: str) -> list[MigrationState]:
    """List the migrations, and when the database has seen each; it is only read, and no file is made.

    Raises:
        StoreUnavailable: the file can't be used.
    """
    path = path_of(url)
    applied = _applied(path) if path.exists() else {}
    names = dict.fromkeys(applied, UNKNOWN) | {one.version: one.name for one in available(DIRECTORY)}
    return [
        MigrationState(version=version, name=name, applied_at=applied.get(version))
        for version, name in sorted(names.items())
    ]


def _applied(path: Path) -> dict[int, int]:
    """Read what a database has seen, and when; a moment that is none, which others may have written, is 0."""
    with closing(connect(path, read_only=True)) as connection, translated():
        if not _columns(connection, "migration_metadata"):
            return {}
        rows = connection.execute("SELECT version, applied_at FROM migration_metadata").fetchall()
    return {int(version): moment if isinstance(moment, int) else 0 for version, moment in rows}


@contextmanager
def _exclusively(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock: all or nothing, and one process at a time."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _recorded(connection: sqlite3.Connection) -> set[int]:
    if not _columns(connection, "migration_metadata"):
        return set()
    return {version for (version,) in connection.execute("SELECT version FROM migration_metadata")}


def _apply(connection: sqlite3.Connection, migration: Migration) -> None:
    """Run one file statement by statement: `executescript` would end the transaction."""
    try:
        for statement in statements(migration.sql):
            connection.execute(statement)
    except sqlite3.OperationalError as error:
        raise MigrationError(f"migration {migration.version:03}_{migration.name} can't be applied: {error}") from error


def statements(sql: str) -> Iterator[str]:
    """Split a file into its statements, as SQLite's own parser sees their ends."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip() and not all(line.startswith("--") or not line for line in statement.strip().splitlines()):
        yield statement


def _check(connection: sqlite3.Connection) -> None:
    for table, needed in NEEDED.items():
        if missing := needed - _columns(connection, table):
            raise MigrationError(
                f"the table {table} lacks {', '.join(sorted(missing))}, though the migration that adds it is recorded"
            )


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
