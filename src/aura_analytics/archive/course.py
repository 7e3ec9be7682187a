"""The course of archiving: days out of the tables into files, round by round. All of it blocks.

A round takes some interactions of a day. They are written into files, which are read again where they lie and compared by
count and checksums; then the files count; then the interactions leave the tables, some in each transaction, as far as
they still are what was written. Whatever ends a round before its end, the next run ends it: a file that doesn't count is
removed, and one that counts goes on taking what it holds out of the tables.
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec
from ulid import ULID

from aura_analytics.archive.files import Files
from aura_analytics.archive.parquet import Parquet
from aura_analytics.archive.shape import FORMAT, ID, STORE, Flat, content, digest, fits, flattened
from aura_analytics.clock import Clock, now
from aura_analytics.errors import ArchiveError, StoreUnavailable
from aura_analytics.store.shelf import STEP, ArchiveDay, ArchiveFile, Shelf

Result = TypeVar("Result")

# Interactions and text of a round, which are in memory at once. Between two rounds others may write files.
ROUND, ROUND_TEXT = 20_000, 64 << 20
READ = 1_000
BETWEEN_ROUNDS_S = 0.2
# How long others may wait for a transaction that takes interactions out of the tables, and how few it takes at least.
MOVE_S, LEAST_STEP = 0.03, 20
# After each transaction others have the database for a multiple of the time that it took.
REST_SHARE, LEAST_REST_S = 2.0, 0.005
# How long another process is waited for that writes files, and a database that is busy.
LOCK_PATIENCE_S, BUSY_PATIENCE_S = 600.0, 60.0
PAUSE_S = 0.05
# A folder's name has at most 255 bytes.
LONGEST_STORE = 200
EPOCH = date(1970, 1, 1)
# What it looks like where files don't lie in the archive's place.
NOT_HERE = "as if it were the wrong place (ARCHIVE_URL), or a disk that isn't mounted"


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did. `waiting`: interactions that stay as they make work; `unfit`: as no file could give them back."""

    days: int = 0
    interactions: int = 0
    files: int = 0
    bytes: int = 0
    waiting: int = 0
    unfit: int = 0


