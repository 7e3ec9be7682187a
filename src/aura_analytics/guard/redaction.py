"""Taking out of texts what tells who somebody is, before anything is stored: `[email]` for an address, and so on.

What has a checksum is held against it (cards: ISO/IEC 7812, with the beginnings that card networks give out; IBANs: ISO
13616, by python-stdnum; phone numbers: the numbering plans, by phonenumbers), so that prices, sizes, order and article
numbers stay. Names of people and places aren't found.

Every pattern takes a time that grows with the text's length and no faster: what has begun to match is never given up
for a shorter match of the same.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from itertools import count
from typing import Any, Literal, get_args

from stdnum import ean, luhn, numdb
from stdnum.iso7064 import mod_97_10

from aura_analytics.guard.telephone import REGIONS, Telephones

Kind = Literal["email", "phone", "card", "iban", "ip"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Where a text has none of these, it has nothing to hide: a digit, an at sign, or what is said for one.
_SAID_AT = r" (?:at|ät|arobase|arroba) "
_WORTH_A_LOOK = re.compile(rf"\d|@|{_SAID_AT}", re.IGNORECASE)

Span = tuple[int, int]
Finder = Callable[[str], Iterable[Span]]

# --- e-mail addresses, written and said ------------------------------------------------------------------------------

_LOCAL = r"(?<![\w.+%-])[\w.+%-]{1,64}+"
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"  # what ends a sentence, or marks a word, is no part of it
_EMAIL = re.compile(rf"{_LOCAL}@[\w-]{{1,63}}+(?:\.{_LABEL})++(?<=[^\W\d_][\w-])")
# Said, and not spelled back by the recogniser. Only with a mailbox provider: “look at home dot com” is no address.
_PROVIDERS = (
    "gmail|googlemail|google mail|hotmail|outlook|yahoo|icloud|live|msn|aol|gmx|web|t-online|freenet|proton|protonmail"
    "|yandex|mail|me|zoho|orange|free|laposte|libero|comcast|verizon"
)
_SAID = re.compile(
    rf"(?<!\w)(?:[\w.-]{{1,64}}+ (?:dot|punkt|point|punto|underscore|dash|hyphen|minus) ){{0,4}}+[\w.-]{{1,64}}+"
    rf"{_SAID_AT}(?:{_PROVIDERS}) ?(?:dot|punkt|point|punto|\.) ?(?:com|net|org|de|fr|es|it|uk|ru|ch|at)"
    rf"(?!\w)",
    re.IGNORECASE,
)


_SAID_SOMEWHERE = re.compile(_SAID_AT, re.IGNORECASE)


def _emails(text: str) -> Iterable[Span]:
    if "@" in text:
        yield from (found.span() for found in _EMAIL.finditer(text))
    if _SAID_SOMEWHERE.search(text):
        yield from (found.span() for found in _SAID.finditer(text))


# --- payment cards ---------------------------------------------------------------------------------------------------

# Groups of digits with single separators between them, or two blanks; none begins amid a number.
_DIGITS = re.compile(r"(?<!\w)(?<!\d[.,])\d++(?:(?:[ \u00a0]{2}|[ \u00a0._/-])\d++)*+(?!\w)")
_GROUP = re.compile(r"\d+")
_SHORTEST_CARD, _LONGEST_CARD = 14, 19
# What the networks give out: the number's beginning, from … to, and its lengths. Visa's 13 digits are long gone, and
# would be the article numbers of Germany; only what is in use is here.
_NETWORKS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),  # Mastercard
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),  # American Express
    (300, 305, frozenset({14})),  # Diners Club
    (36, 36, frozenset({14})),  # Diners Club
    (38, 39, frozenset({14})),  # Diners Club
    (6011, 6011, frozenset({16, 19})),  # Discover
    (644, 659, frozenset({16, 19})),  # Discover, RuPay
    (3528, 3589, frozenset({16, 19})),  # JCB
    (62, 62, frozenset({16, 17, 18, 19})),  # UnionPay
    (81, 82, frozenset({16})),  # UnionPay, RuPay
    (5018, 5018, frozenset({16, 19})),  # Maestro
    (5020, 5020, frozenset({16, 19})),
    (5038, 5038, frozenset({16, 19})),
    (5893, 5893, frozenset({16, 19})),
    (6304, 6304, frozenset({16, 19})),
    (6759, 6763, frozenset({16, 19})),
    (2200, 2204, frozenset({16, 19})),  # Mir
)


# By the first four digits.
_LENGTHS: tuple[frozenset[int], ...] = tuple(
    frozenset().union(*(lengths for low, high, lengths in _NETWORKS if low <= int(str(begin)[: len(str(low))]) <= high))
    for begin in range(10_000)
)
LEAST_GROUP = 3
_BEGINS = frozenset("234568")
# Checksums that one text is worth; what begins like a card and has its length is taken for one after that.
_CHECKS = 10_000


def _cards(text: str) -> Iterable[Span]:
    checks = count()
    for run in _DIGITS.finditer(text):
        if run.end() - run.start() >= _SHORTEST_CARD:
            yield from _cards_of(text, [group.span() for group in _GROUP.finditer(text, *run.span())], checks)


def _cards_of(text: str, groups: Sequence[Span], checks: Iterator[int]) -> Iterable[Span]:
    """Find cards among groups that follow each other: from each group on, as many as a card may have."""
    first = 0
    while first < len(groups):
        begin = text[groups[first][0]]
        last = None if begin.isascii() and begin not in _BEGINS else _card_from(text, groups, first, checks)
        if last is None:
            first += 1
            continue
        yield groups[first][0], groups[last][1]
        first = last + 1


def _card_from(text: str, groups: Sequence[Span], first: int, checks: Iterator[int]) -> int | None:
    size = 0
    for index in range(first, min(first + _LONGEST_CARD, len(groups))):
        start, end = groups[index]
        size += end - start
        if size > _LONGEST_CARD:
            return None
        if size >= _SHORTEST_CARD and _is_grouped(groups[first : index + 1]):
            digits = plain("".join([text[begin:stop] for begin, stop in groups[first : index + 1]]))
            if size in _LENGTHS[int(digits[:4])] and (next(checks) > _CHECKS or is_card(digits)):
                return index
    return None


def _is_grouped(groups: Sequence[Span]) -> bool:
    """Tell a card's groups, or digits said one by one or in pairs, from numbers that only follow each other."""
    sizes = [end - start for start, end in groups]
    return sizes == sizes[:1] * len(sizes) or min(sizes[:-1]) >= LEAST_GROUP


