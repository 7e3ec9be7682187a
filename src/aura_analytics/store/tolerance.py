"""Records from rows. What others have written to the database may be of any type in any column.

What is no value of its column counts as absent, so that whoever works with a record never meets it.
"""

from typing import Any

import msgspec

from aura_analytics.events.records import Extra, Interaction, Verdict, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.store.queries import Row


def interaction_of(row: Row) -> Interaction:
    """Read a row of `claimed`."""
    query = VoiceQuery(
        id=row[0],
        store_id=text_of(row[1]) or "",
        session_id=text_of(row[2]),
        user_id=text_of(row[3]),
        created_at=moment_of(row[4]),
        received_at=moment_of(row[4]),
        query_text=text_of(row[5]) or "",
        query_source=row[6],
        transcription_conf=number_of(row[7]),
        audio_duration_ms=number_of(row[8]),
        intent=text_of(row[9]),
        fast_path=bool(_flag_of(row[10])),
    )
    if row[11] is None:
        return Interaction(query=query)
    return Interaction(query=query, outcome=_outcome_of(row))


def _outcome_of(row: Row) -> VoiceOutcome:
    return VoiceOutcome(
        query_id=row[0],
        occurred_at=moment_of(row[4]),
        received_at=moment_of(row[4]),
        answer_text=text_of(row[12]),
        model_name=text_of(row[13]),
        latency_ms=number_of(row[14]),
        tokens_prompt=number_of(row[15]),
        tokens_completion=number_of(row[16]),
        tokens_total=number_of(row[17]),
        cost_usd=number_of(row[18]),
        action_taken=text_of(row[19]),
        action_success=_flag_of(row[20]),
        error_flag=_flag_of(row[21]),
        error_message=text_of(row[22]),
        tool_calls=_list_of(text_of(row[23])),
    )


def moment_of(value: Any) -> int:
    """Read a moment; a fraction loses its part of a millisecond, and what no 64 bits hold is none."""
    number = number_of(value)
    return round(number) if number is not None and abs(number) < 2**63 else 0


def verdict_of(row: Row) -> Verdict:
    """Read a row of `verdict` or `history`; a label from before methods were noted has none."""
    return Verdict(
        query_id=row[0],
        label=row[1],
        reason=text_of(row[2]) or "",
        confidence=number_of(row[3]) or 0.0,
        evaluated_at=moment_of(row[4]),
        evaluated_by="human" if row[5] == "human" else "auto",
        method=text_of(row[6]) or "",
        explanation=text_of(row[7]),
        rubric=text_of(row[8]),
        tokens_prompt=number_of(row[9]),
        tokens_completion=number_of(row[10]),
        cost_usd=number_of(row[11]),
        duration_ms=number_of(row[12]),
    )


def conversion_of(row: Row) -> VoiceConversion:
    """Read a row of `of_query`."""
    occurred_at = moment_of(row[4])
    return VoiceConversion(
        id=row[0],
        query_id=text_of(row[1]),
        session_id=text_of(row[2]),
        store_id=text_of(row[3]),
        occurred_at=occurred_at,
        received_at=number_of(row[5]) or occurred_at,
        value=number_of(row[6]),
        currency=text_of(row[7]),
        order_id=text_of(row[8]),
        correlation_id=text_of(row[9]),
        extra=extra_of(row[10]),
    )


def number_of(value: Any) -> Any:
    """Read a number."""
    return value if isinstance(value, int | float) else None


def text_of(value: Any) -> str | None:
    """Read a text."""
    return value if isinstance(value, str) else None


def extra_of(value: Any) -> Extra | None:
    """Read the caller's own fields."""
    try:
        return msgspec.json.decode(value, type=Extra) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def _flag_of(value: Any) -> bool | None:
    return bool(value) if isinstance(value, int | float) else None


def _list_of(text: str | None) -> list[object] | None:
    """Read a list of tool calls; what an older worker wrote may be any text."""
    try:
        value = None if text is None else msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return [text]
    return value if value is None or isinstance(value, list) else [value]
