"""The options that choose interactions by what their rows say, and how they are read."""

from collections.abc import Mapping
from typing import Any, Literal

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import LABELS, Label
from aura_analytics.stats import scope as scopes
from aura_analytics.store.judging import Choice
from aura_analytics.terminal.options import WHICH, Option

UNLABELLED = "none"


def _which(name: str, help: str, metavar: str | None = None, kind: Any = str | None) -> Option:  # Any: see Option
    return Option(name=name, help=help, panel=WHICH, metavar=metavar or name.upper(), kind=kind)


STORE = _which("store", "Only this store.")
CHOICE = (
    _which("period", "30m, 24h, 7d …; by default all."),
    _which("from", "ISO 8601 or epoch milliseconds, included.", "MOMENT"),
    _which("to", "ISO 8601 or epoch milliseconds, included.", "MOMENT"),
    STORE,
    _which("intent", "Only this intent."),
    _which("label", "Only those labelled GOOD, REVIEW or BAD; none: those without a label."),
    _which("reason", "Only this reason of the label."),
    _which("method", "Only labels by this method: rules, a model, or a person."),
    _which("rubric", "Only labels by this rubric, such as voice-shopping@0123456789ab."),
    _which("below", "Only labels that are less sure than this, 0 to 1.", "CONFIDENCE", float | None),
)


def chosen(values: Mapping[str, Any], *, now: int) -> Choice:
    """Read a choice. Without a window it is about all times.

    Args:
        values: by the options' names, as `options.given` gives them. Any: a text, or a number.
        now: the moment that a period reaches back from.

    Raises:
        ParameterError: a value can't be read.
    """
    window = {name: values.get(name) for name in ("period", "from", "to")}
    if not any(window.values()):
        window["period"] = "all"
    scope = scopes.parse(window, now=now)
    below = values.get("below")
    if below is not None and not 0 <= below <= 1:
        raise ParameterError("below is a number from 0 to 1")
    label = values.get("label")
    return Choice(
        store_id=values.get("store"),
        since=scope.start,
        until=scope.end,
        intent=values.get("intent"),
        label=None if label is None else _label(label),
        reason=values.get("reason"),
        method=values.get("method"),
        rubric=values.get("rubric"),
        below=below,
    )


def _label(text: str) -> Label | Literal["none"]:
    for known in LABELS:
        if text.upper() == known:
            return known
    if text.lower() == UNLABELLED:
        return "none"
    raise ParameterError(f"label is one of {', '.join(LABELS)}, or {UNLABELLED} for those without one")
