"""What shoppers asked for and didn't get, gathered into topics; and what those texts teach recogniser and catalogue.

Two texts are alike when they share words, and words in their order; and when they share sounds, wherever the recogniser
put the spaces: two parts of equal say, each a TF-IDF vector, compared by cosine. A topic is a star: a text with all that are at least `ALIKE` to it. So everything in a
topic is alike to one text of it, and topics don't grow into one long chain, as they do where friends of friends count.
The numbers that this was chosen by are in docs/insights.md.

The libraries come with the extra `topics`, and are loaded when topics are asked for: a service without doesn't need them.
"""

import importlib
import itertools
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.projection.spelling import folded
from aura_analytics.projection.turns import FILLERS

# The least cosine to the text in a topic's middle.
ALIKE = 0.35
# What one text remembers of those alike to it: bounds memory where thousands say nearly the same.
MOST_ALIKE = 256
# Texts that are compared with all others at a time: bounds memory.
BLOCK = 500
# Pieces that more than this share of thousands of texts have tell little, and cost most of the time.
COMMON_SHARE, COMMON_AT_LEAST = 0.3, 1_000

_NUMBER = re.compile(r"\d+")
# Chinese and Japanese put no spaces between words: there, each character is one.
_WORD = r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\s\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+"

# A term has to stand out by this much to be told: the log-likelihood ratio that chance reaches once in a thousand.
STANDS_OUT = 10.83
TERM_AT_LEAST = 3
# A text of more words isn't a spoken wish; its words aren't swapped one by one.
MOST_WORDS = 16


class Said(msgspec.Struct, frozen=True):
    """A text, and how often it was said."""

    text: str
    count: int


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Texts that ask for about the same. `name` is the most typical one, `members` holds all, most frequent first."""

    name: str
    volume: int
    members: tuple[Said, ...]


class KeyTerm(msgspec.Struct, frozen=True, kw_only=True):
    """A word or two that stand out. `weight` is how many doublings more frequent they are than elsewhere."""

    term: str
    count: int
    weight: float


class SynonymCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A word that shoppers say where answered queries have another; `places`: in how many different texts."""

    said: str
    known: str
    places: int
    count: int


def topics(said: Iterable[Said]) -> list[Topic]:
    """Gather texts into topics, the most voluminous first; each text is in one. The order of `said` is of no matter.

    Raises:
        SettingsError: the extra isn't installed.
    """
    forms: dict[str, list[Said]] = defaultdict(list)
    for text, count in sorted(_counted(said).items()):
        forms[_form(text)].append(Said(text, count))
    if not forms:
        return []
    plain = sorted(forms)
    weights = [sum(one.count for one in forms[form]) for form in plain]
    alike = _alike(_vectors(plain))
    gathered = defaultdict(list)
    for index, middle in enumerate(_nearest_middles(alike, weights)):
        gathered[middle].append(index)
    found = [
        _topic([forms[plain[index]] for index in indices], alike[indices][:, indices]) for indices in gathered.values()
    ]
    return sorted(found, key=lambda topic: (-topic.volume, topic.name))


def _form(text: str) -> str:
    """Fold a text, and its numbers to one: an order's number is no topic."""
    return _NUMBER.sub("0", folded(text))


