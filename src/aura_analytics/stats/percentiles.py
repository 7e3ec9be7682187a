"""Percentiles of the latency, exactly: the least observed value that so many percent of the answers don't exceed.

This is the nearest rank, SQL's PERCENTILE_DISC. Counted in whole numbers, so that no rounding chooses another value.
"""

from collections.abc import Sequence

SHARES = (50, 95, 99)


def percentiles(
    relation: str, percents: Sequence[int] = SHARES, by: Sequence[str] = (), value: str = "latency_ms"
) -> str:
    """Give the SELECT of percentiles, None where there are no values; one row, or a row for each of some keys.

    Args:
        relation: has the column `value`, `queries` (how many have it), and the keys; maybe in several rows that add up.
        percents: which ones.
        by: the keys, which come first in a row.
        value: the column.
    """
    keys = "".join(f"{key}, " for key in by)
    within = f"PARTITION BY {', '.join(by)}" if by else ""
    return f"""
    SELECT {keys}{", ".join(f"{_at(percent, value)} AS p{percent}" for percent in percents)} FROM (
        SELECT {keys}{value}, sum(queries) OVER ({within} ORDER BY {value}) AS upto,
               sum(queries) OVER ({within}) AS answers
        FROM (SELECT {keys}{value}, sum(queries) AS queries FROM {relation} GROUP BY {keys}{value})
    ) {f"GROUP BY {', '.join(by)}" if by else ""}
    """


def _at(percent: int, value: str) -> str:
    return f"min({value}) FILTER (WHERE 100 * upto >= {percent} * answers)"


# One row: the percentiles of all of `{latencies}`.
PERCENTILES = percentiles("{latencies}")
