"""Sessions, a row for each session of a store: from when to when, how many turns, and how it ended.

How many sessions a window saw can't be added up from hours. But a session that began or ended inside of the window was
seen in it, and one that reaches over both of its ends is rare and can be looked up; so two columns of moments tell it.

`key` is the hash of the session's id: numbers are found five times as fast as texts. It is DuckDB's own and may change
with its version, so a file that another version wrote is built anew.
"""

from aura_analytics.projection.meanings import IS_FAILED, IS_SUCCESSFUL, IS_UNANSWERED_FOR_RATE, TOKENS

# What a session sums up. `missed_at` and `open_at`: its last turn that went wrong, and its last without an outcome.
FIGURES = {
    "first_at": ("BIGINT", "min(created_at)"),
    "last_at": ("BIGINT", "max(created_at)"),
    "turns": ("BIGINT", "count(*)"),
    "successes": ("BIGINT", f"count(*) FILTER (WHERE {IS_SUCCESSFUL})"),
    "failures": ("BIGINT", f"count(*) FILTER (WHERE {IS_FAILED})"),
    "missed_at": (
        "BIGINT",
        f"max(created_at) FILTER (WHERE has_outcome AND {IS_UNANSWERED_FOR_RATE.replace('$answered_until', '0')})",
    ),
    "open_at": ("BIGINT", "max(created_at) FILTER (WHERE NOT has_outcome)"),
    "cost": ("DOUBLE", "coalesce(fsum(cost_usd), 0)"),
    "tokens": ("HUGEINT", f"coalesce(sum({TOKENS}), 0)"),
}

_TYPES = ", ".join(f"{name} {kind}" for name, (kind, _) in FIGURES.items())
_SUMS = ", ".join(f"{sql} AS {name}" for name, (_, sql) in FIGURES.items())

# `stores`: in how many stores the same id was seen; such sessions count once over all stores.
CREATE = f"CREATE TABLE sessions (key UBIGINT, session_id VARCHAR, store_id VARCHAR, stores BIGINT, {_TYPES})"

_INSERT = """
INSERT INTO sessions
SELECT hash(session_id), session_id, store_id, count(*) OVER (PARTITION BY session_id), {figures} FROM (
    SELECT session_id, store_id, {sums} FROM interactions WHERE {condition} GROUP BY session_id, store_id
)
"""
# By the hash alone: sessions that share one go and come back together.
_KEYS = "IN (SELECT hash(unnest($sessions::VARCHAR[])))"

# All sessions, a part at a time, since each part takes its memory.
PARTS = 8
BUILD_PART = _INSERT.format(
    figures=", ".join(FIGURES), sums=_SUMS, condition=f"session_id IS NOT NULL AND hash(session_id) % {PARTS} = $part"
)
# Take some sessions out; give from when to when each was known to be.
FORGET = f"DELETE FROM sessions WHERE key {_KEYS} RETURNING first_at, last_at"
# The same where it is known from when to when they go: the range of time lets the scan skip nearly all of the table. Any
# overlap will do, since somebody may have deleted a session's first turns.
FORGET_WITHIN = f"DELETE FROM sessions WHERE last_at >= $low AND first_at <= $high AND key {_KEYS}"
# Put them in as they are now.
REMEMBER = _INSERT.format(
    figures=", ".join(FIGURES),
    sums=_SUMS,
    condition=f"created_at BETWEEN $low AND $high AND session_id IS NOT NULL AND hash(session_id) {_KEYS}",
)