def _counted(said: Iterable[Said]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for one in said:
        if one.text.strip() and one.count > 0:
            counts[one.text] += one.count
    return counts


def _topic(forms: Sequence[Sequence[Said]], alike: Any) -> Topic:
    """Make a topic; its name is the text that the others, each as often as it was said, are most alike to."""
    volumes = [sum(one.count for one in form) for form in forms]
    typical = (alike @ volumes).round(3).tolist()
    middle = min(range(len(forms)), key=lambda index: (-typical[index], -volumes[index], index))
    members = sorted(itertools.chain.from_iterable(forms), key=lambda one: (-one.count, one.text))
    name = min(forms[middle], key=lambda one: (-one.count, one.text)).text
    return Topic(name=name, volume=sum(volumes), members=tuple(members))


def _vectors(plain: Sequence[str]) -> Any:
    """Give a row of unit length for each folded text. Any: the libraries that it is made with have no types for it.

    Raises:
        SettingsError: the extra isn't installed.
    """
    features, numbers = _library("sklearn.feature_extraction.text"), _library("numpy")
    common = max(COMMON_AT_LEAST, int(len(plain) * COMMON_SHARE))
    parts = [
        (plain, {"token_pattern": _WORD, "ngram_range": (1, 2)}),
        (
            [_sound(text, _library("jellyfish").metaphone) for text in plain],
            {"analyzer": "char", "ngram_range": (2, 4)},
        ),
    ]
    made = [
        features.TfidfVectorizer(
            lowercase=False, sublinear_tf=True, max_df=common, dtype=numbers.float32, **how
        ).fit_transform(of)
        for of, how in parts
    ]
    return _library("sklearn.preprocessing").normalize(_library("scipy.sparse").hstack(made).tocsr())


def _library(name: str) -> Any:
    """Import a module of the extra. Any: none of them has types.

    Raises:
        SettingsError: the extra isn't installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SettingsError("topics need the extra `topics`: pip install 'aura-analytics[topics]'") from error


def _sound(text: str, key: Callable[[str], str]) -> str:
    """Write a text as it sounds, without spaces; where its letters have no such key, as it is written."""
    sounds = (key(plain) if (plain := _latin(word)) else word for word in text.split())
    # A text of one sound still has a pair of characters this way.
    return f" {''.join(sounds)} "


def _latin(word: str) -> str:
    """Give a word's letters without accents, or nothing where it isn't all Latin letters with a sound."""
    letters = "".join(one for one in unicodedata.normalize("NFD", word) if not unicodedata.combining(one))
    return letters if letters.isascii() and letters.isalpha() else ""


def _alike(vectors: Any) -> Any:
    """Give the cosines of at least `ALIKE` as a sparse matrix, of each text with the `MOST_ALIKE` next to it."""
    others = vectors.T.tocsr()
    blocks = [_strongest(vectors[at : at + BLOCK] @ others) for at in range(0, vectors.shape[0], BLOCK)]
    found = _library("scipy.sparse").vstack(blocks).tocsr()
    return found.maximum(found.T).tocsr()


def _strongest(block: Any) -> Any:
    """Keep the cosines of a few texts with all others that are high enough, and not too many of one text."""
    block.data[block.data < ALIKE] = 0
    block.eliminate_zeros()
    for start, end in itertools.pairwise(block.indptr):
        if end - start > MOST_ALIKE:
            least = sorted(block.data[start:end])[-MOST_ALIKE]
            row = block.data[start:end]
            row[row < least] = 0
    block.eliminate_zeros()
    return block


def _nearest_middles(alike: Any, weights: Sequence[int]) -> list[int]:
    """Give for each text the middle of its topic: the nearest of the middles that it is alike to."""
    middles = _middles(alike, weights)
    nearest = []
    for index, (start, end) in enumerate(itertools.pairwise(alike.indptr)):
        near = zip(alike.indices[start:end].tolist(), alike.data[start:end].tolist(), strict=True)
        at_hand = [(-round(cosine, 4), other) for other, cosine in near if other in middles]
        nearest.append(index if index in middles else min(at_hand)[1])
    return nearest


def _middles(alike: Any, weights: Sequence[int]) -> set[int]:
    """Choose texts that are not alike to each other, such that each other text is alike to one of them.

    Those with the most around them come first. Cosines are rounded before they decide, so that the last digit of a
    sum, which differs from machine to machine, doesn't.
    """
    around = (alike @ weights).round(3).tolist()
    free, middles = set(range(len(weights))), set()
    for index in sorted(free, key=lambda index: (-around[index], index)):
        if index in free:
            middles.add(index)
            free.difference_update(alike.indices[alike.indptr[index] : alike.indptr[index + 1]].tolist())
    return middles


def key_terms(poor: Iterable[Said], everything: Iterable[Said]) -> list[KeyTerm]:
    """Find the words, alone and in twos, that stand out in some queries: hints for the speech recogniser.

    Args:
        poor: queries that were heard badly or not answered.
        everything: all queries, those too.

    Returns:
        Terms in the order of how surely they stand out, by log-likelihood ratio.
    """
    there, in_there = _terms(poor)
    overall, in_all = _terms(everything)
    found = []
    for term, count in there.items():
        elsewhere, in_rest = max(overall[term] - count, 0), max(in_all - in_there, 0)
        lift = ((count + 0.5) / (in_there + 1)) / ((elsewhere + 0.5) / (in_rest + 1))
        surely = _log_likelihood(count, in_there, elsewhere, in_rest)
        if count >= TERM_AT_LEAST and lift > 1 and surely > STANDS_OUT:
            found.append((-surely, KeyTerm(term=term, count=count, weight=round(math.log2(lift), 2))))
    return [term for _, term in sorted(found, key=lambda one: (round(one[0], 6), one[1].term))]


def _terms(said: Iterable[Said]) -> tuple[Counter[str], int]:
    """Count in how many queries each term is, and the queries."""
    counts: Counter[str] = Counter()
    queries = 0
    for one in said:
        words = _words(one.text)
        queries += one.count
        told = {word for word in words if word not in FILLERS}
        told |= {f"{first} {second}" for first, second in itertools.pairwise(words) if not {first, second} <= FILLERS}
        counts.update(dict.fromkeys(told, one.count))
    return counts, queries


def _words(text: str) -> list[str]:
    return re.findall(_WORD, folded(text))


def _log_likelihood(count: int, among: int, elsewhere: int, among_rest: int) -> float:
    """Give Dunning's ratio: how badly one rate for both groups explains the two counts."""
    rate = (count + elsewhere) / max(among + among_rest, 1)
    pairs = ((count, among * rate), (elsewhere, among_rest * rate))
    return 2 * sum(seen * math.log(seen / expected) for seen, expected in pairs if seen and expected)


def synonym_candidates(unanswered: Iterable[Said], answered: Iterable[Said]) -> list[SynonymCandidate]:
    """Find words that no answered query has, which stand where answered queries have another word.

    The two texts are equal but for that word, and share another one that carries meaning. A candidate is for a person
    to look at: what was swapped may as well be a thing that the shop doesn't have.

    Returns:
        Those in the most different texts first, then the most frequent.
    """
    places, words = _places(answered)
    contexts: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for place, said, count in _swapped(_counted(unanswered)):
        known_words = places.get(place, set())
        if said in words or len(known_words) > MOST_KNOWN:
            continue
        for known in known_words:
            contexts[said, known] += 1
            counts[said, known] += count
    found = [
        SynonymCandidate(said=said, known=known, places=number, count=counts[said, known])
        for (said, known), number in contexts.items()
    ]
    return sorted(found, key=lambda one: (-one.places, -one.count, one.said, one.known))


# A place where anything may stand ("order number …") tells nothing about what a word means.
MOST_KNOWN = 20

Place = tuple[tuple[str, ...], tuple[str, ...]]


def _places(answered: Iterable[Said]) -> tuple[dict[Place, set[str]], set[str]]:
    """Give the words that stand in each place of answered texts, and all of their words."""
    counts = _counted(answered)
    places: dict[Place, set[str]] = defaultdict(set)
    for place, word, _ in _swapped(counts):
        places[place].add(word)
    return places, {word for text in counts for word in _words(text)}


def _swapped(counts: Mapping[str, int]) -> Iterator[tuple[Place, str, int]]:
    """Take each word that carries meaning out of each text, where another such word stays behind."""
    plain: Counter[tuple[str, ...]] = Counter()
    for text, count in counts.items():
        plain[tuple(_words(text))] += count
    for words, count in plain.items():
        telling = [index for index, word in enumerate(words) if word not in FILLERS]
        if len(telling) > 1 and len(words) <= MOST_WORDS:
            for index in telling:
                yield (words[:index], words[index + 1 :]), words[index], count
