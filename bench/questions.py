"""What is asked, as data: the endpoint's name and parameters, and the same in SQL for those that are compared with it.

The SQL is one text for all engines; what differs between them stands in `DIALECTS`.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
TEXT = "watering"

SUCCESSFUL = "action_success = 1"
FAILED = "(action_success = 0 OR error_flag = 1)"
MISSED = f"({FAILED} OR label IN ('BAD', 'REVIEW') OR NOT {{answered}})"
FIGURES = f"""count(*) AS n, count(*) FILTER (WHERE {SUCCESSFUL}), count(*) FILTER (WHERE {FAILED}),
       count(DISTINCT session_id), avg(latency_ms), sum(cost_usd)"""

SUMMARY = f"SELECT {FIGURES}, count(*) FILTER (WHERE {MISSED}) FROM {{rows}} WHERE {{where}}"
BY_HOUR = f"SELECT {{hour}} AS hour, {FIGURES} FROM {{rows}} WHERE {{where}} GROUP BY 1 ORDER BY 1 DESC"
SUMS = f"""count(*) AS n, count(*) FILTER (WHERE {SUCCESSFUL}), count(*) FILTER (WHERE {FAILED}), avg(latency_ms),
       sum(cost_usd)"""
BY_DAY = f"SELECT {{day}} AS step, {SUMS} FROM {{rows}} WHERE {{where}} GROUP BY 1 ORDER BY 1"
HOUR_BY_HOUR = BY_DAY.replace("{day}", "{hour}")
BY_DAY_AND_INTENT = f"SELECT {{day}} AS day, intent, {SUMS} FROM {{rows}} WHERE {{where}} GROUP BY 1, 2 ORDER BY 1, 2"
SESSIONS_BY_DAY = "SELECT {day} AS day, count(DISTINCT session_id) FROM {rows} WHERE {where} GROUP BY 1 ORDER BY 1"
BY_INTENT = f"SELECT intent, {FIGURES} FROM {{rows}} WHERE {{where}} GROUP BY 1 ORDER BY 1"
BY_STORE = f"SELECT store_id, {FIGURES} FROM {{rows}} WHERE {{where}} GROUP BY 1 ORDER BY n DESC, 1"
TOP_QUERIES = f"""
SELECT query_text, intent, count(*) AS n, count(*) FILTER (WHERE {SUCCESSFUL}), avg(latency_ms)
FROM {{rows}} WHERE {{where}} GROUP BY 1, 2 ORDER BY n DESC, 1, 2 LIMIT 20
"""
UNANSWERED = f"""
SELECT query_text, intent, count(*) AS n, max(created_at) AS seen, max(error_flag = 1), max(action_success = 0),
       max(label = 'BAD'), max(label = 'REVIEW'), max(latency_ms > 8000), max(NOT {{answered}})
FROM {{rows}} WHERE {{where}} AND ({MISSED} OR latency_ms > 8000)
GROUP BY 1, 2 ORDER BY n DESC, seen DESC, 1, 2 LIMIT 20
"""
FOUND = """
SELECT id, created_at, store_id, session_id, query_text, answer_text, intent, latency_ms, label
FROM {rows} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT 50
"""
LATENCY = """
SELECT count(latency_ms), {quantile} FROM {rows} WHERE {where}
"""
LATENCY_BY_RANK = """
WITH ranked AS (
    SELECT latency_ms, row_number() OVER (ORDER BY latency_ms) AS rank, count(*) OVER () AS n
    FROM {rows} WHERE {where} AND latency_ms IS NOT NULL
)
SELECT max(n), min(latency_ms) FILTER (WHERE rank >= 0.5 * n), min(latency_ms) FILTER (WHERE rank >= 0.9 * n),
       min(latency_ms) FILTER (WHERE rank >= 0.95 * n), min(latency_ms) FILTER (WHERE rank >= 0.99 * n)
