"""Turns in their order: each interaction with what was said next in its session."""

from aura_analytics.projection import turns as rules
from aura_analytics.projection.meanings import IS_UNANSWERED
from aura_analytics.projection.turns import IS_REPEATED, IS_REPHRASED, NEXT_TURN, REPHRASE_GAP_MS

# What is kept of a turn that was said again.
PAIR = {
    "id": "VARCHAR",
    "rephrased": "BOOLEAN",
    "repeated": "BOOLEAN",
    "next_id": "VARCHAR",
    "next_at": "BIGINT",
    "next_text": "VARCHAR",
    "next_intent": "VARCHAR",
}
PAIR_COLUMNS = ", ".join(f"{name} {kind}" for name, kind in PAIR.items())
PAIR_NAMES = ", ".join(PAIR)

# Where it broke, of a turn that didn't satisfy: unanswered for any reason, or said again in other words.
CAUSE = f"CASE WHEN {IS_UNANSWERED} OR rephrased THEN {rules.CAUSE} END"

_NEXT = {"next_id": "id", "next_at": "created_at", "next_text": "query_text", "next_intent": "intent"}
_LEADS = ", ".join(
    f"CASE WHEN session_id IS NOT NULL THEN lead({column}) OVER following END AS {name}"
    for name, column in _NEXT.items()
)
# What was said next matters, and is kept, only where it was the same wish.
_KEPT = ", ".join(f"CASE WHEN rephrased OR repeated THEN {name} END AS {name}" for name in _NEXT)


def turns(shown: str, looked_at: str, columns: str = "*") -> str:
    """Give the SELECT of some turns, with `rephrased`, `repeated`, `cause`, and `next_…` where it is the same wish again.

    Args:
        shown: the condition on the rows that are given.
        looked_at: a wider one, that also holds what was said up to `REPHRASE_GAP_MS` after any of them in its session.
        columns: what is given of each.
    """
    return f"""
    SELECT {columns}, {CAUSE} AS cause FROM (
        SELECT * REPLACE ({_KEPT}) FROM (
            SELECT *, {IS_REPHRASED} AS rephrased, {IS_REPEATED} AS repeated FROM (
                SELECT *, {_LEADS} FROM interactions WHERE {looked_at}
                WINDOW following AS ({NEXT_TURN})
            ) WHERE {shown}
        )
    )
    """


def settled_turns(shown: str, columns: str = "*") -> str:
    """Give the same from what is kept in `rephrasings`, for hours that are settled."""
    kept = ", ".join(f"pair.{name}" for name in _NEXT)
    return f"""
    SELECT {columns}, {CAUSE} AS cause FROM (
        SELECT row.*, {kept}, coalesce(pair.rephrased, false) AS rephrased, coalesce(pair.repeated, false) AS repeated
        FROM (SELECT * FROM interactions WHERE {shown}) AS row LEFT JOIN rephrasings AS pair ON pair.id = row.id
    )
    """


__all__ = ["PAIR", "PAIR_COLUMNS", "PAIR_NAMES", "REPHRASE_GAP_MS", "settled_turns", "turns"]
