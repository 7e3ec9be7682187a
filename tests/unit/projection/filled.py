"""Files of columns that are filled by hand, without a feed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aura_analytics.projection import Question
from aura_analytics.projection.columns import ColumnFile
from aura_analytics.projection.coverage import DAY_MS
from aura_analytics.projection.unsettled import Ready
from aura_analytics.store.port import CONVERSION_COLUMNS, ConversionRow, FeedPoint, Surroundings
from unit.projection.recount import Cells, Change, grouped, row
from unit.projection.running import asking


def point(position: int) -> FeedPoint:
    return FeedPoint(position=position, moment=position * 11)


class Filled:
    """A file of columns that has all it was given, and counts its position on.

    Args:
        path: where it lies; None is in memory.
        rows: what it holds to begin with.
        conversions: the same.
        attribution_ms: how long before a conversion the interaction may lie that it is owed to.
        told: whether each change comes with what a row database says around it.
    """

    def __init__(
        self,
        path: Path | None = None,
        rows: Iterable[Cells] = (),
        conversions: Sequence[ConversionRow] = (),
        *,
        attribution_ms: int = DAY_MS,
        told: bool = False,
    ) -> None:
        self._told = told
        self._rows: dict[str, Cells] = {cells["id"]: cells for cells in rows}
        self._conversions = list(conversions)
        self.file = ColumnFile(path, memory_mb=256, threads=1, attribution_ms=attribution_ms)
        self.file.open()
        self.file.begin("identity", "follower", point(1))
        self.file.fill([row(cells) for cells in self._rows.values()])
        if conversions:
            self.file.fill_conversions(self._conversions)
        self.file.complete()
        self.position = 1
        self.file.apply((), (), point(1))

    def apply(self, change: Change, conversions: Sequence[ConversionRow] = ()) -> set[int]:
        """Take a change in."""
        self.position += 1
        self._rows |= {cells["id"]: cells for cells in change.rows}
        self._rows = {id: cells for id, cells in self._rows.items() if id not in change.gone}
        self._conversions += conversions
        around = self._around(change) if self._told else None
        rows = [row(cells) for cells in change.rows]
        return self.file.apply(change.ids, rows, point(self.position), conversions, around)

    def _around(self, change: Change) -> Surroundings:
        sessions = {cells["session_id"] for cells in change.rows} - {None}
        turns = grouped(self._rows.values(), lambda cells: cells["session_id"])
        moments = {session: [cells["created_at"] for cells in turns[session]] for session in sessions}
        query_id, session_id = (CONVERSION_COLUMNS.index(name) for name in ("query_id", "session_id"))
        return Surroundings(
            spans={session: (min(found), max(found)) for session, found in moments.items()},
            conversion_ids=[
                bought[0]
                for bought in self._conversions
                if bought[query_id] in change.ids or bought[session_id] in sessions
            ],
        )

    def ask(self, question: Question | str, **parameters: Any) -> list[tuple[Any, ...]]:
        """Ask; a text is a question about nothing in particular."""
        asked = asking(question, **parameters) if isinstance(question, str) else question
        return self.file.ask(self.file.generation, asked)

    def stale(self) -> tuple[list[int], list[int]]:
        return self.file.stale(self.file.generation)

    def settle(self, ready: Ready) -> None:
        self.file.settle(self.file.generation, ready)

    def settle_all(self) -> None:
        """Settle every cell that is stale, each by itself."""
        hours, days = self.stale()
        for hour in hours:
            self.settle(Ready(hours=(hour, hour)))
        for day in days:
            self.settle(Ready(day=day))

    def close(self) -> None:
        self.file.close()


@contextmanager
def filled(*given: Any, **named: Any) -> Iterator[Filled]:
    """Fill a file, and close it at the end."""
    made = Filled(*given, **named)
    try:
        yield made
    finally:
        made.close()
