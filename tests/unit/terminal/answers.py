"""Answers as the endpoints give them, texts that mean harm, and what a terminal shows of either."""

import io
from typing import Any

from rich.console import Console, RenderableType

# Any, throughout: the endpoints' JSON.
Row = dict[str, Any]
MOMENT = 1_704_110_400_000
HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "two\nlines",
    "over\rwritten",
    "\x08\x08\x08erased",
    "[red]markup[/red]",
    "[/]",
    "[/red]",
    "[link=a:b]here[/link]",
    "[",
    "\\[red]",
    ":apple:",
    "\u202ereversed",
    "\u2028",
    "nul\0",
    "\ud83d",
)

LABELS = {"GOOD": 9_000, "REVIEW": 300, "BAD": 45, "unlabelled": 3_000}
SUMMARY: Row = {
    "storeId": "shop",
    "period": "24h",
    "totalQueries": 12_345,
    "successfulQueries": 9_876,
    "failedQueries": 123,
    "unansweredRate": 0.0526,
    "averageLatencyMs": 1234.5678,
    "p50LatencyMs": 812.0,
    "p95LatencyMs": 4_000.0,
    "p99LatencyMs": 9_000.0,
    "totalCostUsd": 1234.56789,
    "costPerSuccessfulQueryUsd": 0.125,
    "totalTokens": 1_000_000,
    "promptTokens": 900_000,
    "completionTokens": 100_000,
    "uniqueSessions": 4_321,
    "conversionRate": 0.8,
    "labels": LABELS,
    "evaluationQueue": {"due": 5, "waiting": 2, "failed": 1},
    "from": MOMENT,
    "to": None,
}
LATENCY: Row = {
    "storeId": "shop",
    "period": "7d",
    "count": 4,
    "averageLatencyMs": 1_000.0,
    "minLatencyMs": 90.0,
    "maxLatencyMs": 2_000.0,
    "p50LatencyMs": 800.0,
    "p75LatencyMs": 900.0,
    "p90LatencyMs": 2_000.0,
    "p95LatencyMs": 2_000.0,
    "p99LatencyMs": 2_000.0,
    "histogram": [{"from": 500.0, "below": 1_000.0, "count": 3}, {"from": 2_000.0, "below": 5_000.0, "count": 1}],
}
SESSIONS: Row = {
    "storeId": "shop",
    "period": "7d",
    "sessions": 10,
    "successfulSessions": 6,
    "abandonedSessions": 4,
    "successShare": 0.6,
    "abandonedShare": 0.4,
    "singleTurnShare": 0.5,
    "averageTurns": 2.25,
    "p50Turns": 2,
    "p95Turns": 60,
    "maxTurns": 60,
    "averageLengthMs": 30_000.0,
    "p50LengthMs": 20_000,
    "p95LengthMs": 600_000,
    "turns": [
        {"from": 1, "below": 2, "count": 5},
        {"from": 6, "below": 11, "count": 4},
        {"from": 51, "below": None, "count": 1},
    ],
}
QUALITY: Row = {
    "storeId": "shop",
    "period": "7d",
    "labels": LABELS,
    "quality": 0.9631,
    "reasons": [{"label": "BAD", "reason": "wrong_intent", "evaluatedBy": "auto", "count": 45, "share": 0.0048}],
    "step": "day",
    "tz": "UTC",
    "series": [
        {"at": "2024-01-01T00:00:00+00:00", "queries": 2, "good": 1, "review": 1, "bad": 0, "quality": 0.5},
        {"at": "2024-01-02T00:00:00+00:00", "queries": 0, "good": 0, "review": 0, "bad": 0, "quality": None},
    ],
}
REVENUE = [{"currency": "EUR", "value": 89.9, "conversions": 1}, {"currency": None, "value": 5.0, "conversions": 1}]
CONVERSIONS: Row = {
    "storeId": "shop",
    "period": "7d",
    "queries": 40,
    "conversions": 2,
    "convertedQueries": 2,
    "conversionRate": 0.05,
    "revenue": REVENUE,
    "unattributed": 3,
    "byIntent": [
        {
            "intent": "find",
            "queries": 30,
            "conversions": 2,
            "convertedQueries": 2,
            "conversionRate": 0.0667,
            "revenue": REVENUE,
        },
        {"intent": "faq", "queries": 10, "conversions": 0, "convertedQueries": 0, "conversionRate": 0.0, "revenue": []},
    ],
}
TOP: Row = {"queryText": "red apples", "intent": "find", "count": 1_234, "avgLatencyMs": 812.4, "successRate": 97.53}
UNANSWERED: Row = {
    "queryText": "red apples",
    "intent": "find",
    "occurrences": 1_234,
    "lastSeen": MOMENT,
    "reasons": ["error", "slow_response"],
}
HOUR: Row = {
    "hour": "2024-01-01T12:00:00Z",
    "queries": 1_234,
    "successes": 1_000,
    "failures": 34,
    "avgLatencyMs": 812.4,
    "costUsd": 0.12345,
    "sessions": 99,
}
GROUP: Row = {
    "intent": "find",
    "modelName": "find",
    "storeId": "find",
    "queries": 1_234,
    "successRate": 97.53,
    "unansweredRate": 0.05,
    "p95LatencyMs": 812.4,
    "costUsd": 0.12345,
    "quality": 0.75,
    "conversionRate": 0.02,
}
DATASET: Row = {
    "prompt": "red apples",
    "completion": "Aisle 3.",
    "store_id": "shop",
    "intent": "find",
    "model_name": "m",
    "action_taken": "FIND",
    "created_at": MOMENT,
}
INTERACTION: Row = {
    "createdAt": MOMENT,
    "queryText": "red apples",
    "intent": "find",
    "latencyMs": 812.4,
    "label": "GOOD",
    "id": "q-1",
}
FAILED: Row = {"query_id": "q-1", "attempts": 5, "last_error": "the model gave no verdict", "failed_at": MOMENT}
DIFFERENCE: Row = {"query_id": "q-1", "column": "latency_ms", "in_rows": 812, "in_columns": None}

