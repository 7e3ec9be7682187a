"""Pages into the target: each one a transaction, with what it changed told to those who follow, and how far the copy is."""

from collections import Counter
from collections.abc import Sequence

from aura_analytics.clock import Clock
from aura_analytics.store.copying.merging import Merge, Standing, merged
from aura_analytics.store.copying.page import Page, Reader
from aura_analytics.store.copying.side import Progress, Side
from aura_analytics.store.copying.tables import EVALUATIONS, HISTORY, QUEUE, TableName
from aura_analytics.store.queries import Row


class Target:
    """Writes what is copied from one database. All of it blocks.

    Args:
        side: the rows.
        source: the identity of the database that is copied.
        clock: the present.
    """

    def __init__(self, side: Side, source: str, clock: Clock) -> None:
        self.side = side
        self._source = source
        self._clock = clock

    def progress(self) -> Progress | None:
        """Read how far the copy has come."""
        return self.side.progress(self._source)

    def note(self, progress: Progress) -> None:
        """Note how far the copy has come, where nothing had to be written for that."""
        with self.side.changing():
            self.side.note_progress(self._source, progress, now=self._clock())

    def write(self, page: Page, progress: Progress) -> Counter[TableName]:
        """Write a page and how far the copy has come with it; count what was written."""
        with self.side.changing():
            written = self._conversions(page) if "voice_conversions" in page.rows else self._interactions(page)
            self.side.note_progress(self._source, progress, now=self._clock())
        return written

    def _conversions(self, page: Page) -> Counter[TableName]:
        rows = [row for rows in page.rows["voice_conversions"].values() for row in rows]
        count = self.side.write("voice_conversions", rows)
        if count:
            self.side.publish((), page.ids, now=self._clock())
        return Counter({"voice_conversions": count})

    def _interactions(self, page: Page) -> Counter[TableName]:
        merge = merged(page, standing(self.side, page), now=self._clock())
        written = self._merge(merge)
        if written.total():
            self.side.publish(page.ids, (), now=self._clock())
        return written

    def _merge(self, merge: Merge) -> Counter[TableName]:
        written: Counter[TableName] = Counter()
        for table, rows in merge.rows.items():
            written[table] += self.side.write(table, rows)
        if merge.done:
            written["evaluation_queue"] += self.side.unqueue(merge.done)
        return written


def standing(side: Side, page: Page) -> Standing:
    """Read what a side holds of a page's ids; of the earlier labels, only those that may be among the page's."""
    evaluations = side.rows("voice_evaluations", page.ids, most_text=None)
    earlier = list({*page.rows["voice_evaluation_history"], *(row[0] for row in evaluations)})
    read: dict[TableName, list[Row]] = {
        "voice_evaluations": evaluations,
        "voice_evaluation_history": _rows(side, "voice_evaluation_history", earlier),
        "evaluation_queue": side.rows("evaluation_queue", page.ids, most_text=None),
    }
    return Standing(
        moments={id: tuple(moments) for id, *moments in side.moments(page.ids)},
        outcomes=side.answered(page.ids),
        page=Reader(side).paged((EVALUATIONS, HISTORY, QUEUE), page.ids, read),
    )


def _rows(side: Side, table: TableName, ids: Sequence[str]) -> list[Row]:
    return side.rows(table, ids, most_text=None) if ids else []
