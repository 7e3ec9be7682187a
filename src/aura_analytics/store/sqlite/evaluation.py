"""The work queue of the evaluation: claims, verdicts, and what rests. Each function runs in a write transaction."""

import sqlite3
from collections.abc import Sequence

import msgspec
from ulid import ULID

from aura_analytics.events.records import Interaction, Verdict, VoiceOutcome, VoiceQuery
from aura_analytics.store import queries
from aura_analytics.store.port import Claim
from aura_analytics.store.sqlite.append import Row, publish

SQL = queries.load("evaluation")


def claim_due(connection: sqlite3.Connection, limit: int, *, now: int, lease_ms: int) -> list[Claim]:
    """Claim what is due; see `Store.claim_due`."""
    lease = str(ULID())
    parameters = {"now": now, "limit": limit, "lease": lease, "lease_until": now + lease_ms}
    attempts: dict[str, int] = dict(connection.execute(SQL["claim_due"], parameters).fetchall())
    if not attempts:
        return []
    keys = msgspec.json.encode(list(attempts)).decode()
    rows = connection.execute(SQL["claimed"], (keys,)).fetchall()
    if len(rows) < len(attempts):
        connection.execute(SQL["drop_orphans"], (lease,))
    return [Claim(interaction=_interaction(row), lease=lease, attempts=attempts[row[0]]) for row in rows]


def settle(connection: sqlite3.Connection, verdicts: Sequence[tuple[Claim, Verdict]], *, now: int) -> int:
    """Store verdicts and remove their work; see `Store.settle`."""
    kept = []
    for claim, verdict in verdicts:
        if connection.execute(SQL["finish"], (claim.query_id, claim.lease)).fetchone() is None:
            continue
        connection.execute(
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
        kept.append(verdict.query_id)
    publish(connection, kept, now=now)
    return len(kept)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _interaction(row: Row) -> Interaction:
    query = VoiceQuery(
        id=row[0],
        store_id=row[1],
        session_id=row[2],
        user_id=row[3],
        created_at=row[4],
        received_at=row[4],
        query_text=row[5],
        query_source=row[6],
        transcription_conf=row[7],
        audio_duration_ms=row[8],
        intent=row[9],
        fast_path=bool(row[10]),
    )
    if row[11] is None:
        return Interaction(query=query)
    return Interaction(query=query, outcome=_outcome(row))


def _outcome(row: Row) -> VoiceOutcome:
    return VoiceOutcome(
        query_id=row[0],
        occurred_at=row[4],
        received_at=row[4],
        answer_text=row[12],
        model_name=row[13],
        latency_ms=row[14],
        tokens_prompt=row[15],
        tokens_completion=row[16],
        tokens_total=row[17],
        cost_usd=row[18],
        action_taken=row[19],
        action_success=_flag(row[20]),
        error_flag=_flag(row[21]),
        error_message=row[22],
        tool_calls=_list(row[23]),
    )


def _list(text: str | None) -> list[object] | None:
    """Read a list of tool calls; what an older worker wrote may be any text."""
    try:
        value = None if text is None else msgspec.json.decode(text)
    except msgspec.DecodeError:
        return [text]
    return value if value is None or isinstance(value, list) else [value]
