"""The row database and the disks: reached, migrated, writable, with space; the queue, and how far the columns are."""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from aura_analytics.clock import now
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, span, warning
from aura_analytics.settings import Settings
from aura_analytics.store import columns_path, inspect, lies_in_a_file, migration_status
from aura_analytics.store.inspection import Inspection
from aura_analytics.store.migrations import UNKNOWN
from aura_analytics.store.sqlite import path_of

LOW_BYTES, FULL_BYTES = 2 << 30, 256 << 20
LOW_SHARE = 0.05
# Signed requests are refused once clocks are five minutes apart; long before that somebody should know.
SKEW_MS, BAD_SKEW_MS = 2_000, 60_000
# A queue that is emptied at all is emptied within some looks at it.
LATE_LOOKS, LATE_MS = 5, 15 * 60_000
BEHIND_MS = 10 * 60_000


async def schema(settings: Settings) -> list[Finding]:
    """Look whether the database has this version's shape."""
    if lies_in_a_file(settings) and not path_of(settings.aura_database_url).exists():
        return [fail("database", "there is no such file yet", "aura-analytics migrate makes it, and so does serve")]
    states = await asyncio.to_thread(migration_status, settings)
    missing = [f"{one.version:03}_{one.name}" for one in states if one.applied_at is None]
    later = [str(one.version) for one in states if one.name == UNKNOWN]
    if missing:
        return [fail("migrations", f"not applied: {', '.join(missing)}", "aura-analytics migrate applies them")]
    if later:
        seen = f"the database has seen {', '.join(later)}, which this version doesn't know"
        return [warning("migrations", seen, "install the version that it was last served by")]
    return [ok("migrations", f"all {len(states)} applied")]


async def looked_at(settings: Settings) -> Inspection:
    """Look at the database, on a thread."""
    return await asyncio.to_thread(inspect, settings, now=now())


async def state(settings: Settings, seen: Inspection) -> Iterable[Finding]:
    """Say what was seen of the database."""
    return [
        ok("database", f"{seen.version}, {_size(seen.size_bytes)}"),
        _writable(seen),
        _clock(seen),
        *_queue(settings, seen),
        _columns(settings, seen),
    ]


def _writable(seen: Inspection) -> Finding:
    advice = {
        "read-only": "give the user of the service the right to write: to the file and its folder, or to the tables",
        "busy": "see who holds the lock: another program may have the file open in a transaction",
        "full": "make room on the database's disk",
    }
    if seen.trouble is None:
        return ok("writable", "the database takes changes")
    return fail("writable", f"it takes no changes: {seen.trouble}", advice.get(seen.trouble, "see the database's log"))


def _clock(seen: Inspection) -> Finding:
    if seen.now is None:
        return ok("database clock", "this machine's")
    apart = abs(now() - seen.now)
    if apart < SKEW_MS:
        return ok("database clock", f"{apart} ms from this machine's")
    make = fail if apart >= BAD_SKEW_MS else warning
    return make("database clock", f"{span(apart)} from this machine's", "synchronise the clocks of both (NTP)")


def _queue(settings: Settings, seen: Inspection) -> Iterable[Finding]:
    queue = seen.queue
    age = max(0, now() - queue.since) if queue.since is not None else 0
    said = f"{queue.due:,} due, {queue.waiting:,} not yet"
    if queue.due and age > max(LATE_MS, LATE_LOOKS * settings.eval_interval_seconds * 1000):
        yield warning(
            "evaluation queue",
            f"{said}; the first has waited for {span(age)}",
            "is a server or aura-analytics evaluate --watch running? Its log says why it waits: aura-analytics tail",
        )
    else:
        yield ok("evaluation queue", said)
    if queue.failed:
        advice = "aura-analytics evaluate --failed says why; --retry-failed tries again"
        yield warning("failed evaluations", f"{queue.failed:,} got no label", advice)


def _columns(settings: Settings, seen: Inspection) -> Finding:
    if settings.aura_statistics == "off":
        return skipped("columns", "AURA_STATISTICS=off")
    if not seen.followers:
        return skipped("columns", "nobody follows yet", "the first server makes them")
    furthest = max(seen.followers, key=lambda follower: follower.position)
    waits = max(0, now() - max(seen.moment, furthest.seen_at))
    if furthest.position >= seen.head or waits < BEHIND_MS:
        return ok("columns", f"at {furthest.position:,} of {seen.head:,} changes")
    advice = "they catch up once a server runs; its log says why they wait: aura-analytics tail --level warning"
    return warning("columns", f"at {furthest.position:,} of {seen.head:,} changes for {span(waits)}", advice)


async def disks(settings: Settings) -> Iterable[Finding]:
    """Look at the space where the files of this machine lie."""
    folders = [columns_path(settings).parent]
    if lies_in_a_file(settings):
        folders.append(path_of(settings.aura_database_url).parent)
    return [_disk(folder) for folder in dict.fromkeys(_existing(folder) for folder in folders)]


def _existing(folder: Path) -> Path:
    folder = folder.absolute()
    return next((one for one in (folder, *folder.parents) if one.is_dir()), Path("/"))


def _disk(folder: Path) -> Finding:
    total, _, free = shutil.disk_usage(folder)
    name, said = f"disk of {folder}", f"{_size(free)} of {_size(total)} free"
    if free < FULL_BYTES:
        return fail(name, said, "make room: once it is full nothing more is taken in (503)")
    if free < LOW_BYTES or free < LOW_SHARE * total:
        return warning(name, said, "make room, or move the database: aura-analytics copy")
    return ok(name, said)


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"
