"""The statistics once more, in plain SQL on the row database; and whether the rows are what was acknowledged."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from ledger import Ledger, by_kind, content_of
from machines import GRACE_S

# Any, throughout: what JSON and cells of a database can hold.
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
METRICS = ("queries", "successes", "failures", "unanswered", "tokens", "good", "review", "bad", "cost", "sessions",
           "latency_avg", "latency_p95", "conversions")  # fmt: skip

WIDE = """
CREATE TEMP TABLE wide AS
SELECT q.id, q.store_id, q.session_id, q.created_at, q.query_text, q.intent, o.latency_ms, o.cost_usd,
    coalesce(o.action_success = 1, false) AS success,
    coalesce(o.action_success = 0, false) AS action_failed,
    coalesce(o.error_flag = 1, false) AS error,
    coalesce(o.tokens_total, coalesce(o.tokens_prompt, 0) + coalesce(o.tokens_completion, 0)) AS tokens,
    coalesce(o.tokens_prompt, 0) AS tokens_prompt, coalesce(o.tokens_completion, 0) AS tokens_completion,
    e.label, o.query_id IS NULL AS no_response, coalesce(o.latency_ms > 8000, false) AS slow
FROM voice_queries AS q
LEFT JOIN voice_outcomes AS o ON o.query_id = q.id
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id
"""
OWED = """
CREATE TEMP TABLE owed AS
SELECT c.id, i.id AS query_id FROM voice_conversions AS c JOIN wide AS i ON i.id = c.query_id
UNION ALL
SELECT c.id, i.id FROM voice_conversions AS c CROSS JOIN LATERAL (
    SELECT id FROM wide AS i
    WHERE i.session_id = c.session_id AND i.created_at BETWEEN c.occurred_at - 86400000 AND c.occurred_at
        AND (c.store_id IS NULL OR i.store_id = c.store_id)
        AND i.success AND NOT i.action_failed AND NOT i.error AND coalesce(i.label <> 'BAD', true)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS i
WHERE c.query_id IS NULL OR NOT EXISTS (SELECT 1 FROM wide WHERE wide.id = c.query_id)
"""
FIGURES = """
    count(*) AS queries, count(*) FILTER (WHERE success) AS successes,
    count(*) FILTER (WHERE action_failed OR error) AS failures,
    count(*) FILTER (WHERE error OR action_failed OR no_response OR coalesce(label IN ('BAD', 'REVIEW'), false)) AS unanswered,
    sum(tokens)::bigint AS tokens, sum(tokens_prompt)::bigint AS tokens_prompt,
    sum(tokens_completion)::bigint AS tokens_completion,
    count(*) FILTER (WHERE label = 'GOOD') AS good, count(*) FILTER (WHERE label = 'REVIEW') AS review,
    count(*) FILTER (WHERE label = 'BAD') AS bad,
    coalesce(sum(cost_usd), 0) AS cost, count(DISTINCT session_id) AS sessions, avg(latency_ms) AS latency_avg,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY latency_ms) AS latency_p50,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) AS latency_p95,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY latency_ms) AS latency_p99,
    count(*) FILTER (WHERE id IN (SELECT query_id FROM owed)) AS conversions