def plain(digits: str) -> str:
    """Write digits of any script in ASCII's."""
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)


def is_card(digits: str) -> bool:
    """Tell a card's number from any other: its beginning, its length, its last digit."""
    if len(digits) not in _LENGTHS[int(digits[:4])]:
        return False
    if len(digits) == 14 and ean.is_valid(digits):  # a trade item's number (GTIN-14), likelier than a Diners card
        return False
    return bool(luhn.is_valid(digits))


# --- bank accounts ---------------------------------------------------------------------------------------------------

_IBAN_HEAD = re.compile(r"(?<![^\W_])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9]{2})", re.ASCII)
_PART = re.compile(r"(\d+)!")


@cache
def iban_length(country: str) -> int | None:
    """Give how many characters an IBAN of a country has; None where it gives out none."""
    [(_, properties), *_] = numdb.get("iban").info(country)
    structure = properties.get("bban")
    return 4 + sum(int(part) for part in _PART.findall(structure)) if structure else None


def _ibans(text: str) -> Iterable[Span]:
    done = 0
    for head in _IBAN_HEAD.finditer(text):
        length = iban_length(head[0][:2].upper())
        if length is None or head.start() < done:
            continue
        end, number = _gathered(text, head.start(), length)
        if len(number) == length and mod_97_10.is_valid(number[4:] + number[:4]):
            done = end
            yield head.start(), end


