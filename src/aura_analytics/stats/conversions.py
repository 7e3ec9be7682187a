"""What was bought after the assistant helped."""

from aura_analytics.projection import Slice


def converted_queries(about: Slice) -> str:
    """Give the SQL of one number: the queries of a slice that at least one conversion is owed to."""
    if about.filters <= {"stores"}:
        window = "($start IS NULL OR query_at >= $start) AND ($end IS NULL OR query_at <= $end)"
        return f"SELECT count(DISTINCT query_id) FROM attributions WHERE {window} AND {about.where(window=False)}"
    return "SELECT count(*) FROM {rows} WHERE id IN (SELECT query_id FROM attributions)"
