"""Deleting what is older than it may be, in the tables and in the archive. It blocks; what was broken off goes on."""

from functools import partial

import msgspec

from aura_analytics.archive.abandoning import take_out
from aura_analytics.archive.course import Archiver
from aura_analytics.archive.shape import ID
from aura_analytics.store.shelf import DAY_MS, STEP, ArchiveFile


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """How much was deleted; `archived`: the interactions that lay in the archive."""

    interactions: int = 0
    archived: int = 0
    conversions: int = 0
    others: int = 0


def delete_before(archiver: Archiver, day: int, *, keeps_totals: bool, now: int) -> Deleted:
    """Delete all that is of the days before one: interactions, conversions, requests to models, and totals if asked.

    Whoever follows the feed is told. With `keeps_totals`, `voice_stats_hourly` is left as it is for these days, for good.

    Args:
        archiver: of the database.
        day: days since 1970-01-01, UTC; the first that stays.
        keeps_totals: whether the totals of hours stay.
        now: epoch milliseconds.
    """
    shelf = archiver.shelf
    with shelf.side.changing():
        shelf.keep_totals(day * DAY_MS // 1000 if keeps_totals else None)
    archived = 0
    for file in shelf.files():
        if file.day < day:
            with archiver.alone():
                archived += _delete_file(archiver, file, now=now)
    interactions = 0
    while ids := shelf.old_ids(day * DAY_MS, STEP):
        interactions += archiver.patiently(partial(_delete, archiver, ids, now=now))
    conversions = 0
    while ids := shelf.old_conversions(day * DAY_MS, STEP):
        conversions += archiver.patiently(partial(_delete_conversions, archiver, ids, now=now))
    others = archiver.patiently(lambda: _delete_others(archiver, day * DAY_MS, keeps_totals=keeps_totals))
    return Deleted(interactions=interactions, archived=archived, conversions=conversions, others=others)


def _delete_file(archiver: Archiver, file: ArchiveFile, *, now: int) -> int:
    """Take all that lies in a file out of the archive, tell followers, and remove it; alone."""
    count = 0
    for flats in list(archiver.in_force(archiver.shelf.file(file.number) or file)):
        for start in range(0, len(flats), STEP):
            ids = [flat[ID] for flat in flats[start : start + STEP]]
            count += archiver.patiently(partial(take_out, archiver, ids, file.number, now=now))
    archiver.settle(file)
    archiver.shelf.drop_day(file.day)
    return count


def _delete(archiver: Archiver, ids: list[str], *, now: int) -> int:
    with archiver.shelf.moving():
        archiver.shelf.delete(ids, now=now)
    return len(ids)


def _delete_conversions(archiver: Archiver, ids: list[str], *, now: int) -> int:
    with archiver.shelf.moving():
        archiver.shelf.delete_conversions(ids, now=now)
    return len(ids)


def _delete_others(archiver: Archiver, before: int, *, keeps_totals: bool) -> int:
    with archiver.shelf.moving():
        return archiver.shelf.delete_others(before, totals=not keeps_totals)
