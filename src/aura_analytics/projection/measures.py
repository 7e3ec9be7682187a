"""What is counted: the meanings of the contract as SQL, once, for cubes and for raw rows alike.

Every measure but `sessions` adds up: that of a day is the sum of its hours'. Percentiles have ways of their own.
"""

from aura_analytics.projection.meanings import IS_FAILED, IS_SUCCESSFUL, IS_UNANSWERED_FOR_RATE, REASONS, TOKENS
from aura_analytics.projection.turns import CAUSES


def _where(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _label(label: str) -> str:
    return _where(f"coalesce(label = '{label}', false)")


# Over rows of the wide table. fsum is a Kahan sum: exact where a plain sum of doubles drifts with the order of rows.
OF_ROWS = {
    "queries": "count(*)",
    "successes": _where(IS_SUCCESSFUL),
    "failures": _where(IS_FAILED),
    "unanswered": _where(IS_UNANSWERED_FOR_RATE),
    "slow": _where(REASONS["slow_response"]),
    "answered": _where("has_outcome"),
    "latency_sum": "coalesce(fsum(latency_ms), 0)",
    "latency_count": "count(latency_ms)",
    "cost": "coalesce(fsum(cost_usd), 0)",
    "tokens": f"coalesce(sum({TOKENS}), 0)",
    "tokens_prompt": "coalesce(sum(tokens_prompt), 0)",
    "tokens_completion": "coalesce(sum(tokens_completion), 0)",
    "good": _label("GOOD"),
    "review": _label("REVIEW"),
    "bad": _label("BAD"),
    "fast_path": _where("coalesce(fast_path, false)"),
    "confidence_sum": "coalesce(fsum(transcription_conf), 0)",
    "confidence_count": "count(transcription_conf)",
}
# Over turns: rows that also know what was said next in their session.
OF_TURNS = {
    "rephrased": _where("rephrased"),
    "repeated": _where("repeated"),
    "broken": _where("cause IS NOT NULL"),
} | {cause: _where(f"coalesce(cause = '{cause}', false)") for cause in CAUSES}

# The one that doesn't add up, which the hour cube has for each store and for all of them.
SESSIONS = {"sessions": "count(DISTINCT session_id)"}
MEASURES = OF_ROWS | OF_TURNS | SESSIONS
# Sums of doubles; the others are whole numbers.
DOUBLES = frozenset({"latency_sum", "cost", "confidence_sum"})
# Sums that whole numbers of 64 bits may not hold.
HUGE = frozenset({"tokens", "tokens_prompt", "tokens_completion"})


def column_type(measure: str) -> str:
    """Give the type of a measure's column."""
    return "DOUBLE" if measure in DOUBLES else "HUGEINT" if measure in HUGE else "BIGINT"


def merged(measure: str) -> str:
    """Add up a measure of several cells; whole numbers that 64 bits can't hold end at the largest that they can."""
    if measure in DOUBLES:
        return f"coalesce(fsum({measure}), 0)"
    return f"least(coalesce(sum({measure}), 0), 9223372036854775807)::BIGINT"
