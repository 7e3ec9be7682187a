"""A condition of a rule: a field of the interaction, held against something. Made once, as a function, then only called."""

import difflib
import math
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from pydantic_core import SchemaError, SchemaValidator, core_schema

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.field import FIELDS, Field, Kind, Read
from aura_analytics.events.records import Interaction

Holds = Callable[[Interaction], bool]


class Comparison(msgspec.Struct, frozen=True):
    """One way to compare: the kinds of fields that it is for, and what makes a function of a field and a given value.

    `check` gives the value as it is compared, or raises.
    """

    kinds: frozenset[Kind]
    check: Callable[[str, Field, Any], Any]
    make: Callable[[Read, Any], Holds]


# What is given in a file of rules may be anything that TOML can hold, so Any, throughout.


def condition(where: str, name: str, comparison: str, given: Any) -> Holds:
    """Make the function that tells whether a condition holds for an interaction; what is absent fits no comparison.

    Args:
        where: the place in the file, for the message of an error.
        name: the field.
        comparison: how it is compared.
        given: what with.

    Raises:
        SettingsError: there is no such field or comparison, or the value is none that it takes.
    """
    if name not in FIELDS:
        raise unknown(where, f"there is no field {quoted(name)}", name, FIELDS)
    field, place = FIELDS[name], f"{where}.{name}.{comparison}"
    fitting = {one: made for one, made in COMPARISONS.items() if field.kind in made.kinds}
    if comparison not in fitting:
        raise unknown(f"{where}.{name}", f"a {field.kind} has no {quoted(comparison)}", comparison, fitting)
    chosen = fitting[comparison]
    return chosen.make(field.read, chosen.check(place, field, given))


def unknown(where: str, what: str, name: str, known: Iterable[str]) -> SettingsError:
    """Make the error of a word that isn't known, with the one that was probably meant, or all that are."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"it may be {', '.join(known)}"
    return SettingsError(f"{where}: {what}; {hint}")


def quoted(word: object) -> str:
    """Show something of the file within a message, cut where it is long."""
    try:
        text = str(word).lower() if isinstance(word, bool) else str(word)
    except ValueError:
        text = "a number of very many digits"
    return f"“{text if len(text) <= 60 else text[:59] + '…'}”"


def _value(place: str, field: Field, given: Any) -> Any:
    """Check that a value is of the field's kind, and one of its values where those are known."""
    takes = ", ".join(field.values) if field.values else {"flag": "true or false"}.get(field.kind, f"a {field.kind}")
    if not _is_of_kind(field.kind, given) or (field.values and given not in field.values):
        raise SettingsError(f"{place}: {quoted(given)} is not what it takes: {takes}")
    return given


def _is_of_kind(kind: Kind, given: Any) -> bool:
    if kind == "flag" or isinstance(given, bool):
        return kind == "flag" and isinstance(given, bool)
    if kind == "number":
        return isinstance(given, int) or (isinstance(given, float) and math.isfinite(given))
    return isinstance(given, str)


def _values(place: str, field: Field, given: Any) -> frozenset[Any]:
    if not isinstance(given, list) or not given:
        raise SettingsError(f"{place}: {quoted(given)} is not what it takes: a list of at least one {field.kind}")
    return frozenset(_value(place, field, one) for one in given)


def _true(place: str, _: Field, given: Any) -> bool:
    if given is not True:
        raise SettingsError(f"{place}: {quoted(given)} is not what it takes: true")
    return True


def _pattern(place: str, _: Field, given: Any) -> SchemaValidator:
    """Compile a regular expression by an engine that never takes longer than in proportion to the text."""
    if not isinstance(given, str):
        raise SettingsError(f"{place}: {quoted(given)} is not what it takes: a regular expression")
    try:
        return SchemaValidator(core_schema.str_schema(pattern=given, regex_engine="rust-regex", strict=True))
    except (SchemaError, UnicodeEncodeError) as error:
        cause = str(error).rstrip(".").rpartition("error: ")[2].rpartition("SchemaError: ")[2]
        raise SettingsError(f"{place}: {quoted(given)} is no regular expression: {cause}") from error


def _below(read: Read, bound: Any) -> Holds:
    return lambda interaction: (value := read(interaction)) is not None and value < bound


def _above(read: Read, bound: Any) -> Holds:
    return lambda interaction: (value := read(interaction)) is not None and value > bound


def _at_most(read: Read, bound: Any) -> Holds:
    return lambda interaction: (value := read(interaction)) is not None and value <= bound


def _at_least(read: Read, bound: Any) -> Holds:
    return lambda interaction: (value := read(interaction)) is not None and value >= bound


def _is(read: Read, wanted: Any) -> Holds:
    return lambda interaction: read(interaction) == wanted


def _is_not(read: Read, refused: Any) -> Holds:
    return lambda interaction: (value := read(interaction)) is not None and value != refused


def _one_of(read: Read, wanted: Any) -> Holds:
    return lambda interaction: read(interaction) in wanted


def _matches(read: Read, pattern: SchemaValidator) -> Holds:
    fits = pattern.isinstance_python
    return lambda interaction: fits(read(interaction))


def _present(read: Read, _: Any) -> Holds:
    return lambda interaction: read(interaction) is not None


def _absent(read: Read, _: Any) -> Holds:
    return lambda interaction: read(interaction) is None


_NUMBER: frozenset[Kind] = frozenset({"number"})
_TEXT: frozenset[Kind] = frozenset({"text"})
_ANY: frozenset[Kind] = frozenset({"number", "text", "flag"})

COMPARISONS: dict[str, Comparison] = {
    "below": Comparison(_NUMBER, _value, _below),
    "at_most": Comparison(_NUMBER, _value, _at_most),
    "at_least": Comparison(_NUMBER, _value, _at_least),
    "above": Comparison(_NUMBER, _value, _above),
    "is": Comparison(_ANY, _value, _is),
    "is_not": Comparison(_ANY, _value, _is_not),
    "one_of": Comparison(_NUMBER | _TEXT, _values, _one_of),
    "matches": Comparison(_TEXT, _pattern, _matches),
    "present": Comparison(_ANY, _true, _present),
    "absent": Comparison(_ANY, _true, _absent),
}
