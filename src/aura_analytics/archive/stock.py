"""Whether the files that count are those that lie there: not so where a database or its files were put back. It blocks."""

import msgspec

from aura_analytics.archive.course import Archiver
from aura_analytics.store.shelf import ArchiveFile


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """How many files count, how many of them don't lie there, and how many do that the database knows nothing of."""

    files: int
    missing: int
    unknown: int


def taken(archiver: Archiver) -> Stock:
    """Take stock, also while files are written and removed: each is looked for before it is asked about, and again after.

    Raises:
        ArchiveError: the place can't be looked at.
        StoreUnavailable: the database can't be used.
    """
    before = set(archiver.files.names("date="))
    known = {file.path for file in archiver.shelf.files()}
    others = set(archiver.shelf.leftovers())
    after = set(archiver.files.names("date=")) if before ^ known else before
    return Stock(files=len(known), missing=len(known - before - after), unknown=len((before & after) - known - others))


def missing(archiver: Archiver) -> list[ArchiveFile]:
    """Give the files that count and don't lie there, while nobody else writes any.

    Raises:
        ArchiveError: the place can't be looked at.
        StoreUnavailable: the database can't be used.
    """
    there = set(archiver.files.names("date="))
    return [file for file in archiver.shelf.files() if file.path not in there]
