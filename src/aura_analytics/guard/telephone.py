"""Telephone numbers in texts: by the numbering plans of phonenumbers, and by how a number stands in its text.

A number with its country (`+49 30 …`) is one wherever it is valid. One without is told from an article's number, which
may be valid as well, by its shape (an area code with its 0, five pairs, 3-3-4) or by the words before it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count, pairwise

import phonenumbers

Span = tuple[int, int]

# Where numbers without a country may be from.
REGIONS = ("US", "GB", "DE", "FR", "AT", "CH", "ES", "IT", "NL")

_RUN = re.compile(r"(?<![\w+.,])\(?(?:\+ ?|\(\+)?\(?\d++(?:[ \u00a0./()-]{1,3}+\d++)*+")
_GROUP = re.compile(r"\d+")
_LEAST, _MOST = 7, 15
_LEAST_NATIONAL = 9
_AREA_CODE = range(3, 7)
_LONGEST_CUE = 40
# Words before a number that say whose kind it is, over some that say nothing: “call me at”, “order number”.
_WORD = re.compile(r"[^\W\d_]+|#|n°")
_CALLING = frozenset(
    _WORD.findall(
        "call phone telephone tel mobile whatsapp sms text ring dial reach fax handy telefon mobil ruf anruf anrufen"
        " telefonnummer handynummer rückruf appelle appelez téléphone portable llama llame teléfono móvil chiama"
    )
)
_ARTICLE = frozenset(
    _WORD.findall(
        "article item part parts model sku ean gtin upc isbn asin order product serial ref reference code batch invoice"
        " tracking parcel artikel artikelnummer teile teilenummer bestellung bestellnummer produkt modell rechnung"
        " sendung réf commande modèle pedido modelo # n°"
    )
)
_FILLING = frozenset(
    _WORD.findall(
        "me us him her them back number numbers no nummer nr is ist on at via mich an unter auf zurück moi au est le al"
        " es il numéro número numero id"
    )
)
# Checks against the plans that one text is worth; what looks like a number after that is taken for one.
_CHECKS = 256


class Telephones:
    """Finds numbers; `regions` are those of numbers without a country, by ISO 3166 codes."""

    def __init__(self, regions: Sequence[str] = REGIONS) -> None:
        self._regions = tuple(regions)

    def find(self, text: str) -> Iterable[Span]:
        """Give where the numbers stand."""
        checks = count()
        for found in _RUN.finditer(text):
            if found.end() - found.start() < _LEAST:
                continue
            groups = [group.span() for group in _GROUP.finditer(text, *found.span())]
            if sum([end - begin for begin, end in groups]) >= _LEAST:
                yield from self._in_run(_Run(text, found.start(), groups), checks)

    def _in_run(self, run: "_Run", checks: Iterator[int]) -> Iterable[Span]:
        first = 0
        while first < len(run.groups):
            last = self._from(run, first, checks)
            if last is None:
                first += 1
                continue
            yield run.start if first == 0 else run.groups[first][0], run.groups[last][1]
            first = last + 1

    def _from(self, run: "_Run", first: int, checks: Iterator[int]) -> int | None:
        """Tell at which group a number ends that begins at another: the longest that its country has."""
        told = first == 0 and (run.international or run.cued)
        if first == 0 and run.other:
            return None
        most = _fitting(run.groups, first)
        lasts = range(most, first - 1, -1) if told else _shaped(run.text, run.groups, first, most)
        for last in lasts:
            digits = "".join([run.text[start:stop] for start, stop in run.groups[first : last + 1]])
            if len(digits) < (_LEAST if told else _LEAST_NATIONAL):
                return None
            if next(checks) > _CHECKS or self._is_number(digits, international=first == 0 and run.international):
                return last
        return None

    def _is_number(self, digits: str, *, international: bool) -> bool:
        if international:
            return is_number(f"+{digits}", None)
        if digits.startswith("00") and is_number(f"+{digits[2:]}", None):
            return True
        return any(is_number(digits, region) for region in self._regions)


class _Run:
    """Groups of digits that follow each other, and what stands before them."""

    def __init__(self, text: str, start: int, groups: Sequence[Span]) -> None:
        self.text = text
        self.start = start
        self.groups = groups
        self.international = "+" in text[start : groups[0][0]]
        told = _told_before(text[max(0, start - _LONGEST_CUE) : start])
        self.cued = told in _CALLING
        self.other = told in _ARTICLE


def _told_before(before: str) -> str:
    """Give the last word of a text that says something."""
    return next((word for word in reversed(_WORD.findall(before.lower())) if word not in _FILLING), "")


def _fitting(groups: Sequence[Span], first: int) -> int:
    """Give the last group with which there are no more digits than a number has."""
    size, last = 0, first
    for index in range(first, len(groups)):
        size += groups[index][1] - groups[index][0]
        if size > _MOST:
            break
        last = index
    return last


def _shaped(text: str, groups: Sequence[Span], first: int, most: int) -> Sequence[int]:
    """Give the groups at which a number may end that is written as one, the furthest first."""
    begin, end = groups[first]
    size = end - begin
    if text[begin] == "0":
        if size in _AREA_CODE:
            return range(most, first, -1)
        is_pairs = size == 2 and most >= first + 4 and _are_pairs(text, groups[first : first + 5])
        return (first + 4,) if is_pairs else ()
    is_american = (
        size == 3 and most >= first + 2 and [stop - start for start, stop in groups[first : first + 3]] == [3, 3, 4]
    )
    return (first + 2,) if is_american and text[begin] != "1" else ()


def _are_pairs(text: str, groups: Sequence[Span]) -> bool:
    gaps = {text[end:begin] for (_, end), (begin, _) in pairwise(groups)}
    return len(gaps) == 1 and all(end - begin == 2 for begin, end in groups)


@lru_cache(maxsize=1_024)
def is_number(digits: str, region: str | None) -> bool:
    """Tell a number that its country's plan has from any other."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, region))
    except phonenumbers.NumberParseException:
        return False