class Archiver:
    """Writes files of the archive, and takes what they hold out of the tables.

    Args:
        shelf: the database, open; nobody else uses it meanwhile.
        files: where files lie.
        work: a folder of this machine for a file that is being made; what a killed run left there goes with the next.
        clock: the present.
        advance: told how many interactions have left the tables since it was told last.
    """

    def __init__(
        self,
        shelf: Shelf,
        files: Files,
        work: Path,
        *,
        clock: Clock = now,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.shelf = shelf
        self.files = files
        self._work = work
        self.parquet = Parquet()
        self._step, self._moved = LEAST_STEP, 0
        self._made: set[int] = set()
        self._clock = clock
        self._advance = advance

    def run(self, before: int) -> Archived:
        """Archive the whole days before one, and end what was begun and broken off.

        Args:
            before: days since 1970-01-01, UTC.

        Raises:
            ArchiveError: files can't be written or read, or the tables have columns that no file has a place for.
            StoreUnavailable: the database can't be used; the next run goes on.
        """
        if foreign := self.shelf.foreign_columns():
            named = ", ".join(f"{table}.{column}" for table, columns in foreign.items() for column in sorted(columns))
            raise ArchiveError(f"the archive has no place for columns that were added: {named}")
        with self.alone():
            self.mend()
        done = Archived()
        for day in self.shelf.days_with_rows(before):
            done = self._archive(day, done)
        return msgspec.structs.replace(done, interactions=self._moved)

    @contextlib.contextmanager
    def alone(self, patience_s: float = LOCK_PATIENCE_S) -> Iterator[None]:
        """Be the only one that writes or removes files of this database.

        Raises:
            StoreUnavailable: somebody else is, for longer than one waits.
        """
        until = time.monotonic() + patience_s
        while not self.shelf.side.lock_archive():
            if time.monotonic() > until:
                raise StoreUnavailable("another process is writing the archive; try again later")
            time.sleep(PAUSE_S)
        try:
            yield
        finally:
            self.shelf.side.unlock_archive()

    def mend(self) -> None:
        """End what was begun and broken off; alone.

        Raises:
            ArchiveError: not one of the files that count lies there, and what is written there would be lost to them.
        """
        self._refuse_elsewhere()
        self.sweep()
        for day in self.shelf.days():
            if day.state != "done":
                self._finish(day.day)

    def _refuse_elsewhere(self) -> None:
        """See that this is the place: a disk that isn't mounted leaves an empty folder, which can be written too."""
        names = {file.path for file in self.shelf.files()}
        if names and self.files.lacking(names) == names:
            raise ArchiveError(
                f"none of the archive's {len(names):,} files lies there, {NOT_HERE};"
                " nothing was written, and if they are gone for good, `archive abandon` gives them up"
            )

    def sweep(self) -> None:
        """Remove the files that don't count; alone."""
        shutil.rmtree(self._work, ignore_errors=True)
        for path in self.shelf.leftovers():
            self.files.remove(path)
            self.shelf.swept(path)

    def settle(self, file: ArchiveFile) -> None:
        """Let a file hold just what is in force: written anew without the rest, or removed; alone."""
        while (there := self.shelf.file(file.number)) is not None and there.held:
            if self._rewritten(there):
                return
        if there is not None:
            with self.shelf.side.changing():
                self.shelf.drop_file(there)
            self.sweep()

    def _rewritten(self, file: ArchiveFile) -> bool:
        """Write a file anew; tell whether it could take the place: something may have been put back meanwhile."""
        flats = [flat for flats in self.in_force(file) for flat in flats]
        name = _name_of(file.day, file.store_id)
        self.shelf.leave([name])
        with self._making() as path:
            fresh = self._written(file.day, file.store_id, flats, name, path)
        with self.shelf.moving():
            there = self.shelf.file(file.number)
            is_same = bool(flats) and there is not None and there.held == len(flats)
            if is_same:
                self.shelf.replace_file(file, fresh)
        self.sweep()
        return is_same

    def in_force(self, file: ArchiveFile) -> Iterator[list[Flat]]:
        """Give the interactions of a file that lie in the archive, some at a time."""
        for flats in self.parquet.read(self.files.local(file.path)):
            found = self.shelf.find([flat[ID] for flat in flats])
            yield [flat for flat in flats if found.get(flat[ID]) == file.number]

    def patiently(self, change: Callable[[], Result]) -> Result:
        """Make a change of the database as soon as it has time, and leave it to others for a while afterwards."""
        until = time.monotonic() + BUSY_PATIENCE_S
        while True:
            began = time.monotonic()
            try:
                return change()
            except StoreUnavailable:
                if time.monotonic() > until:
                    raise
            finally:
                time.sleep(max(LEAST_REST_S, REST_SHARE * (time.monotonic() - began)))

    def _archive(self, day: int, done: Archived) -> Archived:
        """Archive a day."""
        ids = self.shelf.resting(day)
        unfit = 0
        for start in range(0, len(ids), ROUND):
            with self.alone():
                unfit += self._round(day, ids[start : start + ROUND])
            time.sleep(BETWEEN_ROUNDS_S)
        files = [file for file in self.shelf.files(day) if file.number in self._made]
        return Archived(
            days=done.days + bool(files),
            files=done.files + len(files),
            bytes=done.bytes + sum(file.bytes for file in files),
            waiting=done.waiting + self.shelf.waiting(day),
            unfit=done.unfit + unfit,
        )

    def _round(self, day: int, ids: Sequence[str]) -> int:
        """Archive some interactions of a day; tell how many can't be."""
        unfit = 0
        flats: list[Flat] = []
        size = 0
        for start in range(0, len(ids), READ):
            rows = self.shelf.rows_of(ids[start : start + READ])
            fit = [flattened(one) for one in rows.values() if fits(one)]
            unfit += len(rows) - len(fit)
            flats += fit
            size += sum(len(cell) for flat in fit for cell in flat if type(cell) is str)
            if size > ROUND_TEXT:
                self._put_away(day, flats)
                flats, size = [], 0
        if flats:
            self._put_away(day, flats)
        return unfit

    def _put_away(self, day: int, flats: Sequence[Flat]) -> None:
        """Write interactions, let the files count, and take them out of the tables."""
        by_store: dict[str, list[Flat]] = {}
        for flat in flats:
            by_store.setdefault(flat[STORE], []).append(flat)
        names = {store: _name_of(day, store) for store in by_store}
        self.shelf.leave(names.values())
        with self._making() as path:
            files = [self._written(day, store, some, names[store], path) for store, some in by_store.items()]
        self.shelf.add_files(files, ArchiveDay(day, "removing", self._clock()))
        self._made |= {file.number for file in self.shelf.files(day) if file.path in names.values()}
        self._finish(day, {names[store]: _digests(some) for store, some in by_store.items()})

    @contextlib.contextmanager
    def _making(self) -> Iterator[Path]:
        """Have a path for files that are made one after another; alone, so nobody else has it."""
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveError(f"the archive's files can't be made beside the database: {error.strerror}") from error
        try:
            yield self._work / "part.parquet"
        finally:
            shutil.rmtree(self._work, ignore_errors=True)

    def _written(self, day: int, store: str, flats: Sequence[Flat], name: str, path: Path) -> ArchiveFile:
        """Write a file that doesn't count yet, and see that it gives back what it was given."""
        self.parquet.write(path, flats)
        expected = content([digest(flat) for flat in flats])
        checksum, size = _sha256(path), path.stat().st_size
        self.files.put(path, name)
        stored = self.files.local(name)
        again = [digest(flat) for some in self.parquet.read(stored) for flat in some]
        if (len(again), content(again), _sha256(stored)) != (len(flats), expected, checksum):
            raise ArchiveError(f"a file isn't what was written into it: {name}; nothing was removed")
        return ArchiveFile(
            day=day,
            store_id=store,
            path=name,
            interactions=len(flats),
            bytes=size,
            content=expected,
            sha256=checksum,
            format=FORMAT,
        )

    def _finish(self, day: int, known: Mapping[str, dict[str, bytes]] | None = None) -> None:
        """Take what a day's files hold out of the tables, and let them hold nothing else.

        `known`: the checksums of what was just written, by file, so that it needn't be read once more.
        """
        for file in self.shelf.files(day):
            if file.held < file.interactions:
                self._empty(file, (known or {}).get(file.path) or self._read_digests(file))
        self.shelf.note_day(ArchiveDay(day, "done", self._clock()))
        self.shelf.drop_day(day)

    def _read_digests(self, file: ArchiveFile) -> dict[str, bytes]:
        return _digests([flat for flats in self.parquet.read(self.files.local(file.path)) for flat in flats])

    def _empty(self, file: ArchiveFile, digests: dict[str, bytes]) -> None:
        """Take what a file holds out of the tables."""
        there = self.shelf.find(list(digests))
        left = [id for id in digests if id not in there]
        while left:
            step, left = {id: digests[id] for id in left[: self._step]}, left[self._step :]
            moved = self.patiently(partial(self._move, file, step))
            self._moved += moved
            self._advance(moved)
        after = self.shelf.file(file.number)
        if after is not None and after.held < after.interactions:
            self.settle(after)

    def _move(self, file: ArchiveFile, digests: dict[str, bytes]) -> int:
        """Take interactions out of the tables that are still what the file holds; tell how many.

        The next step is so large that others, by what this one took, wait for it no longer than they may.
        """
        with self.shelf.moving():
            began = time.monotonic()
            rows = self.shelf.rows_of(list(digests))
            busy = self.shelf.busy_among(list(rows))
            same = [
                id for id, one in rows.items() if id not in busy and fits(one) and digest(flattened(one)) == digests[id]
            ]
            if same:
                self.shelf.put_away(same, file)
        fitting = len(digests) * MOVE_S / max(1e-6, time.monotonic() - began)
        self._step = max(LEAST_STEP, min(STEP, round(fitting), 2 * self._step))
        return len(same)


def _digests(flats: Sequence[Flat]) -> dict[str, bytes]:
    return {flat[ID]: digest(flat) for flat in flats}


def _name_of(day: int, store: str) -> str:
    """Give a file a name that none has yet."""
    return f"date={iso_of(day)}/store_id={_folder_of(store)}/part-{ULID()}.parquet"


def day_of(moment: int) -> int:
    """Give the day of a moment: days since 1970-01-01, UTC."""
    return moment // 86_400_000


def iso_of(day: int) -> str:
    """Write a day as ISO 8601 has it."""
    try:
        return (EPOCH + timedelta(days=day)).isoformat()
    except OverflowError:  # a moment that somebody wrote past the door
        return f"{day}"


def _folder_of(store: str) -> str:
    """Name a store's folder, so that no store leads elsewhere, and none is too long."""
    quoted = quote(store, safe="")
    if 0 < len(quoted) <= LONGEST_STORE:
        return quoted
    return f"{quoted[:LONGEST_STORE]}~{blake2b(store.encode(), digest_size=8).hexdigest()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
