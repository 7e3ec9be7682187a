"""The rules of what is watched, as a file of TOML holds them: an `[[alert]]` each."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import msgspec

from aura_analytics.errors import SettingsError

# Shares of the interactions in a window.
Share = Literal["error_rate", "unanswered_rate", "bad_share"]
# What is of the whole database, and of now.
Present = Literal["queue_age_s", "budget_spent"]
Metric = Literal[Share, "p95_latency_ms", Present]
SHARES, PRESENT = frozenset(get_args(Share)), frozenset(get_args(Present))

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST_MS = 366 * UNITS_MS["d"]


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"lasting": "for"}):
    """One thing that is watched.

    It is pending once the metric is above `above`, raised once that has lasted for `for`, and calm again at or below
    `clear`, by default `above`. Under a `minimum` of interactions nothing is measured.
    """

    name: str
    metric: Metric
    above: float
    clear: float | None = None
    window: str = "1h"
    store: str | None = None
    minimum: int = 1
    lasting: str = "0s"

    @property
    def clears_at(self) -> float:
        """At or below what it is calm again."""
        return self.above if self.clear is None else self.clear

    @property
    def lasting_ms(self) -> int:
        """How long it has to last."""
        return milliseconds(self.lasting)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    alert: list[Rule]


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules.

    Raises:
        SettingsError: it can't be read, or says something that isn't known.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}") from error
    return parse_rules(text, str(path))


def default_rules() -> tuple[Rule, ...]:
    """Give the rules of the package."""
    return parse_rules(files("aura_analytics.alerts").joinpath("default.toml").read_text("utf-8"), "default.toml")


def parse_rules(text: str, name: str) -> tuple[Rule, ...]:
    """Make rules of TOML; `name` is the file's, for the message of an error.

    Raises:
        SettingsError: it is no TOML, or says something that isn't known or can't be.
    """
    try:
        rules = tuple(msgspec.convert(tomllib.loads(text), _File).alert)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{name} is no TOML: {str(error).partition(';')[0]}") from error
    for rule in rules:
        _check(rule, f"{name}: the alert “{rule.name}”")
    if len({rule.name for rule in rules}) < len(rules):
        raise SettingsError(f"{name}: two alerts have the same name")
    return rules


def _check(rule: Rule, place: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", rule.name):
        raise SettingsError(f"{place}: a name has letters, digits and _ . -, at most 64")
    most = 1.0 if rule.metric in SHARES else 1e12
    if not 0 <= rule.above <= most or not 0 <= rule.clears_at <= rule.above:
        raise SettingsError(f"{place}: above takes a number from 0 to {most:g}, and clear one that isn't above it")
    if rule.minimum < 1:
        raise SettingsError(f"{place}: minimum takes a whole number from 1 on")
    if rule.metric in PRESENT and rule.store is not None:
        raise SettingsError(f"{place}: {rule.metric} is of all stores; leave store out")
    if milliseconds(rule.lasting) < 0 or milliseconds(rule.window) < UNITS_MS["m"] or rule.window.endswith("s"):
        raise SettingsError(f"{place}: window takes 30m, 6h, 7d and the like, and for also 30s")


def milliseconds(text: str) -> int:
    """Read a length of time, such as 90s or 6h; -1 where it is none."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    length = int(found[1]) * UNITS_MS[found[2]] if found else -1
    return length if length <= LONGEST_MS else -1
