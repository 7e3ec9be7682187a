"""Putting days of the archive back into the tables, file by file. It blocks; what was broken off goes on when it is said again."""

import msgspec

from aura_analytics.archive import recall
from aura_analytics.archive.course import Archiver


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    days: int
    interactions: int
    files: int


def restore(archiver: Archiver, *, first: int | None, last: int | None, now: int) -> Restored:
    """Put back all that lies in the archive, or some days of it, and remove the files.

    Args:
        archiver: of the database.
        first: the first day, as days since 1970-01-01 (UTC); None: from the beginning.
        last: the last day, included; None: to the end.
        now: epoch milliseconds.

    Raises:
        StoreUnavailable: the database can't be used, or a file can't be read.
        ArchiveError: a file can't be removed.
    """
    with archiver.alone():
        archiver.mend()
    chosen = [
        file
        for file in archiver.shelf.files()
        if (first is None or file.day >= first) and (last is None or file.day <= last)
    ]
    count = 0
    for file in chosen:
        with archiver.alone():
            flats = recall.in_force(archiver, file.number)
            count += recall.return_all(archiver, file.number, flats, now=now)
            archiver.settle(file)
            archiver.shelf.drop_day(file.day)
    return Restored(days=len({file.day for file in chosen}), interactions=count, files=len(chosen))
