"""How one thing looks in a table: a number, a moment, a text that people said, a bar, a line of blocks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from aura_analytics.logs import plain

NOTHING = "–"
BLOCKS = "▁▂▃▄▅▆▇█"
EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
LEAST_WIDTH, BAR_WIDTH, SHORT_BAR = 8, 32, 16
SECOND_MS, MINUTE_MS = 1_000, 60_000


def table(title: str, *columns: str) -> Table:
    """Make an empty table; a column that begins with `>` is a number's."""
    made = Table(
        title=Text(plain(title)),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
    )
    for column in columns:
        number = column.startswith(">")
        made.add_column(column.removeprefix(">"), justify="right" if number else "left", no_wrap=number)
    return made


def said(text: str | None) -> Text:
    """Show what people said as it is: neither markup nor control characters mean anything."""
    return Text(plain(text), overflow="fold") if text is not None else Text(NOTHING, style="dim")


def count(value: float | None) -> str:
    """Show a count, or an average of counts."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def ms(value: float | None) -> str:
    """Show a latency."""
    return NOTHING if value is None else f"{value:,.0f} ms"


def percent(value: float | None) -> str:
    """Show what is percent already."""
    return NOTHING if value is None else f"{value:.1f} %"


def rate(value: float | None) -> str:
    """Show a share of 0 to 1 as percent."""
    return NOTHING if value is None else percent(100 * value)


def number(value: float | None) -> str:
    """Show a number that is neither a count nor a share, such as κ."""
    return NOTHING if value is None else f"{value:z.3f}"


def interval(share: Mapping[str, float] | None) -> str:
    """Show from where to where a share of 0 to 1 may lie in truth, as percent."""
    return NOTHING if share is None else f"{100 * share['low']:.1f} to {100 * share['high']:.1f} %"


def number_interval(found: Mapping[str, float | None] | None) -> str:
    """Show from where to where a number may lie in truth, if that is known."""
    if found is None or found["low"] is None:
        return NOTHING
    return f"{number(found['low'])} to {number(found['high'])}"


def dollars(value: float | None) -> str:
    """Show a cost, which is a small part of a dollar."""
    return NOTHING if value is None else f"${value:,.4f}"


def amount(value: float | None, currency: str | None) -> Text:
    """Show what somebody paid; the currency is what an event said."""
    if value is None:
        return said(None)
    return said(f"{value:,.2f} {currency}" if currency else f"{value:,.2f}")


def moment(epoch_ms: int) -> str:
    """Show a moment (UTC) to the minute."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def start(moment: str) -> str:
    """Show where a step starts by the clock of its zone; a day is a day."""
    return moment[:16].replace("T", " ").removesuffix(" 00:00")


def length(value: float | None) -> str:
    """Show how long something went on."""
    if value is None:
        return NOTHING
    if value < MINUTE_MS:
        return f"{value / SECOND_MS:.0f} s"
    return f"{value / MINUTE_MS:,.0f} min"


def lines(texts: Iterable[Text]) -> Text:
    """Show texts below each other; a dash where there are none."""
    found = list(texts)
    return Text("\n", overflow="fold").join(found) if found else said(None)


def points(value: float) -> str:
    """Show by how many hundredths a share has changed."""
    return f"{100 * value:+.1f} points"


def relative(value: float | None) -> str:
    """Show by which part a figure has changed; where there was nothing before, there is no such part."""
    return NOTHING if value is None else f"{100 * value:+,.1f} %"


class Bar:
    """A bar that takes a share of the room it has, which is `width` at most."""

    def __init__(self, share: float, width: int = BAR_WIDTH) -> None:
        self._share = min(1.0, max(0.0, share))
        self._width = width

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell how much room a bar takes."""
        return Measurement(LEAST_WIDTH, min(self._width, max(LEAST_WIDTH, options.max_width)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, to an eighth of a character."""
        eighths = round(self._share * min(self._width, options.max_width) * len(EIGHTHS))
        yield Text("█" * (eighths // len(EIGHTHS)) + EIGHTHS[eighths % len(EIGHTHS)], style="cyan", no_wrap=True)


class Sparkline:
    """A line of blocks, one for each value, or one for several neighbours where there is less room than values.

    Args:
        values: what is drawn; None where there is none.
        beside: another line's, so that both have one scale.
        style: the colour.
    """

    def __init__(
        self, values: Sequence[float | None], *, beside: Sequence[float | None] = (), style: str = "cyan"
    ) -> None:
        self._values = values
        self._beside = beside
        self._style = style

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell how much room a line takes."""
        wanted = max(1, len(self._values))
        return Measurement(min(LEAST_WIDTH, wanted), min(wanted, max(LEAST_WIDTH, options.max_width)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it from nothing to the greatest value."""
        drawn, beside = (gathered(values, options.max_width) for values in (self._values, self._beside))
        greatest = max((value for value in (*drawn, *beside) if value is not None), default=0.0)
        yield Text(sparkline(drawn, greatest), style=self._style, no_wrap=True)


def sparkline(values: Sequence[float | None], greatest: float) -> str:
    """Draw values as blocks, from nothing to the greatest; what is absent stays blank."""
    return "".join(" " if value is None else _block(value, greatest) for value in values)


def _block(value: float, greatest: float) -> str:
    if greatest <= 0 or value <= 0:
        return BLOCKS[0]
    return BLOCKS[min(len(BLOCKS) - 1, int(value / greatest * len(BLOCKS)))]


def gathered(values: Sequence[float | None], width: int) -> Sequence[float | None]:
    """Give at most so many values, each the average of neighbours."""
    if len(values) <= width:
        return values
    edges = [round(place * len(values) / width) for place in range(width + 1)]
    return [_average(values[low:high]) for low, high in pairwise(edges)]


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
