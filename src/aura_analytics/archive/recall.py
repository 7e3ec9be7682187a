"""Reading files that may be written anew meanwhile, and putting interactions back into the tables. It blocks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from aura_analytics.archive.course import Archiver
from aura_analytics.archive.shape import ID, Flat, unfolded
from aura_analytics.errors import ArchiveError, StoreUnavailable
from aura_analytics.store.shelf import STEP, ArchiveFile

Result = TypeVar("Result")


def of_file(archiver: Archiver, number: int, use: Callable[[ArchiveFile], Result]) -> Result | None:
    """Use a file as it is now: another one may have taken its place meanwhile. None where it counts no more.

    Raises:
        StoreUnavailable: it can't be read.
    """
    failed = ""
    while (file := archiver.shelf.file(number)) is not None:
        try:
            return use(file)
        except ArchiveError as error:
            if file.path == failed:
                raise StoreUnavailable(f"the archive can't be read: {error}") from error
            failed = file.path
    return None


def found(archiver: Archiver, query_ids: Sequence[str]) -> list[Flat]:
    """Read interactions where they lie in the archive."""
    flats: list[Flat] = []
    for number, ids in _by_file(archiver, query_ids):
        flats += of_file(archiver, number, partial(_named, archiver, ids=ids)) or []
    return flats


def put_back(archiver: Archiver, query_ids: Sequence[str], *, now: int) -> int:
    """Put interactions back into the tables, those of them that lie in the archive; tell how many."""
    count = 0
    while files := _by_file(archiver, query_ids):
        moved = 0
        for number, ids in files:
            flats = of_file(archiver, number, partial(_named, archiver, ids=ids)) or []
            moved += return_all(archiver, number, flats, now=now)
        if not moved and _by_file(archiver, query_ids) == files:
            raise StoreUnavailable("the archive can't be read: a file lacks what it is said to hold")
        count += moved
    return count


def return_all(archiver: Archiver, number: int, flats: Sequence[Flat], *, now: int) -> int:
    """Put interactions of a file back into the tables, as far as they still lie there; tell how many."""
    count = 0
    for start in range(0, len(flats), STEP):
        rows = {flat[ID]: unfolded(flat, archiver.shelf.side.dialect) for flat in flats[start : start + STEP]}

        def step(rows: dict[str, dict[str, list[tuple[object, ...]]]] = rows) -> int:
            with archiver.shelf.moving():
                return len(archiver.shelf.put_back(rows, number, now=now))

        count += archiver.patiently(step)
    return count


def in_force(archiver: Archiver, number: int) -> list[Flat]:
    """Read all that lies in a file."""
    return of_file(archiver, number, lambda file: [flat for some in archiver.in_force(file) for flat in some]) or []


def _named(archiver: Archiver, file: ArchiveFile, ids: Sequence[str]) -> list[Flat]:
    return [flat for flats in archiver.parquet.read(archiver.files.local(file.path), ids) for flat in flats]


def _by_file(archiver: Archiver, query_ids: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Tell which of some interactions lie in which file."""
    files: dict[int, list[str]] = {}
    for id, number in archiver.shelf.find(query_ids).items():
        files.setdefault(number, []).append(id)
    return sorted(files.items())
