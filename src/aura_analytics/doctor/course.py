"""All checks in their order: the guide's deployment checklist, and what it says where something doesn't work."""

import platform
from collections.abc import AsyncIterator
from functools import partial

from aura_analytics.doctor import archive, database, door, judge, listeners, privacy, server
from aura_analytics.doctor.finding import WITHIN_S, Finding, fail, ok, skipped, within
from aura_analytics.errors import AuraError
from aura_analytics.settings import Settings
from aura_analytics.version import __version__

REACH = "see AURA_DATABASE_URL: is the server up, and are name and password right?"


async def checked(settings: Settings, url: str | None, *, asks_judge: bool = True) -> AsyncIterator[Finding]:
    """Check one after another; each is given as soon as it is made.

    Args:
        settings: as they were read.
        url: where a server answers; None where none does.
        asks_judge: whether the judge's model is asked, which may cost a fraction of a cent.
    """
    yield ok("versions", f"aura-analytics {__version__}, Python {platform.python_version()}, {platform.system()}")
    yield ok("settings", "all known and possible")
    is_usable = True
    for finding in await within("database", partial(database.schema, settings), REACH):
        is_usable = is_usable and finding.state in ("ok", "warning")
        yield finding
    if is_usable:
        async for finding in _of_database(settings):
            yield finding
    else:
        yield skipped("database state", "the database has to be there and migrated first")
    for finding in await within("disk", partial(database.disks, settings), "see the paths of the files"):
        yield finding
    patience_s = min(settings.eval_timeout_seconds, 3 * WITHIN_S) + 1
    asking = partial(judge.answers, settings, asks=asks_judge)
    for finding in await within("judge", asking, "see the settings that begin with EVAL_", patience_s):
        yield finding
    for finding in await within("masking", partial(privacy.masked, settings), "see REDACT and REDACT_STORES"):
        yield finding
    for finding in await within(
        "alerts", partial(listeners.alerts, settings), "see ALERTS, WEBHOOK_URLS, WEBHOOK_SECRET"
    ):
        yield finding
    for finding in await within(
        "traces", partial(listeners.traces, settings), "see the settings that begin with OTEL_"
    ):
        yield finding
    for finding in await within("server", partial(server.answers, settings, url), "see its log"):
        yield finding


async def _of_database(settings: Settings) -> AsyncIterator[Finding]:
    try:
        seen = await database.looked_at(settings)
    except AuraError as error:
        yield fail("database", str(error), REACH)
        return
    for finding in await within("database state", partial(database.state, settings, seen), REACH):
        yield finding
    for finding in await within("archive", partial(archive.files, settings), "see ARCHIVE_URL"):
        yield finding
    for finding in await within("keys", partial(door.keys, settings, seen.keys), "see the settings of the door"):
        yield finding
    for finding in await within("rates", partial(door.rates, settings), "see the settings that begin with RATE_"):
        yield finding
    for finding in (*listeners.told(seen), *privacy.erased(seen)):
        yield finding
