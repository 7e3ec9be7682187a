"""Spellings that are gathered, by SQL over what was folded beforehand, are those that a plain fold in Python gathers."""

from collections import defaultdict
from collections.abc import Callable

from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.projection.spelling import folded
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.top_queries import TopQuery, top_queries
from aura_analytics.stats.unanswered import UnansweredQuery, unanswered
from contract.making import NOW
from trying import tried
from unit.stats.held import MOMENTS, SETTLED, Held, Row, Settled, reasons

ALL = 100_000
# Spellings of few wishes, and what is hard to spell: umlauts, full width, ligatures, apostrophes, marks, emoji.
WORDS = [
    "fish",
    "Fish",
    "ﬁsh",
    "FISH",
    "ｆｉｓｈ",
    "Möbel",
    "mo\u0308bel",
    "MÖBEL",
    "Straße",
    "STRASSE",
    "can't",
    "can’t",
    "cant",
]
PIECES = [
    *WORDS,
    "`",
    "'",
    "’",
    "?!",
    "…",
    "¿",
    "🐟",
    "\u200d",
    "\u0308",
    "İ",
    "ı",
    "²",
    "½",
    "赤い",
    "靴",
    "_",
    "\t",
    "\0",
    "\u00a0",
    "  ",
]
texts = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=4).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=3).map(" ".join),
    st.text(st.characters(codec="utf-8"), max_size=8),
    st.text(st.characters(codec="ascii"), max_size=5),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Interactions that say few different texts in several spellings."""
    known = draw(st.lists(texts, min_size=1, max_size=8))
    told = st.fixed_dictionaries(
        {
            "store_id": st.sampled_from("ab"),
            "created_at": st.sampled_from(MOMENTS),
            "query_text": st.sampled_from(known),
            "intent": st.sampled_from([None, "find"]),
            "latency_ms": st.sampled_from([None, 100.0, 9_000.0]),
            "action_success": st.sampled_from([None, True, False]),
        }
    )
    return [{"id": str(n), "has_outcome": True, **row} for n, row in enumerate(draw(st.lists(told, max_size=25)))]


def gathered(rows: list[Row], key: Callable[[str], str]) -> dict[tuple[str, str | None], list[Row]]:
    """The rows of each wish, by the spelling that is shown."""
    wishes: dict[tuple[str, str | None], list[Row]] = defaultdict(list)
    for row in rows:
        wishes[key(row["query_text"]), row["intent"]].append(row)
    return {(shown(group), intent): group for (_, intent), group in wishes.items()}


def shown(group: list[Row]) -> str:
    """The most frequent spelling, the first of the alphabet among equals."""
    said: list[str] = [row["query_text"] for row in group]
    return min(said, key=lambda text: (-said.count(text), text))


def top(rows: list[Row], key: Callable[[str], str]) -> list[TopQuery]:
    listed = []
    for (text, intent), group in gathered(rows, key).items():
        known = [row["latency_ms"] for row in group if row["latency_ms"] is not None]
        listed.append(
            TopQuery(
                query_text=text,
                intent=intent,
                count=len(group),
                avg_latency_ms=sum(known) / len(known) if known else None,
                success_rate=100 * sum(row["action_success"] is True for row in group) / len(group),
            )
        )
    return sorted(listed, key=lambda one: (-one.count, one.query_text, one.intent is not None, one.intent))


def missed(rows: list[Row], key: Callable[[str], str]) -> list[UnansweredQuery]:
    listed = [
        UnansweredQuery(
            query_text=text,
            intent=intent,
            occurrences=len(group),
            last_seen=max(row["created_at"] for row in group),
            reasons=[
                reason for reason in ("action_failed", "slow_response") if any(reason in reasons(row) for row in group)
            ],
        )
        for (text, intent), group in gathered([row for row in rows if reasons(row)], key).items()
    ]
    return sorted(listed, key=lambda one: (-one.occurrences, -one.last_seen, one.query_text, one.intent is not None))


@tried(12)
@given(rows=histories(), settled=st.sampled_from(SETTLED), stores=st.sampled_from([(), ("a",)]), by_feed=st.booleans())
async def test_spellings_are_gathered_as_a_plain_fold_does(
    *, rows: list[Row], settled: Settled, stores: tuple[str, ...], by_feed: bool
) -> None:
    counted = [row for row in rows if not stores or row["store_id"] in stores]
    scope = Scope(stores=stores)
    with Held() as held:
        held.fill([] if by_feed else rows)
        if by_feed:
            held.apply(rows)
        held.settle(settled)
        for normalize, key in ((True, folded), (False, str)):
            expected_top, expected_missed = top(counted, key), missed(counted, key)
            assert await top_queries(held, scope, ALL, normalize=normalize) == expected_top
            assert await unanswered(held, scope, ALL, normalize=normalize) == expected_missed
            assert await top_queries(held, scope, 2, normalize=normalize) == expected_top[:2]
    event(f"wishes: {len(top(counted, folded))}")


async def test_the_most_frequent_spelling_is_shown() -> None:
    said = ["where is my order", "Where is my order?", "Where is my order?", "WHERE IS MY ORDER", "gift cards"]
    rows = [
        {"id": str(n), "store_id": "a", "created_at": NOW, "query_text": text, "has_outcome": False}
        for n, text in enumerate(said)
    ]
    with Held() as held:
        found = await top_queries(held.fill(rows), Scope(), 20, normalize=True)
    assert [(one.query_text, one.count) for one in found] == [("Where is my order?", 4), ("gift cards", 1)]
