"""The wide table, and where it stands in the feed."""

import duckdb

from aura_analytics.store.port import WIDE_COLUMNS

# Counts up with every change of what the file holds; one of another version, or of another version of DuckDB, whose
# hashes may differ, is thrown away and rebuilt.
VERSION = f"5, DuckDB {duckdb.__version__}"

TYPES = {
    "id": "VARCHAR",
    "store_id": "VARCHAR",
    "session_id": "VARCHAR",
    "user_id": "VARCHAR",
    "created_at": "BIGINT",
    "query_text": "VARCHAR",
    "query_source": "VARCHAR",
    "transcription_conf": "DOUBLE",
    "audio_duration_ms": "BIGINT",
    "intent": "VARCHAR",
    "fast_path": "BOOLEAN",
    "has_outcome": "BOOLEAN",
    "answer_text": "VARCHAR",
    "model_name": "VARCHAR",
    "latency_ms": "DOUBLE",
    "tokens_prompt": "BIGINT",
    "tokens_completion": "BIGINT",
    "tokens_total": "BIGINT",
    "cost_usd": "DOUBLE",
    "action_taken": "VARCHAR",
    "action_success": "BOOLEAN",
    "error_flag": "BOOLEAN",
    "error_message": "VARCHAR",
    "tool_calls": "VARCHAR",
    "label": "VARCHAR",
    "reason": "VARCHAR",
    "confidence": "DOUBLE",
    "evaluated_at": "BIGINT",
    "evaluated_by": "VARCHAR",
}
assert tuple(TYPES) == WIDE_COLUMNS  # noqa: S101 (the store's rows fill the table by position)

# The wide table. No index and no key: the feed's position is what keeps it exact, and an index over ten million text
# keys takes more memory than the table.
CREATE_INTERACTIONS = f"CREATE TABLE interactions ({', '.join(f'{name} {kind}' for name, kind in TYPES.items())})"

# Whose copy this is, within which time conversions are attributed, and up to where it goes; `complete` turns true when the first filling is done.
CREATE_STATE = """
CREATE TABLE projection_state (
    version VARCHAR, identity VARCHAR, follower VARCHAR, attribution_ms BIGINT, position BIGINT, moment BIGINT,
    complete BOOLEAN, ahead_position BIGINT, ahead_moment BIGINT
)
"""

READ_STATE = """
SELECT version, identity, follower, attribution_ms, position, moment, complete, ahead_position, ahead_moment
FROM projection_state
"""
WRITE_STATE = """
UPDATE projection_state SET position = ?, moment = ?, complete = true, ahead_position = ?, ahead_moment = ?
"""
BEGIN_STATE = "INSERT INTO projection_state VALUES (?, ?, ?, ?, ?, ?, false, NULL, NULL)"

# Old forms of the rows that are about to come; the range of time lets the scan skip nearly all of the table.
DELETE_CHANGED = """
DELETE FROM interactions WHERE created_at BETWEEN ? AND ? AND id IN (SELECT unnest(?::VARCHAR[]))
"""
# Rows that the store no longer has, wherever they lie.
DELETE_GONE = "DELETE FROM interactions WHERE id IN (SELECT unnest(?::VARCHAR[]))"

# The same, before they go: what else changes with them.
READ_GONE = f"SELECT {', '.join(TYPES)} FROM interactions WHERE id IN (SELECT unnest(?::VARCHAR[]))"
# A stream begins with a row that only tells the types of its columns; neither has it an outcome nor has it none.
FILL_FROM_STREAM = f"INSERT INTO interactions SELECT {', '.join(TYPES)} FROM stream WHERE has_outcome >= 0"

# A file of the archive, which has the same columns: what of it is in force and isn't in the table by now.
EXTENT_OF_FILE = "SELECT min(created_at), max(created_at) FROM read_parquet($path, hive_partitioning = false)"
FILL_FROM_FILE = f"""
INSERT INTO interactions SELECT {", ".join(TYPES)} FROM read_parquet($path, hive_partitioning = false) AS shelved
WHERE ($ids::VARCHAR[] IS NULL OR id IN (SELECT unnest($ids::VARCHAR[])))
    AND NOT EXISTS (
        SELECT 1 FROM interactions AS held WHERE held.created_at BETWEEN $low AND $high AND held.id = shelved.id
    )
"""

ID = WIDE_COLUMNS.index("id")
CREATED_AT = WIDE_COLUMNS.index("created_at")


def position(column: str) -> int:
    """Give the place of a column in a row."""
    return WIDE_COLUMNS.index(column)
