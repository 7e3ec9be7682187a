"""Percentiles of the latency, exactly: the least observed value that so many percent of the answers don't exceed.

This is the nearest rank, SQL's PERCENTILE_DISC. Counted in whole numbers, so that no rounding chooses another value.
"""

from collections.abc import Sequence

SHARES = (50, 95, 99)


def percentiles(latencies: str, percents: Sequence[int] = SHARES, by: Sequence[str] = ()) -> str:
    """Give the SELECT of percentiles, None where no answer has a latency; one row, or a row for each of some keys.

    Args:
        latencies: a relation with `latency_ms`, `queries` and the keys; maybe in several rows that add up.
        percents: which ones.
        by: the keys, which come first in a row.
    """
    keys = "".join(f"{key}, " for key in by)
    within = f"PARTITION BY {', '.join(by)}" if by else ""
    return f"""
    SELECT {keys}{", ".join(f"{_at(percent)} AS p{percent}" for percent in percents)} FROM (
        SELECT {keys}latency_ms, sum(queries) OVER ({within} ORDER BY latency_ms) AS upto,
               sum(queries) OVER ({within}) AS answers
        FROM (SELECT {keys}latency_ms, sum(queries) AS queries FROM {latencies} GROUP BY {keys}latency_ms)
    ) {f"GROUP BY {', '.join(by)}" if by else ""}
    """


def _at(percent: int) -> str:
    return f"min(latency_ms) FILTER (WHERE 100 * upto >= {percent} * answers)"


# One row: the percentiles of all of `{latencies}`.
PERCENTILES = percentiles("{latencies}")
