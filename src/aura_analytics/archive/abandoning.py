"""Giving up what lay in files of the archive that are gone for good, so that all else goes on. It blocks."""

from collections.abc import Sequence
from functools import partial

import msgspec

from aura_analytics.archive.course import NOT_HERE, Archiver
from aura_analytics.archive.stock import missing
from aura_analytics.errors import ArchiveError
from aura_analytics.store.shelf import STEP, ArchiveFile


class Abandoned(msgspec.Struct, frozen=True, kw_only=True):
    """What was given up."""

    days: int
    interactions: int
    files: int


def lost(archiver: Archiver, *, even_most: bool) -> list[ArchiveFile]:
    """Give the files that count and don't lie there.

    Args:
        archiver: of the database.
        even_most: whether it may be more than half of them. A disk that isn't mounted looks just so.

    Raises:
        ArchiveError: the place can't be looked at, a link in it leads nowhere, or more than half of the files don't lie
            there.
        StoreUnavailable: the database can't be used.
    """
    found = missing(archiver)
    if 2 * len(found.gone) > found.of and not even_most:
        raise ArchiveError(
            f"{len(found.gone):,} of the archive's {found.of:,} files don't lie there, {NOT_HERE}; --all goes on even so"
        )
    return found.gone


def abandon(archiver: Archiver, *, even_most: bool, now: int) -> Abandoned:
    """Let the files that are gone count no longer, and tell followers that what lay in them is gone.

    What was broken off goes on when it is said again. An event of one of these interactions that comes again is new.
    """
    with archiver.alone():
        gone = lost(archiver, even_most=even_most)
        count = sum(_abandon(archiver, file, now=now) for file in gone)
    return Abandoned(days=len({file.day for file in gone}), interactions=count, files=len(gone))


def _abandon(archiver: Archiver, file: ArchiveFile, *, now: int) -> int:
    count, after = 0, ""
    while ids := archiver.shelf.held_in(file.number, after, STEP):
        count += archiver.patiently(partial(take_out, archiver, ids, file.number, now=now))
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
