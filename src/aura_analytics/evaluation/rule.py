"""One rule: when it fits, and the judgement that it then gives; made of what a file says."""

import re
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.condition import Holds, condition, quoted, unknown
from aura_analytics.evaluation.judgement import NO_JUDGE
from aura_analytics.events.records import LABELS, Interaction, Label

KEYS = ("reason", "label", "confidence", "when", "any")

_REASON = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_REASON = 64


class Rule(msgspec.Struct, frozen=True):
    """A condition, and the judgement where it fits. `confidence` is 0…1."""

    reason: str
    label: Label
    confidence: float
    fits: Callable[[Interaction], bool]


# What a file says may be anything that TOML can hold, so Any, throughout.


def rule(where: str, table: Any) -> Rule:
    """Make a rule of its table.

    Args:
        where: the file and the rule's number, for the message of an error.
        table: what the file says.

    Raises:
        SettingsError: it says something that isn't known, or doesn't say all.
    """
    if not isinstance(table, dict):
        raise SettingsError(f"{where} is no table; each rule begins with [[rule]]")
    reason = _reason(where, table)
    named = f"{where} ({reason})"
    for key in table:
        if key not in KEYS:
            raise unknown(named, f"there is no key {quoted(key)}", key, KEYS)
    return Rule(reason, _label(named, table), _confidence(named, table), _fits(named, table))


def _reason(where: str, table: dict[str, Any]) -> str:
    reason = _said(where, table, "reason")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON or not _REASON.fullmatch(reason):
        raise SettingsError(
            f"{where}, reason: {quoted(reason)} is not what it takes: a name in snake_case of at most 64 characters"
        )
    if reason == NO_JUDGE.reason:
        raise SettingsError(f"{where}, reason: {reason} is what is said where no rule fits and there is no judge")
    return reason


def _label(where: str, table: dict[str, Any]) -> Label:
    label = _said(where, table, "label")
    if label not in LABELS:
        raise SettingsError(f"{where}, label: {quoted(label)} is not what it takes: one of {', '.join(LABELS)}")
    return cast("Label", label)


def _confidence(where: str, table: dict[str, Any]) -> float:
    confidence = _said(where, table, "confidence")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise SettingsError(f"{where}, confidence: {quoted(confidence)} is not what it takes: a number from 0 to 1")
    return float(confidence)


def _said(where: str, table: dict[str, Any], key: str) -> Any:
    if key not in table:
        raise SettingsError(f"{where} has no {key}")
    return table[key]


def _fits(where: str, table: dict[str, Any]) -> Holds:
    """Make one function of all conditions: those of `when`, and those of at least one group of `any`."""
    if "when" not in table and "any" not in table:
        raise SettingsError(f"{where} has no when: it would fit everything")
    holding = _conditions(f"{where}, when", table["when"]) if "when" in table else []
    return _all([*holding, _any(f"{where}, any", table["any"])] if "any" in table else holding)


def _any(where: str, groups: Any) -> Holds:
    if not isinstance(groups, list) or not groups:
        raise SettingsError(f"{where} is no list of groups of conditions, such as [{{ latency_ms.above = 8000 }}]")
    alternatives = [_all(_conditions(f"{where}[{number}]", group)) for number, group in enumerate(groups, 1)]
    return lambda interaction: any(holds(interaction) for holds in alternatives)


def _conditions(where: str, table: Any) -> list[Holds]:
    if not isinstance(table, dict) or not table:
        raise SettingsError(f"{where} holds no condition, such as latency_ms.above = 8000")
    found = []
    for name, comparisons in table.items():
        if not isinstance(comparisons, dict) or not comparisons:
            raise SettingsError(f"{where}.{name} holds no comparison, such as {name}.is = {_example(comparisons)}")
        found += [condition(where, name, comparison, given) for comparison, given in comparisons.items()]
    return found


def _example(given: Any) -> str:
    """Give what stands where a comparison is missing, as TOML, so that the hint is what was probably meant."""
    if isinstance(given, str):
        return f'"{given[:60]}"'
    return str(given).lower() if isinstance(given, bool | int | float) else "…"


def _all(holding: Sequence[Holds]) -> Holds:
    if len(holding) == 1:
        return holding[0]
    if len(holding) == 2:
        first, second = holding
        return lambda interaction: first(interaction) and second(interaction)
    return lambda interaction: all(holds(interaction) for holds in holding)
