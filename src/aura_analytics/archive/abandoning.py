"""Giving up what lay in files of the archive that are gone for good, so that all else goes on. It blocks."""

from collections.abc import Sequence

import msgspec

from aura_analytics.archive.course import Archiver
from aura_analytics.archive.stock import missing
from aura_analytics.errors import ArchiveError
from aura_analytics.store.shelf import STEP, ArchiveFile


class Abandoned(msgspec.Struct, frozen=True, kw_only=True):
    """What was given up."""

    days: int
    interactions: int
    files: int


def lost(archiver: Archiver, *, even_all: bool) -> list[ArchiveFile]:
    """Give the files that count and don't lie there.

    Args:
        archiver: of the database.
        even_all: whether none need lie there. A disk that isn't mounted looks just so.

    Raises:
        ArchiveError: the place can't be looked at, or not one of the files lies there.
        StoreUnavailable: the database can't be used.
    """
    gone = missing(archiver)
    if gone and len(gone) == len(archiver.shelf.files()) and not even_all:
        raise ArchiveError(
            "none of the archive's files lies there, as if it were the wrong place, or a disk that isn't mounted"
        )
    return gone


def abandon(archiver: Archiver, *, even_all: bool, now: int) -> Abandoned:
    """Let the files that are gone count no longer, and tell followers that what lay in them is gone.

    What was broken off goes on when it is said again. An event of one of these interactions that comes again is new.
    """
    with archiver.alone():
        gone = lost(archiver, even_all=even_all)
        count = sum(_abandon(archiver, file, now=now) for file in gone)
    return Abandoned(days=len({file.day for file in gone}), interactions=count, files=len(gone))


def _abandon(archiver: Archiver, file: ArchiveFile, *, now: int) -> int:
    count, after = 0, ""
    while ids := archiver.shelf.held_in(file.number, after, STEP):
        count += archiver.patiently(lambda ids=ids: take_out(archiver, ids, file.number, now=now))  # type: ignore[misc]
        after = ids[-1]
    archiver.settle(file)
    archiver.shelf.drop_day(file.day)
    return count


def take_out(archiver: Archiver, ids: Sequence[str], number: int, *, now: int) -> int:
    """Take interactions out of the archive for good, and tell followers; tell how many."""
    with archiver.shelf.moving():
        taken = archiver.shelf.take_out(ids, number)
        archiver.shelf.side.publish(taken, (), now=now)
    return len(taken)
