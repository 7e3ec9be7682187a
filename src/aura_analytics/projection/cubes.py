"""Cubes: sums that are kept beside the wide table, so that a question over a month doesn't read ten million rows.

By the hour: everything that adds up, for each store and all of them (`cells`), and for each combination of intent,
model, source, label and action (`kinds`). By the day: what was said (`texts`, `store_texts`) and how long each answer
took (`latencies`, `store_latencies`). `rephrasings` holds, for the hours that are settled, which turn was said again.

A change marks its hour and its day stale in the same transaction, and a question reads stale ones from the rows; so a
cube is never wrong, only absent for a while. Stale ones are settled (computed anew) when there is nothing else to do.
"""

from aura_analytics.projection import sequence
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS
from aura_analytics.projection.meanings import IS_SUCCESSFUL, IS_UNANSWERED, REASONS
from aura_analytics.projection.measures import MEASURES, column_type

KIND_COLUMNS = ("intent", "model_name", "query_source", "label", "action_taken")


def floored(moment: str, unit_ms: int) -> str:
    """Give the SQL of the number of the unit that a moment lies in; DuckDB's division goes towards zero."""
    return f"CASE WHEN {moment} >= 0 THEN {moment} // {unit_ms} ELSE ({moment} - {unit_ms - 1}) // {unit_ms} END"


HOUR_OF = floored("created_at", HOUR_MS)
DAY_OF = floored("created_at", DAY_MS)

TEXT_MEASURES = {
    "queries": "count(*)",
    "successes": f"count(*) FILTER (WHERE {IS_SUCCESSFUL})",
    "latency_sum": "coalesce(fsum(latency_ms), 0)",
    "latency_count": "count(latency_ms)",
    "missed": f"count(*) FILTER (WHERE {IS_UNANSWERED})",
    "last_missed": f"max(created_at) FILTER (WHERE {IS_UNANSWERED})",
} | {f"for_{reason}": f"count(*) FILTER (WHERE {condition})" for reason, condition in REASONS.items()}

ADDITIVE = {name: sql for name, sql in MEASURES.items() if name != "sessions"}
_SUMS = ", ".join(f"{name} {column_type(name)}" for name in ADDITIVE)
_KINDS = ", ".join(f"{name} VARCHAR" for name in KIND_COLUMNS)
_TEXT_SUMS = ", ".join(f"{name} {'DOUBLE' if name == 'latency_sum' else 'BIGINT'}" for name in TEXT_MEASURES)

CREATE = (
    f"CREATE TABLE cells (hour BIGINT, store_id VARCHAR, sessions BIGINT, {_SUMS})",
    f"CREATE TABLE kinds (hour BIGINT, {_KINDS}, {_SUMS})",
    f"CREATE TABLE texts (day BIGINT, query_text VARCHAR, intent VARCHAR, {_TEXT_SUMS})",
    f"CREATE TABLE store_texts (day BIGINT, store_id VARCHAR, query_text VARCHAR, intent VARCHAR, {_TEXT_SUMS})",
    "CREATE TABLE latencies (day BIGINT, latency_ms DOUBLE, queries BIGINT)",
    "CREATE TABLE store_latencies (day BIGINT, store_id VARCHAR, latency_ms DOUBLE, queries BIGINT)",
    f"CREATE TABLE rephrasings (hour BIGINT, {sequence.PAIR_COLUMNS})",
    "CREATE TABLE stale_hours (hour BIGINT)",
    "CREATE TABLE stale_days (day BIGINT)",
)
OF_HOURS = ("cells", "kinds", "rephrasings")
OF_DAYS = ("texts", "store_texts", "latencies", "store_latencies")

STALE_HOURS = "SELECT DISTINCT hour FROM stale_hours ORDER BY hour DESC"
STALE_DAYS = "SELECT DISTINCT day FROM stale_days ORDER BY day DESC"

# Every hour and day there is, to begin with.
MARK_ALL = (
    f"INSERT INTO stale_hours SELECT DISTINCT {HOUR_OF} FROM interactions WHERE created_at IS NOT NULL",
    f"INSERT INTO stale_days SELECT DISTINCT {DAY_OF} FROM interactions WHERE created_at IS NOT NULL",
)
# A mark of its own for each change: settling takes away the marks that it saw, and those only.
MARK_HOURS = "INSERT INTO stale_hours SELECT unnest($units::BIGINT[])"
MARK_DAYS = "INSERT INTO stale_days SELECT unnest($units::BIGINT[])"

# The turns of one hour or a few that follow on each other, with what was said next, in a table of its own for a moment.
_GATHERED = (
    f"{HOUR_OF} AS hour, store_id, session_id, created_at, {', '.join(KIND_COLUMNS)}, {sequence.PAIR_NAMES}, has_outcome,"
    " action_success, error_flag, latency_ms, cost_usd, tokens_total, tokens_prompt, tokens_completion, fast_path,"
    " transcription_conf"
)
GATHER_HOURS = "CREATE OR REPLACE TEMP TABLE gathered AS " + sequence.turns(
    "created_at BETWEEN $low AND $high",
    f"created_at BETWEEN $low AND $high + {sequence.REPHRASE_GAP_MS}",
    _GATHERED,
)
_MEASURED = ", ".join(ADDITIVE.values())
SETTLE_HOURS = (
    f"""
    INSERT INTO cells SELECT hour, store_id, count(DISTINCT session_id), {_MEASURED} FROM gathered
    GROUP BY GROUPING SETS ((hour), (hour, store_id))
    """,
    f"INSERT INTO kinds SELECT hour, {', '.join(KIND_COLUMNS)}, {_MEASURED} FROM gathered GROUP BY ALL",
    f"INSERT INTO rephrasings SELECT hour, {sequence.PAIR_NAMES} FROM gathered WHERE rephrased OR repeated",
    "DELETE FROM stale_hours WHERE hour BETWEEN $first AND $last",
)

_TEXTS = ", ".join(TEXT_MEASURES.values())
_OF_DAY = "FROM interactions WHERE created_at BETWEEN $low AND $high"
SETTLE_DAYS = (
    f"INSERT INTO store_texts SELECT {DAY_OF} AS day, store_id, query_text, intent, {_TEXTS} {_OF_DAY} GROUP BY ALL ORDER BY store_id",
    f"INSERT INTO texts SELECT {DAY_OF} AS day, query_text, intent, {_TEXTS} {_OF_DAY} GROUP BY ALL",
    f"""
    INSERT INTO store_latencies SELECT {DAY_OF} AS day, store_id, latency_ms, count(*) {_OF_DAY}
    AND latency_ms IS NOT NULL GROUP BY day, store_id, latency_ms ORDER BY store_id, latency_ms
    """,
    """
    INSERT INTO latencies SELECT day, latency_ms, sum(queries)::BIGINT FROM store_latencies
    WHERE day BETWEEN $first AND $last GROUP BY day, latency_ms
    """,
    "DELETE FROM stale_days WHERE day BETWEEN $first AND $last",
)
