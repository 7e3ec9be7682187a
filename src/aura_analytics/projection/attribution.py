"""Conversions, and which interaction each of them is owed to.

One that names an interaction is owed to that; one that names a session, to the last helpful interaction of it before,
within a window. What is owed may change: with the label of an interaction, with an outcome that comes late, with a query
that comes after its conversion. So it is worked out anew for whatever a change touches.
"""

from collections.abc import Collection, Sequence

import duckdb

from aura_analytics.projection import transport
from aura_analytics.projection.meanings import IS_FAILED, IS_SUCCESSFUL
from aura_analytics.settings import Settings
from aura_analytics.store.port import ConversionRow

COLUMNS = {
    "id": "VARCHAR",
    "query_id": "VARCHAR",
    "session_id": "VARCHAR",
    "store_id": "VARCHAR",
    "occurred_at": "BIGINT",
    "value": "DOUBLE",
    "currency": "VARCHAR",
    "order_id": "VARCHAR",
}
# Helpful: it worked, nothing went wrong, and nobody found it bad.
IS_HELPFUL = f"{IS_SUCCESSFUL} AND NOT {IS_FAILED} AND coalesce(label <> 'BAD', true)"

# Hashes of the ids that are looked for: found five times as fast as texts. One that is found for the sake of another's
# hash is only worked out once more.
_KEYS = "query_key UBIGINT, session_key UBIGINT"

CREATE = (
    f"CREATE TABLE conversions ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())}, {_KEYS})",
    """
    CREATE TABLE attributions (
        conversion_id VARCHAR, query_id VARCHAR, query_at BIGINT, store_id VARCHAR, session_id VARCHAR, intent VARCHAR,
        query_text VARCHAR, value DOUBLE, currency VARCHAR, occurred_at BIGINT
    )
    """,
    # A row for each interaction that any conversion is owed to, so that counting them needs no distinct.
    "CREATE TABLE converted (query_id VARCHAR, query_at BIGINT, store_id VARCHAR)",
)

FORGET = "DELETE FROM conversions WHERE id IN (SELECT unnest($conversions::VARCHAR[]))"

# The conversions that a change may have moved: new ones, and those of the interactions and sessions that changed.
TOUCHED = """
CREATE OR REPLACE TEMP TABLE touched AS SELECT * FROM conversions
WHERE query_key IN (SELECT hash(unnest($queries::VARCHAR[])))
   OR session_key IN (SELECT hash(unnest($sessions::VARCHAR[])))
   OR id IN (SELECT unnest($conversions::VARCHAR[]))
"""
# The same where the row database has told which.
TOUCHED_NAMED = """
CREATE OR REPLACE TEMP TABLE touched AS SELECT * FROM conversions WHERE id IN (SELECT unnest($conversions::VARCHAR[]))
"""
ARRIVING = f"CREATE OR REPLACE TEMP TABLE arriving ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
ARRIVED = "INSERT INTO conversions SELECT *, hash(query_id), hash(session_id) FROM arriving"
TOUCHED_ALL = "CREATE OR REPLACE TEMP TABLE touched AS SELECT * FROM conversions"
SPAN = "SELECT min(occurred_at), max(occurred_at), count(query_id), count(session_id) FROM touched"
# Whether any of them belongs to a session that isn't among those that changed.
ELSEWHERE = """
SELECT count(*) FROM touched WHERE session_id IS NOT NULL AND session_id NOT IN (SELECT unnest($sessions::VARCHAR[]))
"""
OWED_BEFORE = """
CREATE OR REPLACE TEMP TABLE owed_before AS
SELECT query_id FROM attributions WHERE conversion_id IN (SELECT id FROM touched)
"""
UNDO = "DELETE FROM attributions WHERE conversion_id IN (SELECT id FROM touched)"

_OWED = "conversion.id, i.id, i.created_at, i.store_id, i.session_id, i.intent, i.query_text, conversion.value, conversion.currency, conversion.occurred_at"
# To the interaction that is named. Nearly always it lies in the window before; only what is left is looked for everywhere.
_BY_QUERY = f"""
INSERT INTO attributions
SELECT {_OWED} FROM touched AS conversion JOIN interactions AS i ON i.id = conversion.query_id
WHERE {{condition}} AND conversion.id NOT IN (SELECT conversion_id FROM attributions)
"""
BY_QUERY_NEAR = _BY_QUERY.format(condition="i.created_at BETWEEN $low AND $high")
BY_QUERY = _BY_QUERY.format(condition="true")
UNOWED_WITH_QUERY = """
SELECT count(*) FROM touched WHERE query_id IS NOT NULL AND id NOT IN (SELECT conversion_id FROM attributions)
"""
BY_SESSION = f"""
INSERT INTO attributions
SELECT {_OWED} FROM touched AS conversion JOIN (
    SELECT id, created_at, store_id, session_id, intent, query_text FROM interactions
    WHERE created_at BETWEEN $low AND $high AND {IS_HELPFUL}
) AS i ON i.session_id = conversion.session_id
WHERE i.created_at BETWEEN conversion.occurred_at - $window AND conversion.occurred_at
  AND (conversion.store_id IS NULL OR i.store_id = conversion.store_id)
  AND conversion.id NOT IN (SELECT conversion_id FROM attributions)
QUALIFY row_number() OVER (PARTITION BY conversion.id ORDER BY i.created_at DESC, i.id DESC) = 1
"""

_OWED_NOW = """
query_id IN (
    SELECT query_id FROM owed_before
    UNION SELECT query_id FROM attributions WHERE conversion_id IN (SELECT id FROM touched)
)
"""
# What was owed to and what is now: counted anew.
RECOUNT = (
    f"DELETE FROM converted WHERE {_OWED_NOW}",
    f"INSERT INTO converted SELECT DISTINCT query_id, query_at, store_id FROM attributions WHERE {_OWED_NOW}",
)

# Conversions that were erased: what they were owed to is counted anew.
OWED_TO = "SELECT DISTINCT query_id FROM attributions WHERE conversion_id IN (SELECT unnest($conversions::VARCHAR[]))"
UNDO_GONE = "DELETE FROM attributions WHERE conversion_id IN (SELECT unnest($conversions::VARCHAR[]))"
RECOUNT_NAMED = (
    "DELETE FROM converted WHERE query_id IN (SELECT unnest($queries::VARCHAR[]))",
    """
    INSERT INTO converted SELECT DISTINCT query_id, query_at, store_id FROM attributions
    WHERE query_id IN (SELECT unnest($queries::VARCHAR[]))
    """,
)


def attribution_ms(settings: Settings) -> int:
    """Give how long before a conversion the interaction may lie that it is owed to."""
    return round(settings.stats_conversion_window_hours * 3_600_000)


def let_go(cursor: duckdb.DuckDBPyConnection, conversions: Collection[str]) -> None:
    """Remove conversions, and what they are owed to, in the caller's transaction."""
    named = {"conversions": list(conversions)}
    queries = [query for (query,) in cursor.execute(OWED_TO, named).fetchall()]
    for statement in (UNDO_GONE, FORGET):
        cursor.execute(statement, named)
    for statement in RECOUNT_NAMED:
        cursor.execute(statement, {"queries": queries})


def append(cursor: duckdb.DuckDBPyConnection, rows: Sequence[ConversionRow]) -> None:
    """Add conversions, in the caller's transaction; they are few, so each cell is made to fit beforehand."""
    fitting = transport.coerced(rows, tuple(COLUMNS.values()))
    cursor.execute(ARRIVING)
    transport.append(cursor, fitting, "arriving", list(COLUMNS))
    cursor.execute(ARRIVED)
