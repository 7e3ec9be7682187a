r"""Two turns of a conversation side by side: said again, said in other words; and where an interaction broke.

Everything here is SQL text over the wide table's columns and three more, which are NULL where a session has no next
turn: `next_text`, `next_intent` and `next_at`, the text, intent and moment of the turn that follows (`NEXT_TURN`).

    SELECT *, {IS_REPHRASED} AS rephrased
    FROM (
        SELECT *, lead(query_text) OVER turns AS next_text, lead(intent) OVER turns AS next_intent,
               lead(created_at) OVER turns AS next_at
        FROM interactions
        WINDOW turns AS ({NEXT_TURN})
    )

A turn is *rephrased* when the same wish follows in other words within `REPHRASE_GAP_MS`: the same intent (or one that
isn't known on either side), and at least half of the words that carry meaning, counted over both turns, stand in the
other turn too. Whole numbers only, so no rounding decides. The same words again are *repeated* instead.
How well this agrees with people is in docs/insights.md.
"""

# How soon the same wish has to follow: the answer is heard out, and the next query spoken.
REPHRASE_GAP_MS = 90_000
# Texts are compared by their beginning, which bounds what one turn can cost; a spoken query is far shorter.
COMPARED_CHARACTERS = 512
# Below it, the recogniser's own doubt explains what went wrong; the same bound from which the rules say REVIEW.
HEARD_WRONG_BELOW = 0.8
SLOW_MS = 8_000

# An assistant's words for "I don't know what this is". An absent intent counts as one of them where turns are compared,
# but isn't a failure by itself: a caller may never send intents.
NO_INTENT = ("", "fallback", "none", "unknown")

# Words of asking, not of what is asked for, in the languages that we know shoppers to speak. A word of another language
# counts as one that carries meaning, which makes the comparison stricter there.
_ENGLISH = """
a an the of to in on at for from by with and or is are was be am do does did can could would will you your yours u i me my
mine we us our it its this that these those there have has had got get give want need like looking look show tell find s t
m ll re ve d n please no not yes so any some what which how who where when hey ok okay said meant mean
"""
_GERMAN = """
der die das den dem ein eine einen ich du sie es wir mir mich haben hast gibt und oder im für mit zu auf ist sind bitte
suche zeig nein
"""
FILLERS = frozenset(_ENGLISH.split() + _GERMAN.split())

# What is no part of a word: control characters, spaces and punctuation. Ranges instead of Unicode's classes, which grow
# with each version of Unicode and so with the versions of what runs this.
NO_WORD = (
    r"[\x00-/:-@\[-`{-\x{A9}\x{AB}-\x{B4}\x{B6}-\x{B9}\x{BB}-\x{BF}\x{060C}\x{061B}\x{061F}\x{0640}\x{06D4}"
    r"\x{0964}\x{0965}\x{1680}\x{2000}-\x{206F}\x{3000}-\x{303F}\x{FEFF}\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF20}"
    r"\x{FF3B}-\x{FF40}\x{FF5B}-\x{FF65}]+"
)
# Chinese and Japanese put no spaces between words: there, each character is a word.
CHARACTER_IS_WORD = r"([\x{3041}-\x{309F}\x{30A1}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}])"

NEXT_TURN = "PARTITION BY store_id, session_id ORDER BY created_at, id"


def normalised(text: str) -> str:
    """Give the SQL of a text's words in lower case with one space between them; `text` is SQL too.

    Nearly all texts are plain already, and finding that out takes a third of the time of mending them.
    """
    start = f"lower(left({text}, {COMPARED_CHARACTERS}))"
    apart = rf"regexp_replace({start}, '{CHARACTER_IS_WORD}', ' \1 ', 'g')"
    return (
        f"CASE WHEN regexp_matches({start}, '[^a-z0-9 ]|  ')"
        f" THEN trim(regexp_replace({apart}, '{NO_WORD}', ' ', 'g')) ELSE trim({start}) END"
    )


