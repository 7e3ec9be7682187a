"""The work queue of the evaluation: claims, verdicts, and what rests. Each function runs in a write transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from ulid import ULID

from aura_analytics.events.records import Interaction, Verdict, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.port import Claim
from aura_analytics.store.sqlite.append import Row, publish
from aura_analytics.store.sqlite.connection import fetch

SQL = queries.load("evaluation")


def claim_due(connection: sqlite3.Connection, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`."""
    lease = str(ULID())
    parameters = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    attempts: dict[str, int] = dict(connection.execute(SQL["claim_due"], parameters).fetchall())
    if not attempts:
        return []
    keys = msgspec.json.encode(list(attempts)).decode()
    rows = fetch(connection, SQL["claimed"], (keys,))
    if len(rows) < len(attempts):
        connection.execute(SQL["drop_orphans"], (lease,))
    return [Claim(interaction=_interaction(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


def settle(connection: sqlite3.Connection, verdicts: Sequence[tuple[Claim, Verdict]], *, now: int) -> int:
    """Store verdicts and remove their work; see `Store.settle`."""
    kept: list[str] = []
    for claim, verdict in verdicts:
        if connection.execute(SQL["finish"], (claim.query_id, claim.lease)).fetchone() is None:
            continue
        saved = connection.execute(
            SQL["save_verdict"],
            (
                verdict.query_id,
                verdict.label,
                verdict.reason,
                verdict.confidence,
                verdict.evaluated_at,
                verdict.evaluated_by,
                verdict.method,
                verdict.explanation,
            ),
        )
        if saved.rowcount:  # a person's label stays as it is
            kept.append(verdict.query_id)
    publish(connection, kept, now=now)
    return len(kept)


# What others have written to the file may be of any type in any column; what is no value of its column counts as absent.


def _flag(value: Any) -> bool | None:
    return bool(value) if isinstance(value, int | float) else None


def _number(value: Any) -> Any:
    return value if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _interaction(row: Row) -> Interaction:
    query = VoiceQuery(
        id=row[0],
        store_id=row[1],
        session_id=_text(row[2]),
        user_id=_text(row[3]),
        created_at=_number(row[4]) or 0,
        received_at=_number(row[4]) or 0,
        query_text=_text(row[5]) or "",
        query_source=row[6],
        transcription_conf=_number(row[7]),
        audio_duration_ms=_number(row[8]),
        intent=_text(row[9]),
        fast_path=bool(_flag(row[10])),
    )
    if row[11] is None:
        return Interaction(query=query)
    return Interaction(query=query, outcome=_outcome(row))


def _outcome(row: Row) -> VoiceOutcome:
    return VoiceOutcome(
        query_id=row[0],
        occurred_at=_number(row[4]) or 0,
        received_at=_number(row[4]) or 0,
        answer_text=_text(row[12]),
        model_name=_text(row[13]),
        latency_ms=_number(row[14]),
        tokens_prompt=_number(row[15]),
        tokens_completion=_number(row[16]),
        tokens_total=_number(row[17]),
        cost_usd=_number(row[18]),
        action_taken=_text(row[19]),
        action_success=_flag(row[20]),
        error_flag=_flag(row[21]),
        error_message=_text(row[22]),
        tool_calls=_list(_text(row[23])),
    )


def _list(text: str | None) -> list[object] | None:
    """Read a list of tool calls; what an older worker wrote may be any text."""
    try:
        value = None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [text]
    return value if value is None or isinstance(value, list) else [value]