POINTS = [
    {"at": "2024-01-01T00:00:00+00:00", "queries": 2, "success_rate": 0.5, "revenue": {"EUR": 10.0, "USD": 4.0}},
    {"at": "2024-01-02T00:00:00+00:00", "queries": 8, "success_rate": None, "revenue": {}},
]
TIMESERIES: Row = {
    "step": "day",
    "tz": "UTC",
    "metrics": ["queries", "success_rate", "revenue"],
    "series": [{"split": None, "other": False, "points": POINTS}],
}
CAUSES: Row = {
    "storeId": "shop",
    "period": "7d",
    "queries": 100,
    "broken": 30,
    "rate": 0.3,
    "causes": [
        {"cause": "heard_wrong", "count": 20, "share": 0.6667, "rate": 0.2},
        {"cause": "did_wrong", "count": 10, "share": 0.3333, "rate": 0.1},
    ],
    "split": "store",
    "parts": [
        {
            **dict.fromkeys(("heardWrong", "understoodWrong", "didWrong", "tooSlow", "noAnswer", "answeredBadly"), 5),
            "queries": 100,
            "broken": 30,
            "value": "shop",
        }
    ],
    "steps": [
        {
            **dict.fromkeys(("heardWrong", "understoodWrong", "didWrong", "tooSlow", "noAnswer", "answeredBadly"), 5),
            "start": "2024-01-01T00:00:00+00:00",
        }
    ],
    "examples": [{"cause": "heard_wrong", "queryText": "rad apples", "answerText": "Sorry?", "id": "q-1"}],
}
REPHRASINGS: Row = {
    "storeId": "shop",
    "period": "7d",
    "queries": 1_000,
    "rephrased": 20,
    "repeated": 10,
    "rate": 0.02,
    "repeatedRate": 0.01,
    "intents": [{"intent": "find", "queries": 400, "rephrased": 20, "repeated": 3, "rate": 0.05}],
    "examples": [
        {"queryText": "red apples", "nextText": "apples that are red", "gapMs": 12_000, "count": 3, "intent": "find"}
    ],
}
DEMAND: Row = {
    "storeId": "shop",
    "period": "7d",
    "unanswered": 40,
    "topics": [
        {
            "name": "gift wrapping",
            "volume": 12,
            "texts": 3,
            "trend": 0.5,
            "stores": [{"storeId": "shop", "count": 12}],
            "examples": [
                {"queryText": "gift wrapping", "count": 8},
                {"queryText": "wrap it as a gift", "count": 4},
            ],
            "moneyAtStake": [{"currency": "EUR", "value": 71.5}],
        }
    ],
}
TERM: Row = {"term": "gift", "count": 12, "weight": 5.0}
SYNONYM: Row = {"said": "sneakers", "known": "trainers", "places": 3, "count": 9}
VERDICT: Row = {
    "evaluatedAt": MOMENT,
    "label": "BAD",
    "reason": "wrong_intent",
    "confidence": 0.9,
    "method": "rules",
    "explanation": "It asked for apples.",
    "rubric": None,
    "tokensPrompt": None,
    "tokensCompletion": None,
    "costUsd": None,
    "durationMs": None,
}
BY_MODEL: Row = VERDICT | {
    "label": "REVIEW",
    "method": "google:gemini-2.5-flash-lite",
    "rubric": "voice-shopping@0123456789ab",
    "tokensPrompt": 1_234,
    "tokensCompletion": 56,
    "costUsd": 0.000146,
    "durationMs": 734.5,
}
TURN: Row = {
    "id": "q-1",
    "createdAt": MOMENT,
    "queryText": "red apples",
    "answerText": "Aisle 3.",
    "latencyMs": 812.4,
    "label": "BAD",
}
DETAILS: Row = {
    "query": {
        "id": "q-1",
        "storeId": "shop",
        "sessionId": "s-1",
        "userId": "u-1",
        "createdAt": MOMENT,
        "queryText": "red apples",
        "querySource": "voice",
        "transcriptionConfidence": 0.9,
        "audioDurationMs": 1_200,
        "intent": "find",
        "extra": {"device": "kiosk"},
    },
    "outcome": {
        "answerText": "Aisle 3.",
        "modelName": "m",
        "latencyMs": 812.4,
        "tokensPrompt": 1_000,
        "tokensCompletion": 20,
        "tokensTotal": None,
        "costUsd": 0.0002,
        "actionTaken": "FIND",
        "actionSuccess": False,
        "errorFlag": True,
        "errorMessage": "no such aisle",
        "toolCalls": ["search", {"name": "open"}],
        "extra": None,
    },
    "verdict": VERDICT,
    "history": [BY_MODEL],
    "conversions": [{"id": "c-1", "occurredAt": MOMENT, "value": 89.9, "currency": "EUR", "orderId": "o-1"}],
    "rephrased": True,
    "repeated": False,
    "saidAgain": TURN | {"queryText": "apples that are red"},
    "cause": "did_wrong",
    "turns": [TURN, TURN | {"id": "q-2", "queryText": "apples that are red"}],
}


def shown(table: RenderableType, *, width: int = 240) -> str:
    """What a table looks like where nothing is coloured: every escape sequence is somebody else's."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, color_system=None, legacy_windows=False).print(table)
    return file.getvalue()


def cells(table: RenderableType) -> list[list[str]]:
    """The cells of a table, without their borders."""
    return [line.split() for line in shown(table).splitlines() if line.strip("─━ ")]
