"""Topics of what wasn't answered, and what the texts teach recogniser and catalogue."""

import importlib
import importlib.util
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import SettingsError
from aura_analytics.stats.topics import (
    KeyTerm,
    Said,
    SynonymCandidate,
    Topic,
    key_terms,
    synonym_candidates,
    topics,
)

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None or importlib.util.find_spec("jellyfish") is None,
    reason="the extra `topics` isn't installed",
)

WRAPPING = [
    Said("do you offer gift wrapping", 8),
    Said("can you offer gift wrapping", 2),
    Said("Do you offer gift-wrapping?", 1),
    Said("is there gift wrapping", 1),
]
ORDERS = [Said("where is my order 4711", 3), Said("where is my order 815", 2), Said("where is my order", 1)]
OTHERS = [Said("oat milk", 2), Said("赤い靴はありますか", 1), Said("赤い靴ありますか", 1), Said("👟", 1)]


@needs_extra
def test_alike_texts_are_one_topic_named_by_the_most_typical() -> None:
    found = topics([*WRAPPING, *ORDERS, *OTHERS])
    assert found[0] == Topic(
        name="do you offer gift wrapping",
        volume=12,
        members=(
            Said("do you offer gift wrapping", 8),
            Said("can you offer gift wrapping", 2),
            Said("Do you offer gift-wrapping?", 1),
            Said("is there gift wrapping", 1),
        ),
    )
    assert [(topic.name, topic.volume, len(topic.members)) for topic in found[1:]] == [
        ("where is my order 4711", 6, 3),
        ("oat milk", 2, 1),
        ("赤い靴ありますか", 2, 2),
        ("👟", 1, 1),
    ]


@needs_extra
@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("do you have wireless headphones", "do you have wireless head phones"),
        ("a red knife", "a read nife"),
        ("schöne Schuhe", "schone schuhe"),
        ("tomato food", "tomatoe fud"),
    ],
)
def test_alike_in_sound_is_alike(said: str, heard: str) -> None:
    others = [Said("where is my order", 1), Said("gift wrapping", 1), Said("is this vegan", 1)]
    gathered = [{one.text for one in topic.members} for topic in topics([Said(said, 1), Said(heard, 1), *others])]
    assert {said, heard} in gathered


@needs_extra
def test_a_chain_of_neighbours_is_no_topic() -> None:
    words = [f"{first}{second}{third}" for first in "bdfg" for second in "aeiou" for third in "klmn"]
    chain = [Said(" ".join(words[at : at + 4]), 1) for at in range(len(words) - 3)]
    assert max(len(topic.members) for topic in topics(chain)) <= 7


@needs_extra
def test_one_wish_that_nearly_all_have_stays_one_topic() -> None:
    colours = ["red", "blue", "green", "black", "white", "pink", "grey", "brown"]
    wish = [Said(f"do you have running shoes in {colour}", 1) for colour in colours]
    found = topics([*wish, Said("oat milk", 1)])
    assert [topic.volume for topic in found] == [8, 1]


@needs_extra
def test_order_and_repetition_of_the_input_are_of_no_matter() -> None:
    said = [*WRAPPING, *ORDERS, *OTHERS, Said("oat milk", 3)]
    found = topics(said)
    for seed in range(5):
        shuffled = random.Random(seed).sample(said, len(said))
        assert topics(shuffled) == found


@needs_extra
@settings(max_examples=40, deadline=None)
@given(said=st.lists(st.builds(Said, st.text(max_size=20), st.integers(0, 5)), max_size=12))
def test_each_text_is_in_one_topic_whatever_it_is(said: list[Said]) -> None:
    found = topics(said)
    members = [one.text for topic in found for one in topic.members]
    assert sorted(members) == sorted({one.text for one in said if one.text.strip() and one.count})
    assert sum(topic.volume for topic in found) == sum(one.count for one in said if one.text.strip())
    assert all(topic.name in {one.text for one in topic.members} for topic in found)


@needs_extra
def test_thousands_of_texts_take_seconds() -> None:
    chance = random.Random(1)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 8))) for _ in range(3_000)]
    said = [Said(" ".join(chance.choices(words, k=chance.randint(2, 8))), 1) for _ in range(5_000)]
    found = topics(said)
    assert sum(topic.volume for topic in found) == 5_000


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(SettingsError, match=r"pip install 'aura-analytics\[topics\]'"):
        topics(WRAPPING)


def test_no_texts_have_no_topics() -> None:
    assert topics([]) == []
    assert topics([Said("  ", 3), Said("oat milk", 0)]) == []


def test_terms_that_stand_out_among_the_badly_heard() -> None:
    poor = [Said("do you have monstera", 6), Said("is the monstera deliciosa back", 4), Said("where is my order", 2)]
    everything = [*poor, Said("where is my order", 80), Said("do you have pots", 40), Said("monstera", 1)]
    assert key_terms(poor, everything) == [
        KeyTerm(term="monstera", count=10, weight=6.04),
        KeyTerm(term="have monstera", count=6, weight=6.93),
        KeyTerm(term="back", count=4, weight=6.4),
        KeyTerm(term="deliciosa", count=4, weight=6.4),
        KeyTerm(term="deliciosa back", count=4, weight=6.4),
        KeyTerm(term="monstera deliciosa", count=4, weight=6.4),
        KeyTerm(term="the monstera", count=4, weight=6.4),
    ]


def test_nothing_stands_out_where_all_are_badly_heard_or_few_say_it() -> None:
    assert key_terms(WRAPPING, WRAPPING) == []
    assert key_terms([], WRAPPING) == []
    assert key_terms([Said("orchid", 2)], [Said("orchid", 2), Said("pots", 500)]) == []


def test_words_that_stand_where_answered_queries_have_another() -> None:
    unanswered = [
        Said("do you have red trainers", 3),
        Said("cheap trainers please", 1),
        Said("trainers", 9),
        Said("do you have red shirts", 2),
    ]
    answered = [
        Said("Do you have red sneakers?", 5),
        Said("cheap sneakers please", 1),
        Said("red shirts", 4),
        Said("sneakers", 9),
    ]
    assert synonym_candidates(unanswered, answered) == [
        SynonymCandidate(said="trainers", known="sneakers", places=2, count=4)
    ]


def test_a_place_with_nothing_but_fillers_around_is_no_evidence() -> None:
    assert synonym_candidates([Said("do you have trainers", 5)], [Said("do you have milk", 5)]) == []