"""
AMONG = "FROM wide WHERE (%(store)s::text IS NULL OR store_id = %(store)s)"
REASONS = ("error", "action_failed", "bad_quality", "needs_review", "slow_response", "no_response")
CONDITIONS = ("error", "action_failed", "coalesce(label = 'BAD', false)", "coalesce(label = 'REVIEW', false)", "slow", "no_response")  # fmt: skip


class Recount:
    """The figures of the rows as they are now."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        for statement in (WIDE, OWED, "CREATE INDEX ON wide (id)"):
            self._connection.execute(statement)

    def answers(self, store: str | None) -> dict[str, Any]:
        """Give what each endpoint has to answer for a store, or for all."""
        return {
            "/stats/summary": self._summary(store),
            "/stats/hourly": self._hourly(store),
            "/stats/top-queries": self._top(store),
            "/stats/unanswered": self._unanswered(store),
            "/stats/timeseries": self._series(store),
        }

    def _rows(self, sql: str, store: str | None) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            return cursor.execute(sql.encode(), {"store": store}).fetchall()

    def _summary(self, store: str | None) -> dict[str, Any]:
        [sums] = self._rows(f"SELECT {FIGURES} {AMONG}", store)
        total = sums["queries"]
        return {
            "storeId": store or "all",
            "totalQueries": total,
            "successfulQueries": sums["successes"],
            "failedQueries": sums["failures"],
            "averageLatencyMs": sums["latency_avg"],
            "p50LatencyMs": sums["latency_p50"],
            "p95LatencyMs": sums["latency_p95"],
            "p99LatencyMs": sums["latency_p99"],
            "totalCostUsd": sums["cost"],
            "totalTokens": sums["tokens"] or 0,
            "promptTokens": sums["tokens_prompt"] or 0,
            "completionTokens": sums["tokens_completion"] or 0,
            "uniqueSessions": sums["sessions"],
            "conversionRate": sums["conversions"] / total if total else 0,
            "unansweredRate": sums["unanswered"] / total if total else 0,
            "labels": {
                "GOOD": sums["good"],
                "REVIEW": sums["review"],
                "BAD": sums["bad"],
                "unlabelled": total - sums["good"] - sums["review"] - sums["bad"],
            },
        }

    def _hourly(self, store: str | None) -> list[dict[str, Any]]:
        sql = f"SELECT created_at / {HOUR_MS} AS hour, {FIGURES} {AMONG} GROUP BY 1 ORDER BY 1 DESC"
        return [
            {
                "hour": _at(row["hour"]),
                "queries": row["queries"],
                "successes": row["successes"],
                "failures": row["failures"],
                "avgLatencyMs": row["latency_avg"],
                "costUsd": row["cost"],
                "sessions": row["sessions"],
            }
            for row in self._rows(sql, store)
        ]

    def _top(self, store: str | None) -> list[dict[str, Any]]:
        sql = f"""
        SELECT query_text, intent, {FIGURES} {AMONG} GROUP BY query_text, intent
        ORDER BY count(*) DESC, query_text COLLATE "C", intent COLLATE "C" NULLS FIRST LIMIT 100
        """
        return [
            {
                "queryText": row["query_text"],
                "intent": row["intent"],
                "count": row["queries"],
                "avgLatencyMs": row["latency_avg"],
                "successRate": 100 * row["successes"] / row["queries"],
            }
            for row in self._rows(sql, store)
        ]

    def _unanswered(self, store: str | None) -> list[dict[str, Any]]:
        reasons = ", ".join(f"bool_or({found}) AS {name}" for name, found in zip(REASONS, CONDITIONS, strict=True))
        sql = f"""
        SELECT query_text, intent, count(*) AS missed, max(created_at) AS last, {reasons} {AMONG} AND ({" OR ".join(CONDITIONS)})
        GROUP BY query_text, intent
        ORDER BY 3 DESC, 4 DESC, query_text COLLATE "C", intent COLLATE "C" NULLS FIRST LIMIT 100
        """
        return [
            {
                "queryText": row["query_text"],
                "intent": row["intent"],
                "occurrences": row["missed"],
                "lastSeen": row["last"],
                "reasons": [reason for reason in REASONS if row[reason]],
            }
            for row in self._rows(sql, store)
        ]

    def _series(self, store: str | None) -> list[dict[str, Any]]:
        """Give the hours that have anything; between them the answer has hours of nothing."""
        sql = f"SELECT created_at / {HOUR_MS} AS hour, {FIGURES} {AMONG} GROUP BY 1 ORDER BY 1"
        return [{"at": _at(row["hour"]), **{name: row[name] for name in METRICS}} for row in self._rows(sql, store)]


HOURS = f"""
SELECT store_id, created_at / {HOUR_MS} * 3600, count(*), count(*) FILTER (WHERE success),
    count(*) FILTER (WHERE action_failed OR error), round(coalesce(sum(latency_ms), 0))::bigint,
    count(DISTINCT session_id), coalesce(sum(cost_usd), 0)
FROM wide GROUP BY 1, 2
"""
STANDING = """
SELECT store_id, hour_bucket, total_queries, successful_queries, failed_queries, total_latency_ms, unique_sessions,
    total_cost_usd
FROM voice_stats_hourly
"""


def hours_apart(url: str) -> list[str]:
    """Compare the sums of hours that the servers keep in the row database with a recount; name what differs."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WIDE)
        expected = {row[:2]: row for row in connection.execute(HOURS.encode()).fetchall()}
        found = {row[:2]: row for row in connection.execute(STANDING).fetchall()}
    names = [*expected, *(name for name in found if name not in expected)]
    pairs = [(name, list(found.get(name, ())), list(expected.get(name, ()))) for name in names]
    return [f"{name}: {one}, not {other}" for name, one, other in pairs if not same(one, other)]


def parameters_of(path: str, store: str | None) -> dict[str, str]:
    """Give what an endpoint is asked with, so that it answers as the recount does."""
    given = {"period": "all"} | ({"store": store} if store else {})
    if path in ("/stats/top-queries", "/stats/unanswered"):
        given["limit"] = "100"
    if path == "/stats/timeseries":
        given |= {"metric": ",".join(METRICS), "step": "hour"}
    return given


def shown(path: str, answer: Any) -> Any:
    """Take from an answer what a recount can't know or needn't."""
    if path == "/stats/summary":
        left_out = ("period", "from", "to", "evaluationQueue", "costPerSuccessfulQueryUsd")
        return {name: value for name, value in answer.items() if name not in left_out}
    if path == "/stats/timeseries":
        return [point for point in answer["series"][0]["points"] if point["queries"]]
    return answer


def same(one: Any, other: Any) -> bool:
    """Compare answers; sums of fractions may have been added up in another order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=2e-9)
    return bool(one == other)