FROM ranked
"""
SESSIONS = """
SELECT count(*), sum(turns), count(*) FILTER (WHERE turns = 1), avg(lasted)
FROM (
    SELECT session_id, count(*) AS turns, max(created_at) - min(created_at) AS lasted
    FROM {rows} WHERE {where} AND session_id IS NOT NULL GROUP BY 1
) AS sessions
"""

DIALECTS = {
    "sqlite": {
        "rows": "voice_queries LEFT JOIN voice_outcomes ON voice_outcomes.query_id = voice_queries.id"
        " LEFT JOIN voice_evaluations ON voice_evaluations.query_id = voice_queries.id",
        "answered": "(voice_outcomes.query_id IS NOT NULL)",
        "hour": f"created_at / {HOUR_MS}",
        "day": f"created_at / {DAY_MS}",
        "like": "LIKE",
    },
    "duckdb": {
        "rows": "interactions",
        "answered": "answered",
        "hour": f"created_at // {HOUR_MS}",
        "day": f"created_at // {DAY_MS}",
        "like": "ILIKE",
        "quantile": "quantile_cont(latency_ms, [0.5, 0.9, 0.95, 0.99])",
    },
    "chdb": {
        "rows": "interactions",
        "answered": "answered",
        "hour": f"intDiv(created_at, {HOUR_MS})",
        "day": f"intDiv(created_at, {DAY_MS})",
        "like": "ILIKE",
        "quantile": "quantilesExactInclusive(0.5, 0.9, 0.95, 0.99)(latency_ms)",
    },
}

Rows = list[list[Any]]  # Any: cells


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A window, both ends included, and a store or all of them."""

    name: str
    store: str | None = None
    start: int
    end: int


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is asked of the server and of the engines.

    Args:
        read: gives of the server's answer what must equal the first `exact` columns of the SQL's rows.
    """

    name: str
    path: str
    parameters: dict[str, str] = {}
    sql: str
    own_sql: dict[str, str] = {}
    columns: tuple[int, ...] = ()
    read: Callable[[Any], Rows] | None = None
    only_all_stores: bool = False


def _summary(answer: Any) -> Rows:
    total = answer["totalQueries"]
    missed = round(answer["unansweredRate"] * total)
    return [[total, answer["successfulQueries"], answer["failedQueries"], answer["uniqueSessions"], missed]]


def _hours(answer: Any) -> Rows:
    return [
        [_epoch(hour["hour"]) // 3600, hour["queries"], hour["successes"], hour["failures"], hour["sessions"]]
        for hour in answer
    ]


def _epoch(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _top(answer: Any) -> Rows:
    return [[row["queryText"], row["intent"], row["count"]] for row in answer]


def _missed(answer: Any) -> Rows:
    return [[row["queryText"], row["intent"], row["occurrences"], row["lastSeen"]] for row in answer]


METRICS = "queries,successes,failures,latency_avg,cost"


def _points(answer: Any, unit_s: int) -> Iterator[tuple[str | None, int, Any]]:
    for series in answer["series"]:
        for point in series["points"]:
            yield series["split"], _epoch(point["at"]) // unit_s, point


def _days(answer: Any, unit_s: int = DAY_MS // 1000) -> Rows:
    return [[at, p["queries"], p["successes"], p["failures"]] for _, at, p in _points(answer, unit_s) if p["queries"]]


def _steps_by_hour(answer: Any) -> Rows:
    return _days(answer, HOUR_MS // 1000)


def _days_by_intent(answer: Any) -> Rows:
    rows = [
        [at, intent, p["queries"], p["successes"], p["failures"]]
        for intent, at, p in _points(answer, DAY_MS // 1000)
        if p["queries"]
    ]
    return sorted(rows, key=lambda row: (row[0], row[1]))


def _sessions_by_day(answer: Any) -> Rows:
    return [[at, point["sessions"]] for _, at, point in _points(answer, DAY_MS // 1000) if point["sessions"]]


def _found(answer: Any) -> Rows:
    return [[row["id"]] for row in answer["interactions"]]


QUESTIONS = (
    Question(name="summary", path="/stats/summary", sql=SUMMARY, columns=(0, 1, 2, 3, 6), read=_summary),
    Question(name="hourly", path="/stats/hourly", sql=BY_HOUR, columns=(0, 1, 2, 3, 4), read=_hours),
    Question(
        name="top queries",
        path="/stats/top-queries",
        parameters={"limit": "20"},
        sql=TOP_QUERIES,
        columns=(0, 1, 2),
        read=_top,
    ),
    Question(
        name="unanswered",
        path="/stats/unanswered",
        parameters={"limit": "20"},
        sql=UNANSWERED,
        columns=(0, 1, 2, 3),
        read=_missed,
    ),
    Question(
        name="timeseries by day",
        path="/stats/timeseries",
        parameters={"step": "day", "metric": METRICS},
        sql=BY_DAY,
        columns=(0, 1, 2, 3),
        read=_days,
    ),
    Question(
        name="timeseries by hour",
        path="/stats/timeseries",
        parameters={"step": "hour", "metric": METRICS},
        sql=HOUR_BY_HOUR,
        columns=(0, 1, 2, 3),
        read=_steps_by_hour,
    ),
    Question(
        name="timeseries by day, split by intent",
        path="/stats/timeseries",
        parameters={"step": "day", "metric": METRICS, "split": "intent", "top": "50"},
        sql=BY_DAY_AND_INTENT,
        columns=(0, 1, 2, 3, 4),
        read=_days_by_intent,
    ),
    Question(
        name="sessions by day",
        path="/stats/timeseries",
        parameters={"step": "day", "metric": "sessions"},
        sql=SESSIONS_BY_DAY,
        columns=(0, 1),
        read=_sessions_by_day,
    ),
    Question(
        name="search, 50 newest",
        path="/interactions",
        parameters={"text": TEXT, "limit": "50"},
        sql=FOUND,
        columns=(0,),
        read=_found,
    ),
    Question(
        name="search, summary",
        path="/stats/summary",
        parameters={"text": TEXT},
        sql=SUMMARY,
        columns=(0, 1, 2, 3, 6),
        read=_summary,
    ),
    Question(
        name="latency",
        path="/stats/latency",
        sql=LATENCY,
        own_sql={"sqlite": LATENCY_BY_RANK},
        columns=(0,),
    ),
    Question(name="intents", path="/stats/intents", sql=BY_INTENT, columns=(0, 1, 2, 3, 4)),
    Question(name="sessions", path="/stats/sessions", sql=SESSIONS, columns=(0, 1, 2)),
    Question(name="stores", path="/stats/stores", sql=BY_STORE, columns=(0, 1, 2, 3, 4), only_all_stores=True),
)


def asked(scopes: Mapping[str, Scope]) -> Iterator[tuple[str, Question, Scope]]:
    """Give every question in every scope that it makes sense in, with a name for both."""
    for question in QUESTIONS:
        for scope in scopes.values():
            if scope.store is None or not question.only_all_stores:
                yield f"{question.name} · {scope.name}", question, scope


def sql_of(question: Question, scope: Scope, engine: str) -> str:
    """Write a question in the words of an engine."""
    words = DIALECTS[engine]
    where = f"created_at BETWEEN {scope.start} AND {scope.end}"
    if scope.store is not None:
        where += f" AND store_id = '{scope.store}'"
    if text := question.parameters.get("text"):
        where += f" AND query_text {words['like']} '%{text}%'"
    sql = question.own_sql.get(engine, question.sql)
    return sql.format_map({**words, "where": where})


def compared(question: Question, rows: Rows | None) -> Rows | None:
    """Give of an engine's rows what must be the same for all: counts, names and moments, no sums of fractions."""
    return None if rows is None else [[row[column] for column in question.columns] for row in rows]
