"""What `aura_analytics.projection.turns` says in SQL, said again in Python, to hold one against the other."""

import re

import msgspec

from aura_analytics.projection.turns import (
    COMPARED_CHARACTERS,
    FILLERS,
    HEARD_WRONG_BELOW,
    NO_INTENT,
    REPHRASE_GAP_MS,
    SLOW_MS,
)

NO_WORD = re.compile(
    "[\\x00-/:-@\\[-`{-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u060c\u061b\u061f\u0640\u06d4"
    "\u0964\u0965\u1680\u2000-\u206f\u3000-\u303f\ufeff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+"
)
CHARACTER_IS_WORD = re.compile("([\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")
HEARD_WRONG = {
    "poor_transcription",
    "query_too_short",
    "low_transcription_confidence",
    "very_low_transcription_confidence",
}


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that decide, as they lie in the wide table."""

    session_id: str | None = "s"
    created_at: int = 0
    query_text: str = ""
    intent: str | None = None
    transcription_conf: float | None = None
    has_outcome: bool = True
    latency_ms: float | None = None
    action_taken: str | None = None
    action_success: bool | None = None
    error_flag: bool | None = None
    label: str | None = None
    reason: str | None = None
    next_text: str | None = None
    next_intent: str | None = None
    next_at: int | None = None


def lower(text: str) -> str:
    """Lower each character by itself; a dotted capital I becomes a plain i, as in DuckDB."""
    return "".join("i" if one == "\u0130" else one.lower() for one in text)


def normalised(text: str) -> str:
    return NO_WORD.sub(" ", CHARACTER_IS_WORD.sub(r" \1 ", lower(text[:COMPARED_CHARACTERS]))).strip(" ")


def words(text: str) -> list[str]:
    return [word for word in normalised(text).split(" ") if word and word not in FILLERS]


def known(intent: str | None) -> bool:
    return intent is not None and lower(intent) not in NO_INTENT


def follows(turn: Turn) -> bool:
    return (
        turn.session_id is not None and turn.next_at is not None and turn.next_at - turn.created_at <= REPHRASE_GAP_MS
    )


def same_words(turn: Turn) -> bool:
    return turn.next_text is not None and normalised(turn.query_text) == normalised(turn.next_text)


def is_repeated(turn: Turn) -> bool:
    return follows(turn) and same_words(turn) and normalised(turn.query_text) != ""


def is_rephrased(turn: Turn) -> bool:
    if not follows(turn) or turn.next_text is None or same_words(turn):
        return False
    if known(turn.intent) and known(turn.next_intent) and turn.intent != turn.next_intent:
        return False
    said, then = words(turn.query_text), words(turn.next_text)
    shared = sum(word in then for word in said) + sum(word in said for word in then)
    return bool(said) and 2 * shared >= len(said) + len(then)


def cause(turn: Turn) -> str:
    heard_wrong = turn.transcription_conf is not None and turn.transcription_conf < HEARD_WRONG_BELOW
    if heard_wrong or turn.reason in HEARD_WRONG:
        return "heard_wrong"
    if understood_wrong(turn):
        return "understood_wrong"
    failed = turn.action_success is False or turn.reason in {"failed_action", "error_occurred", "action_failed"}
    if turn.error_flag or failed:
        return "did_wrong"
    if turn.latency_ms is not None and turn.latency_ms > SLOW_MS:
        return "too_slow"
    return "no_answer" if not turn.has_outcome or turn.reason == "no_answer" else "answered_badly"


def understood_wrong(turn: Turn) -> bool:
    return (
        (turn.intent is not None and not known(turn.intent))
        or (turn.action_taken is not None and lower(turn.action_taken) == "fallback")
        or turn.reason in {"wrong_intent", "unclear_request"}
        or (is_rephrased(turn) and not known(turn.intent) and known(turn.next_intent))
    )