def _gathered(text: str, start: int, length: int) -> tuple[int, str]:
    """Gather a number over single blanks and dashes; it ends where a word ends."""
    number, place = "", start
    while place < len(text) and len(number) < length:
        letter = text[place]
        if letter.isascii() and letter.isalnum():
            number += letter.upper()
        elif letter not in " -\u00a0" or not text[place - 1].isalnum():
            break
        place += 1
    ends = place >= len(text) or not text[place].isalnum()
    return place, number if ends else ""


# --- addresses of machines -------------------------------------------------------------------------------------------

# A version number stands after a word that says so.
_IPV4 = re.compile(r"(?<![\w.])(?<!version )(?<!Version )\d{1,3}+(?:\.\d{1,3}+){3}+(?![\w]|\.\d)", re.ASCII)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{2,45}+(?:\.\d{1,3}){0,3}+(?![\w:])", re.ASCII
)
_LEAST_GROUPS = 3


def _ips(text: str) -> Iterable[Span]:
    if text.count(".") >= 3:
        yield from (found.span() for found in _IPV4.finditer(text) if _is_ip(found[0]))
    if ":" in text:
        for found in _IPV6.finditer(text):
            groups = [group for group in found[0].split(":") if group]
            if len(groups) >= _LEAST_GROUPS and _is_ip(found[0]):
                yield found.span()


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


# --- all of them -----------------------------------------------------------------------------------------------------

# Passes over a text with hits. What stands beside a hit may look otherwise once that is out; it hardly ever does.
_MOST_PASSES = 8


class Redaction:
    """Masks texts. Of two finds that overlap, the one that begins first counts, then the one that is looked for first.

    Args:
        kinds: what is taken out.
        regions: where telephone numbers without a country may be from.
    """

    def __init__(self, kinds: Iterable[Kind] = KINDS, *, regions: Sequence[str] = REGIONS) -> None:
        finders: dict[Kind, Finder] = {
            "email": _emails,
            "iban": _ibans,
            "card": _cards,
            "ip": _ips,
            "phone": Telephones(regions).find,
        }
        wanted = frozenset(kinds)
        self._finders = [(f"[{kind}]", find) for kind, find in finders.items() if kind in wanted]

    def text(self, text: str) -> str:
        """Mask a text. A text that was masked stays as it is."""
        if _WORTH_A_LOOK.search(text) is None:
            return text
        for _ in range(_MOST_PASSES):
            masked = self._pass(text)
            if masked is text:
                break
            text = masked
        return text

    def value(self, value: Any) -> Any:  # Any, throughout: what JSON can hold
        """Mask all texts in a value, and the names of its members; numbers stay, since they are no texts.

        What can be read can be masked, however deep it is: no call a level. Where nothing is masked, it is the same object.
        """
        whole: list[Any] = [value]
        places: list[tuple[Any, Any]] = [(whole, 0)]
        is_masked = False
        while places:
            holder, key = places.pop()
            item = holder[key]
            if isinstance(item, str):
                masked = self.text(item)
                is_masked |= masked is not item
                holder[key] = masked
            elif isinstance(item, list):
                holder[key] = copied = list(item)
                places += ((copied, place) for place in range(len(copied)))
            elif isinstance(item, dict):
                holder[key] = renamed = {self.text(name): member for name, member in item.items()}
                is_masked |= renamed.keys() != item.keys()
                places += ((renamed, name) for name in renamed)
        return whole[0] if is_masked else value

    def _pass(self, text: str) -> str:
        spans = [(start, end, mask) for mask, find in self._finders for start, end in find(text)]
        if not spans:
            return text
        spans.sort(key=lambda span: span[0])  # it is stable: the order of the finders stays
        parts: list[str] = []
        place = 0
        for start, end, mask in spans:
            if start < place:
                continue
            parts += (text[place:start], mask)
            place = end
        parts.append(text[place:])
        return "".join(parts)
