"""Where output goes: results to standard output, all that is said on the way there to standard error."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn


def results() -> Console:
    """Make the console of results. In a pipe it is wide enough to break no line."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=240)


def notes() -> Console:
    """Make the console of everything that isn't a result."""
    return Console(stderr=True, highlight=False, emoji=False)


class Meter:
    """Moves one bar; without a terminal there is none, and moving it does nothing."""

    def __init__(self, bar: Progress | None, task: TaskID | None) -> None:
        self._bar = bar
        self._task = task

    def set(self, completed: float, note: str = "") -> None:
        """Say how much is done, and what else is worth knowing."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=completed, note=note)


@contextmanager
def progress(what: str, total: float | None) -> Iterator[Meter]:
    """Show a bar with what is left on a terminal; nothing in a pipe.

    Args:
        what: what is going on, in a word or two.
        total: how much there will be, if known.
    """
    console = notes()
    if not console.is_terminal:
        yield Meter(None, None)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        yield Meter(bar, bar.add_task(what, total=total, note=""))
