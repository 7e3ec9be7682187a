"""The newest of some rows, without reading a whole window for them."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from aura_analytics.projection import Question, Slice
from aura_analytics.stats.reader import Reader

HOUR_MS = 3_600_000
# How far is looked back, one after the other, before all of the window is read.
LOOKS_MS = (HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS)


async def newest(reader: Reader, question: Question, enough: Callable[[list[Any]], bool]) -> list[Any]:
    """Ask about ever longer parts of a window, up to its end, until the answer is enough, or of all of it.

    It is exact where what is asked for comes newest first and is cut off. Any: what a cell can be.
    """
    rows: list[Any] = []
    for part in _ever_longer(question.about, reader.now):
        rows = await reader.ask(replace(question, about=part))
        if enough(rows):
            break
    return rows


def _ever_longer(about: Slice, now: int) -> Iterator[Slice]:
    end = now if about.end is None else min(about.end, now)
    for back in LOOKS_MS:
        if about.start is None or end - back > about.start:
            yield replace(about, start=end - back)
    yield about