def _at(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# The rows, and what was acknowledged.

QUERIES = """
SELECT id, store_id, session_id, created_at, query_text, intent, transcription_conf FROM voice_queries
"""
OUTCOMES = """
SELECT query_id, answer_text, latency_ms, cost_usd, tokens_prompt, tokens_completion, action_success, error_flag
FROM voice_outcomes
"""
LABELS = """
SELECT q.id, array_agg(e.label || ' ' || e.reason) FROM voice_queries AS q
LEFT JOIN voice_evaluations AS e ON e.query_id = q.id GROUP BY q.id
"""


def audited(url: str, ledger: Ledger) -> dict[str, int]:
    """Compare the rows with what was told; every number but the first four has to be 0."""
    with psycopg.connect(url, autocommit=True) as connection:
        stored = {
            "voice_query": connection.execute(QUERIES).fetchall(),
            "voice_outcome": connection.execute(OUTCOMES).fetchall(),
            "voice_conversion": connection.execute("SELECT id, value FROM voice_conversions").fetchall(),
        }
        labels = connection.execute(LABELS).fetchall()
        history = Counter(
            id for (id,) in connection.execute("SELECT query_id FROM voice_evaluation_history").fetchall()
        )
        queue, failed = connection.execute("SELECT count(*), count(failed_at) FROM evaluation_queue").fetchone() or (
            0,
            0,
        )
    too_often, too_seldom = ledger.miscounted()
    expected = {id: content_of(one) for id, one in ledger.interactions.items()}
    late = {one.id for one in ledger.interactions.values() if not one.was_prompt(GRACE_S * 1000)}
    return {
        "events acknowledged": len(ledger.acknowledged),
        "rows": sum(map(len, stored.values())),
        "answers lost or refused": ledger.lost_answers,
        "outcomes after their grace": len(late),
        "acknowledged and lost": sum(
            len(ids - {row[0] for row in stored[kind]}) for kind, ids in by_kind(ledger.acknowledged).items()
        ),
        "stored twice": sum(len(rows) - len({row[0] for row in rows}) for rows in stored.values()),
        "stored with other content": _altered(stored, expected),
        "called new too often": too_often,
        "called new too seldom": too_seldom,
        "not labelled once": sum(len(found) != 1 or found[0] is None for _, found in labels),
        "labelled wrongly": sum(
            found[0] != f"{ledger.interactions[id].label} {ledger.interactions[id].reason}" for id, found in labels
        ),
        "labelled again though nothing came late": sum(count for id, count in history.items() if id not in late),
        "labelled more than twice": sum(count > 1 for count in history.values()),
        "left in the queue": queue - failed,
        "failed to be labelled": failed,
    }


def _altered(stored: dict[str, list[tuple[Any, ...]]], expected: dict[str, dict[str, tuple[Any, ...]]]) -> int:
    return sum(
        not same(list(cells), list(expected[id][kind]))
        for kind in ("voice_query", "voice_outcome")
        for id, *cells in stored[kind]
    )


def differing(url: str, stores: Sequence[str], ask: Any) -> list[str]:
    """Ask a server everything, and name what isn't what plain SQL says.

    Args:
        url: of the row database.
        stores: that are asked for by themselves, besides all together.
        ask: gives the answer of an endpoint for parameters.
    """
    recount = Recount(url)
    wrong = []
    for store in (None, *stores):
        for path, expected in recount.answers(store).items():
            found = shown(path, ask(path, parameters_of(path, store)))
            if not same(found, expected):
                wrong.append(f"{path} of {store or 'all'}: {_difference(found, expected)}")
    return wrong


def _difference(found: Any, expected: Any) -> str:
    if isinstance(found, list) and isinstance(expected, list):
        apart = [(one, other) for one, other in zip(found, expected, strict=False) if not same(one, other)]
        return f"{len(found)} rows, not {len(expected)}; {apart[:1]}"
    names = [name for name in found if not same(found.get(name), expected.get(name))]
    return str({name: (found.get(name), expected.get(name)) for name in names})


def ahead(connection: psycopg.Connection) -> int:
    """Count the followers that have come as far as the feed goes."""
    sql = "SELECT count(*) FROM change_followers WHERE position >= (SELECT max(CAST(CAST(xid AS text) AS bigint)) FROM change_feed)"
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0
