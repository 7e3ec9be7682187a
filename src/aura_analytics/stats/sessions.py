"""How many sessions a window saw, and how they went."""

from aura_analytics.projection import Slice

# A session that overlaps a window was seen in it, unless it reaches over both of its ends; such a one has to be looked up.
# One that several stores saw counts once over all of them. So: those of one store that overlap, without those that reach
# over; and the different ones among the rest.
DISTINCT = """
SELECT (SELECT count(*) FROM sessions WHERE {overlaps} AND {alone})
     - (SELECT count(*) FROM sessions WHERE {reaches_over} AND {alone})
     + (SELECT count(*) FROM (
            SELECT session_id FROM sessions WHERE {overlaps} AND NOT ({reaches_over}) AND NOT ({alone})
            UNION
            SELECT session_id FROM interactions
            WHERE {where} AND session_id IN (SELECT session_id FROM sessions WHERE {reaches_over} AND {store})
       ))
"""


def distinct_sessions(about: Slice) -> str:
    """Give the SQL of one number: the sessions of a slice."""
    if not about.filters:
        return _distinct(about, "true", "stores = 1")
    if about.filters == {"stores"} and about.one_store is not None:
        return _distinct(about, about.condition("stores"), "true")
    return "SELECT count(DISTINCT session_id) FROM {rows}"


def _distinct(about: Slice, store: str, alone: str) -> str:
    low, high = about.start is not None, about.end is not None
    overlaps = [store, *(["last_at >= $start"] if low else []), *(["first_at <= $end"] if high else [])]
    return DISTINCT.format(
        store=store,
        alone=alone,
        overlaps=" AND ".join(overlaps),
        reaches_over=f"first_at < $start AND last_at > $end AND {store}" if low and high else "false",
        where=about.where(),
    )
