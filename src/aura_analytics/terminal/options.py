"""The options of the reading commands, each once: what an endpoint is asked with, as it stands in its query string."""

import functools
import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import typer

WHICH = "Which interactions"
HOW = "How they are shown"


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One option. `name` is the parameter's, whose dashes are underscores; Any: the type that Typer reads."""

    name: str
    help: str
    kind: Any = str | None
    panel: str = HOW
    least: int | None = None
    metavar: str | None = None

    @property
    def key(self) -> str:
        """The name as Python can have it."""
        return f"{self.name}_" if keyword.iskeyword(self.name) else self.name

    @property
    def parameter(self) -> inspect.Parameter:
        """The parameter of a function from which Typer makes the option."""
        default = typer.Option(
            False if self.kind is bool else None,
            f"--{self.name.replace('_', '-')}",
            help=self.help,
            min=self.least,
            metavar=self.metavar,
            rich_help_panel=self.panel,
        )
        return inspect.Parameter(self.key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=self.kind)


def _which(name: str, help: str, metavar: str | None = None) -> Option:
    return Option(name=name, help=help, panel=WHICH, metavar=metavar or name.upper())


def _several(name: str, help: str) -> Option:
    text = f"{help}; may be given several times."
    return Option(name=name, help=text, kind=list[str] | None, panel=WHICH, metavar=name.upper())


# What every reading endpoint takes.
SCOPE = (
    _which("period", "30m, 24h, 7d …, or all; by default 24h."),
    _which("from", "ISO 8601 or epoch milliseconds, included.", "MOMENT"),
    _which("to", "ISO 8601 or epoch milliseconds, included.", "MOMENT"),
    _several("store", "Only this store"),
    _several("intent", "Only this intent, or (none)"),
    _several("model", "Only this model, or (none)"),
    _several("source", "voice, text or test"),
    _several("label", "GOOD, REVIEW, BAD or (none)"),
    _several("reason", "Only this reason of the label, or (none)"),
    _several("action", "Only this action, or (none)"),
    _which("user", "Only this user."),
    _which("session", "Only this session."),
    _which("text", "Only what was said with this in it, whatever its case."),
    _which("latency_min", "Milliseconds, included.", "MS"),
    _which("latency_max", "Milliseconds, included.", "MS"),
    _which("confidence_min", "The recogniser's, 0 to 1, included.", "SHARE"),
    _which("confidence_max", "The recogniser's, 0 to 1, included.", "SHARE"),
)

LIMIT = Option(name="limit", help="Most rows.", kind=int | None, least=1)
NORMALIZE = Option(name="normalize", help="All spellings of a text as one.", kind=bool)
COMPARE = Option(name="compare", help="previous: beside the window of equal length right before.")
TZ = Option(name="tz", help="A time zone, such as Europe/Berlin; by default UTC.", metavar="ZONE")
STEP = Option(name="step", help="minute, hour, day, week or month.")
SPLIT = Option(name="split", help="By store, intent, model, source, label or action.")
TOP = Option(
    name="top", help="How many groups have a series of their own, 1 to 50; by default 5.", kind=int | None, least=1
)
METRIC = Option(
    name="metric",
    metavar="METRIC",
    help="What to show, such as queries or latency_p95; may be given several times.",
    kind=list[str] | None,
)
BUCKETS = Option(name="buckets", help="A histogram of so many bars of equal width.", kind=int | None, least=1)
SORT = Option(name="sort", help="created_at, latency, cost or confidence (the recogniser's).")
ORDER = Option(name="order", help="desc or asc.")
CURSOR = Option(name="cursor", help="The last page's nextCursor: what comes after it.")
WHICH_PAIRS = Option(name="examples", help="newest, or the most frequent pairs.")
HOW_MANY = Option(name="examples", help="How many interactions of each cause, 0 to 100; by default 3.", kind=int | None)
MIN_QUERIES = Option(
    name="min_queries",
    help="How many queries an intent must have to be listed; by default 20.",
    kind=int | None,
    least=1,
)


def scoped(*, without: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of a scope in place of its parameter `where`.

    Args:
        without: the one that the command has itself, with a meaning of its own, if there is one.
    """
    return taking([option for option in SCOPE if option.name != without])


def taking(asked: Sequence[Option]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command some options in place of its parameter `where`, which is told those that were said."""

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def taking_command(**values: Any) -> None:  # Any: what Typer makes of the options
            where = given(asked, values)
            command(where, **{name: value for name, value in values.items() if name not in keys})

        keys = {option.key for option in asked}
        own = inspect.signature(command, eval_str=True).parameters
        kept = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, one in own.items() if name != "where"]
        parameters = [*kept, *(option.parameter for option in asked)]
        taking_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return taking_command

    return decorated


def given(options: Iterable[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was said on the command line as an endpoint's parameters; what wasn't is left out."""
    return {
        option.name: "true" if values[option.key] is True else values[option.key]
        for option in options
        if _was_said(values[option.key])
    }


def _was_said(value: Any) -> bool:  # Any: what Typer makes of an option; 0 is said
    return value is not None and value is not False and value != []
