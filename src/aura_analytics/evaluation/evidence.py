"""The evidence: a case as the one JSON object that a judge is shown. No I/O.

Who spoke stays here. What leaves the house is what was said, answered and done. No text can look like more than a text:
what opens a tag or a model's own token is escaped, and so is every character that can't be seen.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from aura_analytics.evaluation.judgement import Case
from aura_analytics.events.records import Interaction, VoiceQuery

MAX_TEXT = 4_000  # characters of one field; a voice answer is far shorter, a longer one is judged by its beginning
MAX_TURN_TEXT = 500  # of a field of a previous turn, which only has to tell what is being talked about
MAX_TURNS = 20
MAX_MESSAGE = 32_000  # characters of it all, as they are sent

# Control and format characters (Cc, Cf, Zl, Zp), all that Unicode calls ignorable by default (zero-width, bidirectional,
# variation selectors, fillers, tags), private use, and halves of pairs.
HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)

# What a model's server, or a library on the way, might take for its own: <|im_start|>, </system>, [INST], [/INST].
_SPECIAL = re.compile(rf"<|\[(?=/?[A-Z]|gM)|{HIDDEN.pattern}")
_HALVES = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no text, and nothing that UTF-8 could hold

_OUTCOME_FIELDS = (
    "answer_text",
    "action_taken",
    "action_success",
    "error_flag",
    "error_message",
    "latency_ms",
    "tool_calls",
)

_PRIVATE_KEY = re.compile(
    r"(user|customer|session|account|device|store|shop)[_-]?id|e-?mail|phone|address|cookie|credential"
    r"|token|secret|passw|authori[sz]ation|api[_-]?key",
    re.IGNORECASE,
)
_NOTHING = re.compile(r"(?!)")
_TURNS = '"previous_turns":[],'  # what the turns take besides themselves
_SHORTEST_ID = 4  # a shorter one is more often an ordinary word or number than somebody's name
_DEEPEST_CALL = 6  # levels of a tool call that are shown; deeper ones say nothing about the answer


def describe(case: Case) -> str:
    """One JSON object of what was said, answered and done; not by whom, in which session or which store.

    At most `MAX_MESSAGE` characters: what is too long for it loses its oldest turns, then its longest texts.
    """
    previous = tuple(case.previous)[-MAX_TURNS:]
    ids = _identifiers(one.query for one in (case.interaction, *previous))
    turns = [_shown(_turn(one), ids, MAX_TURN_TEXT) for one in previous]
    return _fitting(_facts(case.interaction), turns, ids)


def clean(text: str, longest: int) -> str:
    """Give a text for people as one line of at most so many characters, without any that can't be seen."""
    return _cut(" ".join(HIDDEN.sub(" ", text).split()), longest)


def _fitting(facts: Mapping[str, object], turns: list[dict[str, object]], ids: re.Pattern[str]) -> str:
    """The message, of as much as it may hold: texts that are short enough, and the nearest turns that there is room for."""
    limit, shown = MAX_TEXT, _shown(facts, ids, MAX_TEXT)
    while (room := MAX_MESSAGE - len(_TURNS) - len(_encoded(shown))) < 0:
        # An escaped character takes up to twelve, so that texts full of them have to be shorter than the others.
        limit //= 2
        shown = _shown(facts, ids, limit)
    kept: list[msgspec.Raw] = []
    for turn in map(_encoded, reversed(turns)):
        room -= len(turn) + 1
        if room < 0:
            break
        kept.append(msgspec.Raw(turn.encode()))
    return _encoded(({"previous_turns": kept[::-1]} if turns else {}) | shown)


def _encoded(evidence: object) -> str:
    return _SPECIAL.sub(_escaped, msgspec.json.encode(evidence).decode())


def _escaped(found: re.Match[str]) -> str:
    """The character as JSON spells it in ASCII. All that is looked for stands inside of texts only."""
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _facts(interaction: Interaction) -> dict[str, object]:
    query, outcome = interaction.query, interaction.outcome
    said: dict[str, object] = {
        "query_text": query.query_text,
        "transcription_conf": query.transcription_conf,
        "intent": query.intent,
        "outcome_recorded": outcome is not None,
    }
    return said | {name: getattr(outcome, name) for name in _OUTCOME_FIELDS if outcome is not None}


def _turn(interaction: Interaction) -> dict[str, object]:
    outcome = interaction.outcome
    return {
        "query_text": interaction.query.query_text,
        "answer_text": outcome and outcome.answer_text,
        "intent": interaction.query.intent,
        "action_taken": outcome and outcome.action_taken,
        "action_success": outcome and outcome.action_success,
    }


def _identifiers(queries: Iterable[VoiceQuery]) -> re.Pattern[str]:
    """What finds the ids of persons, sessions and stores; the longest first, since one may begin with another."""
    ids = {one for query in queries for one in (query.user_id, query.session_id, _unlike_a_word(query.store_id))}
    found = sorted((one for one in ids if one and len(one) >= _SHORTEST_ID), key=lambda one: (-len(one), one))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, found))})(?!\w)") if found else _NOTHING


def _unlike_a_word(store_id: str) -> str | None:
    """A store may be called "bakery"; taken out of what is said there, nothing could be judged any more."""
    return None if store_id.isalpha() else store_id


def _shown(facts: Mapping[str, object], ids: re.Pattern[str], limit: int) -> dict[str, object]:
    return {name: _shown_value(value, ids, limit) for name, value in facts.items()}


def _shown_value(value: object, ids: re.Pattern[str], limit: int) -> object:
    match value:
        case str():
            return _cut(_masked(value, ids), limit)
        case list():
            calls = _anonymous(value, ids)
            text = msgspec.json.encode(calls).decode()
            return calls if len(text) <= limit else _cut(text, limit)
        case _:
            return value


def _anonymous(value: Any, ids: re.Pattern[str], depth: int = 0) -> Any:  # Any: whatever JSON the tools have
    """A tool's call without the keys that name a person or a secret; arguments may be JSON inside of a string."""
    if depth > _DEEPEST_CALL:
        return "…"
    match value:
        case dict():
            kept = {str(key): inner for key, inner in value.items() if not _PRIVATE_KEY.search(str(key))}
            return {_masked(key, ids): _anonymous(inner, ids, depth + 1) for key, inner in kept.items()}
        case list():
            return [_anonymous(inner, ids, depth + 1) for inner in value]
        case str():
            parsed = _parsed(value)
            return _masked(value, ids) if parsed is None else _anonymous(parsed, ids, depth)
        case int() if ids.fullmatch(str(value)):
            return "[id]"
        case _:
            return value


def _parsed(text: str) -> Any:  # Any: as above; None where the text is no JSON object or list
    try:
        return msgspec.json.decode(text) if text.startswith(("{", "[")) else None
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _masked(text: str, ids: re.Pattern[str]) -> str:
    return ids.sub("[id]", _HALVES.sub("\ufffd", text))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
