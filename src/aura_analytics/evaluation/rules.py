"""The rules that need no model: a list, asked from the top, the first that fits decides. It is read from a file."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.condition import quoted, unknown
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.rule import Rule, rule
from aura_analytics.events.records import Interaction

DEFAULT = "rules.toml"
KEY = "rule"


@cache
def default_rules() -> tuple[Rule, ...]:
    """Give the rules that come with the package."""
    return parse_rules(files(__package__).joinpath(DEFAULT).read_text("utf-8"), DEFAULT)


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules.

    Raises:
        SettingsError: it can't be read, or says something that isn't known; the message names the place.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        cause = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else getattr(error, "strerror", None)
        raise SettingsError(f"{path} can't be read: {cause or 'this is no path'}") from error
    return parse_rules(text, str(path))


def parse_rules(text: str, name: str) -> tuple[Rule, ...]:
    """Make rules of TOML.

    Args:
        text: a `[[rule]]` for each, in their order.
        name: the file's, for the message of an error.

    Raises:
        SettingsError: it is no TOML, or says something that isn't known; the message names the place.
    """
    try:
        said = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number of very many digits is no TOMLDecodeError
        cause = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).partition(";")[0]
        raise SettingsError(f"{name} is no TOML: {cause}") from error
    for key in said:
        if key != KEY:
            raise unknown(name, f"there is no key {quoted(key)}", key, (KEY,))
    tables = said.get(KEY)
    if not isinstance(tables, list):
        raise SettingsError(f"{name} holds no rules; each begins with [[rule]]")
    rules = tuple(rule(f"{name}: rule {number}", table) for number, table in enumerate(tables, 1))
    _refuse_the_same(rules, name)
    return rules


def _refuse_the_same(rules: Sequence[Rule], name: str) -> None:
    """Refuse a reason that two rules give: nobody could tell which of them decided."""
    seen: dict[str, int] = {}
    for number, one in enumerate(rules, 1):
        if one.reason in seen:
            raise SettingsError(f"{name}: rule {number}, reason: {one.reason} is rule {seen[one.reason]}'s already")
        seen[one.reason] = number


def judge_by_rules(interaction: Interaction, rules: Sequence[Rule] | None = None) -> Judgement | None:
    """Give the judgement of the first rule that fits, or None where a judge has to look.

    Args:
        interaction: what is judged.
        rules: in their order; those of the package by default.
    """
    for one in default_rules() if rules is None else rules:
        if one.fits(interaction):
            return Judgement(one.label, one.reason, one.confidence)
    return None
