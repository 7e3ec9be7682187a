"""Some interactions with all that belongs to them, or some conversions: as much as is copied in one transaction."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from aura_analytics.store.copying.cells import Cells, Mended
from aura_analytics.store.copying.side import Mark, Side, TooMuchText
from aura_analytics.store.copying.tables import Stage, Table, TableName
from aura_analytics.store.port import PAGE_TEXT
from aura_analytics.store.queries import Row

PAGE_ROWS = 4_096
FIRST_NUMBER = -(2**63)

# The rows of a table by their keys: one each, but in the history.
Rows = dict[str, list[Row]]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to some ids. `mark`: where a walk goes on from. `leased`: whose work somebody has claimed."""

    ids: list[str]
    rows: dict[TableName, Rows]
    leased: frozenset[str] = frozenset()
    mark: str = ""

    def one(self, table: TableName, id: str) -> Row | None:
        """Give the one row of an id, if it is there."""
        found = self.rows[table].get(id)
        return found[0] if found else None


class Reader:
    """Reads pages of one side, in the other one's types; counts what had no key to be found by.

    Args:
        side: where the rows are.
        cells: makes them what the other side's columns hold; None leaves them as they are.
    """

    def __init__(self, side: Side, cells: Cells | None = None) -> None:
        self.side = side
        self._cells = cells
        self.left: Counter[TableName] = Counter()

    def walk(self, stage: Stage, after: Mark) -> Iterator[Page]:
        """Go through a stage after a mark, page by page."""
        while found := self.side.walk(stage, after, PAGE_ROWS):
            after = found[-1][0]
            marks = {id: str(mark) for mark, id in found if type(id) is str}
            self.left[stage.walked] += sum(type(id) is Mended for _, id in found)
            for page in self.pages(stage.tables, list(marks)):
                self.left[stage.walked] += len(page.ids) - len(page.rows[stage.walked])
                yield msgspec.structs.replace(page, mark=marks[page.ids[-1]])

    def pages(self, tables: Sequence[Table], ids: Sequence[str]) -> Iterator[Page]:
        """Read what belongs to some ids, in as many pages as its text takes."""
        if not ids:
            return
        for start in range(0, len(ids), PAGE_ROWS):
            yield from self._halved(tables, ids[start : start + PAGE_ROWS])

    def _halved(self, tables: Sequence[Table], ids: Sequence[str]) -> Iterator[Page]:
        try:
            yield self.page(tables, ids, most_text=PAGE_TEXT if len(ids) > 1 else None)
        except TooMuchText:
            half = len(ids) // 2
            yield from self._halved(tables, ids[:half])
            yield from self._halved(tables, ids[half:])

    def page(self, tables: Sequence[Table], ids: Sequence[str], *, most_text: int | None = None) -> Page:
        """Read what belongs to some ids, as it was at one moment."""
        read: dict[TableName, list[Row]] = {}
        with self.side.reading():
            for table in tables:
                read[table.name] = self.side.rows(table.name, ids, most_text=most_text)
        return self.paged(tables, ids, read)

    def paged(self, tables: Sequence[Table], ids: Sequence[str], read: dict[TableName, list[Row]]) -> Page:
        """Make a page of rows."""
        queued = read.get("evaluation_queue", [])
        leased = frozenset(row[0] for row in queued if row[-1] is not None)
        if queued:
            read = read | {"evaluation_queue": [row[:-1] for row in queued]}
        rows = {table.name: self._by_key(table, read.get(table.name, [])) for table in tables}
        return Page(ids=list(ids), rows=rows, leased=leased)

    def _by_key(self, table: Table, rows: Sequence[Row]) -> Rows:
        found: Rows = {}
        for row in rows:
            cells = row if self._cells is None else self._cells.converted(table, row)
            if cells is None:
                self.left[table.name] += 1
            else:
                found.setdefault(cells[0], []).append(cells)
        return found
