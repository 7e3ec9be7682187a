"""Whether the files that count are those that lie there: not so where a database or its files were put back. It blocks."""

from collections.abc import Sequence

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
    files = archiver.shelf.files()
    known = {file.path for file in files}
    others = set(archiver.shelf.leftovers())
    after = set(archiver.files.names("date=")) if before - known else before
    gone = _gone(archiver, [file for file in files if file.path not in before])
    return Stock(files=len(known), missing=len(gone), unknown=len((before & after) - known - others))


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """The files that count and don't lie there, and of how many."""

    gone: list[ArchiveFile]
    of: int


def missing(archiver: Archiver) -> Missing:
    """Give the files that count and don't lie there, also while files are written and removed.

    Raises:
        ArchiveError: the place can't be looked at, or a link in it leads nowhere.
        StoreUnavailable: the database can't be used.
    """
    files = archiver.shelf.files()
    return Missing(gone=_gone(archiver, files, for_good=True), of=len(files))


def _gone(archiver: Archiver, files: Sequence[ArchiveFile], *, for_good: bool = False) -> list[ArchiveFile]:
    """Give those of some files that counted that don't lie there and still count.

    A file lies there before it counts and until it counts no more, and no name is used twice: so whoever counted before
    and after it was looked for had to be found.
    """
    lacking = archiver.files.lacking([file.path for file in files], for_good=for_good)
    if not lacking:
        return []
    still = {file.path for file in archiver.shelf.files()}
    return [file for file in files if file.path in lacking & still]
