"""What the archive asks of a row database, whichever it is. All of it blocks, so it is called on threads.

An interaction is in the tables or in the archive, never in both: `archived_ids` decides, and changes in the transaction
that takes its rows away or puts them back. A file's row without its id there is of no account.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, Protocol

import msgspec

from aura_analytics.store.copying.side import Side
from aura_analytics.store.copying.tables import EVALUATIONS, HISTORY, OUTCOMES, QUERIES, TableName
from aura_analytics.store.queries import Row
from aura_analytics.store.shelved import Rows

# What an interaction consists of, by which it lies in a file. What makes work is in no file: it stays until it is done.
SHELVED = (QUERIES, OUTCOMES, EVALUATIONS, HISTORY)

DAY_MS = 86_400_000
# How many interactions a transaction moves: others wait for it meanwhile.
STEP = 200
# No moment is before it: a whole number of 64 bits.
FIRST_MOMENT = -(2**63)

State = Literal["removing", "done"]


class ArchiveFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the archive. `held`: how many of its interactions are in force; `content`: the checksum of its rows."""

    number: int = 0
    day: int
    store_id: str
    path: str
    interactions: int
    held: int = 0
    bytes: int
    content: str
    sha256: str
    format: int


class ArchiveDay(msgspec.Struct, frozen=True):
    """How far a day has come: what its files hold is being removed from the tables, or is."""

    day: int
    state: State
    changed_at: int


class ShelfSide(Side, Protocol):
    """One row database, as the archive sees it."""

    def ask(self, name: str, **values: object) -> list[Row]:
        """Read by a statement; a list of ids is given as a list."""

    def tell(self, name: str, **values: object) -> int:
        """Change by a statement; give how many rows it were."""

    def moving(self) -> AbstractContextManager[None]:
        """Have a transaction, and see that nobody else changes interactions until it ends."""

    def lock_archive(self) -> bool:
        """Keep others that write files of the archive away from this database; False where there is one."""

    def unlock_archive(self) -> None:
        """Let others write files of the archive."""


