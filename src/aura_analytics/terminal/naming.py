"""A judge as the command line names it: a model, a rubric, or both; the rest is as the settings say."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings

TAKES = "provider:model, a rubric's file, or provider:model@file"
# One model, or two with a comma between, as EVAL_MODEL has them.
MODELS = re.compile(r"[^:,\s]+:[^,\s]+(,[^:,\s]+:[^,\s]+)?")


def named(settings: Settings, name: str) -> Settings:
    """Give the settings of the judge of a name.

    Where its model isn't the settings' own, their price isn't its price, and their address only where the provider is the same.

    Raises:
        SettingsError: the name is none.
    """
    model, rubric = _parts(name)
    if rubric is not None:
        settings = msgspec.structs.replace(settings, eval_rubric=rubric)
    if model is None:
        return settings
    places = [_place(settings, one) for one in model.split(",")]
    return msgspec.structs.replace(
        settings,
        eval_model=model,
        eval_base_url=_joined([url for url, _ in places]),
        eval_price=_joined([price for _, price in places]),
    )


def _parts(name: str) -> tuple[str | None, str | None]:
    """Tell the model from the rubric; a file of such a name is one, whatever it looks like."""
    if Path(name).is_file():
        return None, name
    model, at, rubric = name.rpartition("@")
    if at and rubric and (not model or MODELS.fullmatch(model)):
        return model or None, rubric
    if at or not name or name != name.strip():
        raise SettingsError(f"“{name}” is no judge; it takes {TAKES}")
    return (name, None) if MODELS.fullmatch(name) else (None, name)


def _place(settings: Settings, model: str) -> tuple[str, str]:
    """Give the address and the price that the settings have for a model."""
    known = settings.eval_model.split(",")
    urls, prices = _of_each(settings.eval_base_url, len(known)), _of_each(settings.eval_price, len(known))
    if "," not in settings.eval_base_url:
        urls = [settings.eval_base_url] * len(known)  # one is that of all
    if model in known:
        place = known.index(model)
        return urls[place], prices[place]
    by_provider = {one.partition(":")[0]: url for one, url in zip(reversed(known), reversed(urls), strict=True)}
    return by_provider.get(model.partition(":")[0], ""), ""


def _of_each(text: str, models: int) -> list[str]:
    """Give what a setting says for each of so many models; one that it says nothing of has none."""
    given = text.split(",")
    return given + [""] * (models - len(given))


def _joined(values: Sequence[str]) -> str:
    return ",".join(values) if any(values) else ""