def words(text: str) -> str:
    """Give the SQL of the list of a normalised text's words that carry meaning; `text` is SQL too."""
    fillers = ", ".join(f"'{word}'" for word in ("", *sorted(FILLERS)))
    return f"list_filter(string_split({text}, ' '), lambda w: NOT list_contains([{fillers}], w))"


def _known(intent: str) -> str:
    unknown = ", ".join(f"'{name}'" for name in NO_INTENT)
    return f"coalesce(lower({intent}) NOT IN ({unknown}), false)"


_FOLLOWS = f"session_id IS NOT NULL AND next_at - created_at <= {REPHRASE_GAP_MS}"
_SAME_INTENT = f"(intent = next_intent OR NOT {_known('intent')} OR NOT {_known('next_intent')})"
# A list of one row gives its parts a name, without which each would be worked out anew wherever it is used.
_TEXTS = f"[{{'said': {normalised('query_text')}, 'then': {normalised('next_text')}}}]"
_SAME_WORDS = f"list_transform({_TEXTS}, lambda turn: turn.said = turn.then AND turn.said <> '')[1]"
_WORDS = f"""
list_transform(
    {_TEXTS},
    lambda turn: {{'same': turn.said = turn.then, 'said': {words("turn.said")}, 'then': {words("turn.then")}}}
)"""
_HALF_SHARED = f"""
list_transform(
    {_WORDS},
    lambda turn: NOT turn.same AND len(turn.said) > 0 AND 2 * (
        len(list_filter(turn.said, lambda w: list_contains(turn.then, w)))
        + len(list_filter(turn.then, lambda w: list_contains(turn.said, w)))
    ) >= len(turn.said) + len(turn.then)
)[1]"""

# The same words again, soon; whatever the intent. Never NULL.
IS_REPEATED = f"CASE WHEN {_FOLLOWS} THEN {_SAME_WORDS} ELSE false END"

# The same wish in other words, soon. Never NULL. The cheap conditions come first: few pairs get to their words.
IS_REPHRASED = f"CASE WHEN {_FOLLOWS} AND {_SAME_INTENT} THEN {_HALF_SHARED} ELSE false END"

# Where an interaction broke: the first that fits, in the order in which an utterance goes through an assistant, for
# what was heard wrong can't be understood, and what was understood wrong can't be done. `reason` is the label's, from
# the rules, the judge or a person. `rephrased` is `IS_REPHRASED`.
CONDITIONS = {
    "heard_wrong": (
        f"transcription_conf < {HEARD_WRONG_BELOW} OR reason IN ('poor_transcription', 'query_too_short',"
        " 'low_transcription_confidence', 'very_low_transcription_confidence')"
    ),
    # The last one: the assistant didn't know what was wanted until it was said in other words.
    "understood_wrong": (
        f"(intent IS NOT NULL AND NOT {_known('intent')}) OR lower(action_taken) = 'fallback'"
        f" OR reason IN ('wrong_intent', 'unclear_request')"
        f" OR (rephrased AND NOT {_known('intent')} AND {_known('next_intent')})"
    ),
    "did_wrong": "error_flag OR NOT action_success OR reason IN ('failed_action', 'error_occurred', 'action_failed')",
    "too_slow": f"latency_ms > {SLOW_MS}",
    # Ahead of what the label says: without an outcome the rules leave REVIEW, which isn't about an answer.
    "no_answer": "NOT has_outcome OR reason = 'no_answer'",
    "answered_badly": "true",
}
CAUSES = tuple(CONDITIONS)

# The cause of an interaction that didn't satisfy, which is for the one who asks to say: unanswered for any reason, or
# rephrased. Never NULL.
CAUSE = f"CASE {' '.join(f'WHEN {fits} THEN {cause!r}' for cause, fits in CONDITIONS.items())} END"