class Shelf:
    """The archive's side of a row database.

    Args:
        side: an open one, which one thread uses at a time.
    """

    def __init__(self, side: ShelfSide) -> None:
        self.side = side

    def foreign_columns(self) -> dict[TableName, set[str]]:
        """Give the columns that a file has no place for: somebody has added them."""
        known = {table.name: {column.name for column in table.columns} for table in SHELVED}
        there = {name: {column for (column,) in self.side.ask("columns", table=name)} for name in known}
        return {name: columns - known[name] for name, columns in there.items() if columns - known[name]}

    def days_with_rows(self, before: int) -> Iterator[int]:
        """Give the days before one that have interactions in the tables, in their order."""
        day = 0
        while day < before:
            [(first,)] = self.side.ask("next_moment", since=day * DAY_MS, before=before * DAY_MS)
            if first is None:
                return
            day = int(first // DAY_MS)
            yield day
            day += 1

    def resting(self, day: int) -> list[str]:
        """Give the interactions of a day that make no work any more."""
        found = self.side.ask("resting", since=day * DAY_MS, before=(day + 1) * DAY_MS)
        return [id for (id,) in found if type(id) is str]

    def waiting(self, day: int) -> int:
        """Count the interactions of a day that make work, and so can't leave."""
        [(count,)] = self.side.ask("waiting", since=day * DAY_MS, before=(day + 1) * DAY_MS)
        return int(count)

    def rows_of(self, ids: Sequence[str]) -> dict[str, Rows]:
        """Read interactions with all that belongs to them, each table's rows in their order."""
        found: dict[str, Rows] = {id: {} for id in ids}
        for table in SHELVED:
            for row in self.side.rows(table.name, ids, most_text=None):
                if row[0] in found:
                    found[row[0]].setdefault(table.name, []).append(row)
        return {id: rows for id, rows in found.items() if "voice_queries" in rows}

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Have a transaction in which interactions may go from one place to the other."""
        with self.side.moving():
            yield

    def busy_among(self, ids: Sequence[str]) -> set[str]:
        """Tell which of some interactions make work."""
        return {id for (id,) in self.side.ask("working", ids=list(ids))}

    def put_away(self, ids: Sequence[str], file: ArchiveFile) -> None:
        """Take interactions out of the tables, since they lie in a file; in `moving`."""
        self.side.tell("hold_sessions", ids=list(ids), day=file.day)
        self.side.tell("hold_ids", ids=list(ids), file=file.number)
        self.side.tell("held", file=file.number, change=len(ids))
        for name in ("delete_history", "delete_evaluations", "delete_outcomes", "delete_queries"):
            self.side.tell(name, ids=list(ids))

    def put_back(self, rows: dict[str, Rows], file: int, *, now: int) -> list[str]:
        """Put the interactions back into the tables that still lie in a file; tell which. In `moving`.

        Followers are told: one that is just reading everything may have passed both places.
        """
        taken = self.take_out(list(rows), file)
        for table in SHELVED:
            self.side.write(table.name, [row for id in taken for row in rows[id].get(table.name, [])])
        self.side.publish(taken, (), now=now)
        return taken

    def take_out(self, ids: Sequence[str], file: int) -> list[str]:
        """Note that interactions no longer lie in a file; tell which did. In `moving`."""
        taken = [id for (id,) in self.side.ask("take_out", ids=list(ids), file=file)]
        self.side.tell("held", file=file, change=-len(taken))
        return taken

    def delete(self, ids: Sequence[str], *, now: int) -> None:
        """Remove interactions from the tables for good, and tell followers; in `moving`."""
        for name in ("delete_history", "delete_evaluations", "delete_outcomes", "delete_queue", "delete_queries"):
            self.side.tell(name, ids=list(ids))
        self.side.publish(list(ids), (), now=now)

    def old_conversions(self, before: int, limit: int) -> list[str]:
        """Give some conversions from before a moment."""
        return [id for (id,) in self.side.ask("old_conversions", before=before, limit=limit)]

    def delete_conversions(self, ids: Sequence[str], *, now: int) -> None:
        """Remove conversions for good, and tell followers; in `moving`."""
        self.side.tell("delete_conversions", ids=list(ids))
        self.side.publish((), list(ids), now=now)

    def delete_others(self, before: int, *, totals: bool) -> int:
        """Remove what else is from before a moment: outcomes that no query came to, requests to models, totals if asked."""
        self.side.tell("delete_sessions", day=before // DAY_MS)
        names = ("delete_lone_outcomes", "delete_early_outcomes", "delete_calls")
        count = sum(self.side.tell(name, before=before) for name in names)
        return count + (self.side.tell("delete_hours", before=before // 1000) if totals else 0)

    def keep_totals(self, before_s: int | None) -> None:
        """Let the totals of the hours before a moment stay as they are; None: of no hour. In a transaction."""
        if before_s is None:
            self.side.tell("forget_kept_totals")
        else:
            self.side.tell("keep_totals", before=before_s)

    def find(self, ids: Sequence[str]) -> dict[str, int]:
        """Tell in which files interactions lie."""
        return dict(self.side.ask("find", ids=list(ids))) if ids else {}

    def held_in(self, file: int, after: str, limit: int) -> list[str]:
        """Give some of the interactions that lie in a file, in the order of their ids."""
        return [id for (id,) in self.side.ask("held_in", file=file, after=after, limit=limit)]

    def count(self) -> int:
        """Count the interactions that lie in the archive."""
        [(count,)] = self.side.ask("count")
        return int(count)

    def files(self, day: int | None = None) -> list[ArchiveFile]:
        """Give the files that count, of all days or of one."""
        return [_file_of(row) for row in self.side.ask("files", day=day)]

    def file(self, number: int) -> ArchiveFile | None:
        """Give a file that counts, as it is now."""
        return next((_file_of(row) for row in self.side.ask("file", number=number)), None)

    def sessions_of(self, user_id: str) -> list[tuple[str, str]]:
        """Give the sessions, each with its store, that somebody has in the tables."""
        return [(store, session) for store, session in self.side.ask("sessions_of", user_id=user_id)]

    def forget_sessions(self, sessions: Sequence[str]) -> None:
        """Know no longer that sessions have turns in the archive; in a transaction."""
        self.side.tell("forget_sessions", ids=list(sessions))

    def old_ids(self, before: int, limit: int) -> list[str]:
        """Give some interactions in the tables that were asked before a moment."""
        found = self.side.ask("everything_of", since=FIRST_MOMENT, before=before, limit=limit)
        return [id for (id,) in found if type(id) is str]

    def leave(self, paths: Iterable[str]) -> None:
        """Note files that may be there from now on, and don't count."""
        with self.side.changing():
            for path in paths:
                self.side.tell("leave", path=path)

    def leftovers(self) -> list[str]:
        """Give the files that may be there and don't count."""
        return [path for (path,) in self.side.ask("leftovers")]

    def swept(self, path: str) -> None:
        """Note that a file is gone."""
        with self.side.changing():
            self.side.tell("unleave", path=path)

    def add_files(self, files: Iterable[ArchiveFile], day: ArchiveDay) -> None:
        """Let files count, and note how far their day has come, at once."""
        with self.side.changing():
            for file in files:
                self.side.tell("add_file", **_without(file, "number", "held"))
                self.side.tell("unleave", path=file.path)
            self._note(day)

    def replace_file(self, before: ArchiveFile, after: ArchiveFile) -> None:
        """Let a file that holds just what is in force take another one's place, which is left over; in `moving`."""
        values = _without(after, "number", "held", "day", "store_id")
        self.side.tell("replace_file", number=before.number, before=before.path, **values)
        self.side.tell("unleave", path=after.path)
        self.side.tell("leave", path=before.path)

    def drop_file(self, file: ArchiveFile) -> None:
        """Let a file count no longer, which is left over; in a transaction."""
        self.side.tell("drop_file", number=file.number)
        self.side.tell("leave", path=file.path)

    def days(self) -> list[ArchiveDay]:
        """Tell how far each day has come."""
        return [ArchiveDay(*row) for row in self.side.ask("days")]

    def note_day(self, day: ArchiveDay) -> None:
        """Note how far a day has come."""
        with self.side.changing():
            self._note(day)

    def drop_day(self, day: int) -> None:
        """Forget a day, unless it has a file."""
        with self.side.changing():
            self.side.tell("drop_day", day=day)

    def _note(self, day: ArchiveDay) -> None:
        self.side.tell("note_day", day=day.day, state=day.state, now=day.changed_at)


def _without(file: ArchiveFile, *names: str) -> dict[str, Any]:  # Any: the fields' own
    return {name: value for name, value in msgspec.structs.asdict(file).items() if name not in names}


def _file_of(row: Row) -> ArchiveFile:
    return ArchiveFile(**dict(zip(ArchiveFile.__struct_fields__, row, strict=True)))
