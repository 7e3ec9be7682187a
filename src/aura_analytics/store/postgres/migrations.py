"""Bringing a PostgreSQL database to the shape that this version works with. Ten servers may start at once."""

from contextlib import closing

import psycopg

from aura_analytics.errors import MigrationError
from aura_analytics.store.migrations import UNKNOWN, Migration, available, tell_of_later
from aura_analytics.store.port import MigrationState
from aura_analytics.store.postgres import citus
from aura_analytics.store.postgres.connection import conninfo, translated
from aura_analytics.store.queries import load

SQL = load("migrations", "postgres")

DIRECTORY = "postgres"
# Any number that nobody else's advisory lock has: "aura" in ASCII.
LOCK = 0x61757261

# What each version is relied on for: a database whose records and tables disagree is named, not guessed at.
NEEDED = {
    "voice_queries": {"rowid", "id", "store_id", "created_at", "query_text", "query_source", "received_at", "extra"},
    "voice_outcomes": {"query_id", "latency_ms", "action_success", "error_message", "tokens_total", "extra"},
    "voice_evaluations": {"query_id", "label", "evaluated_by", "method", "explanation", "rubric", "duration_ms"},
    "voice_evaluation_history": {"rowid", "query_id", "label", "evaluated_by", "method", "rubric", "duration_ms"},
    "voice_conversions": {"rowid", "id", "query_id", "session_id", "occurred_at", "value", "currency", "extra"},
    "voice_stats_hourly": {"store_id", "hour_bucket", "total_latency_ms", "unique_sessions", "total_cost_usd"},
    "evaluation_queue": {"query_id", "due_at", "attempts", "lease", "failed_at", "waits_since"},
    "change_feed": {"xid", "changed_at", "query_ids", "conversion_ids"},
    "change_followers": {"name", "position"},
    "database_identity": {"token", "trimmed"},
    "copy_progress": {"source", "stage", "mark", "position", "moment"},
    "judge_calls": {"called_at", "query_id", "store_id", "model", "rubric", "outcome", "duration_ms", "cost_usd"},
    "judge_allowance": {"name", "level", "at"},
    "review_leases": {"query_id", "reviewer", "leased_until"},
    "judge_batches": {"id", "model", "rubric", "requests", "made_at", "job", "ended_at", "held_by", "held_until"},
    "api_keys": {"id", "name", "hash", "scopes", "stores", "networks", "signing_secret", "expires_at", "revoked_at"},
    "seen_signatures": {"id", "until"},
    "page_sessions": {"hash", "key_id", "ends_at"},
    "privacy_secret": {"secret"},
    "forgotten": {"hash", "until"},
    "erasures": {"id", "person", "begun_at", "ended_at", "erased"},
    "audit_log": {"number", "at", "actor", "action", "subject", "details"},
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

    Where nothing is to be done nothing is written, so that a server can start while the database takes no changes, and
    with a user that may not make tables.

    Raises:
        MigrationError: the database records a migration whose tables it doesn't have.
        StoreUnavailable: the database can't be used.
    """
    with translated(), closing(psycopg.connect(conninfo(url, statement_ms=0), autocommit=True)) as connection:
        tell_of_later(_recorded(connection), available(DIRECTORY))
        if not _pending(connection) and not _is_moved(connection) and not citus.waiting(connection):
            _check(connection)
            return []
        connection.execute(SQL["lock"], {"key": LOCK})
        connection.execute(SQL["prepare"], {})
        applied = _pending(connection)
        for migration in applied:
            _apply(connection, migration)
        _check(connection)
        if _is_moved(connection):
            _start_anew(connection)
        citus.distribute(connection)
    return applied


def status(url: str) -> list[MigrationState]:
    """List the migrations and when each was applied; nothing is changed."""
    with translated(), closing(psycopg.connect(conninfo(url), autocommit=True)) as connection:
        recorded = _recorded(connection)
    names = dict.fromkeys(recorded, UNKNOWN) | {one.version: one.name for one in available(DIRECTORY)}
    return [
        MigrationState(version=version, name=name, applied_at=recorded.get(version))
        for version, name in sorted(names.items())
    ]


def _pending(connection: psycopg.Connection) -> list[Migration]:
    recorded = _recorded(connection)
    return [migration for migration in available(DIRECTORY) if migration.version not in recorded]


def _recorded(connection: psycopg.Connection) -> dict[int, int]:
    if connection.execute(SQL["is_recorded"], {}).fetchone() != (True,):
        return {}
    return dict(connection.execute(SQL["recorded"], {}).fetchall())


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    """Run one file and record it, all or nothing."""
    try:
        with connection.transaction():
            connection.execute(migration.sql.encode())  # a file of ours, with nothing to bind
            connection.execute(SQL["record"], {"version": migration.version, "description": migration.name})
    except psycopg.ProgrammingError as error:
        raise MigrationError(
            f"migration {migration.version:03}_{migration.name} can't be applied: {error.diag.message_primary}"
        ) from error


def _check(connection: psycopg.Connection) -> None:
    for table, needed in NEEDED.items():
        found = {column for (column,) in connection.execute(SQL["columns"], {"table": table})}
        if missing := needed - found:
            raise MigrationError(
                f"the table {table} lacks {', '.join(sorted(missing))}, though the migration that adds it is recorded"
            )


def _is_moved(connection: psycopg.Connection) -> bool:
    """Whether the database was restored into another server, where transactions count from elsewhere."""
    if not _recorded(connection):
        return False
    return connection.execute(SQL["moved"], {}).fetchone() == (True,)


def _start_anew(connection: psycopg.Connection) -> None:
    """Give the database another identity and an empty feed: its followers build their columns anew."""
    with connection.transaction():
        connection.execute(SQL["forget_feed"], {})
        connection.execute(SQL["forget_followers"], {})
        connection.execute(SQL["rename"], {})
        connection.execute(SQL["begin_feed"], {})
