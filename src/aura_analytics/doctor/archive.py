"""Whether the archive holds what the database says lies there, and nothing else."""

import asyncio
from collections.abc import Iterable

from aura_analytics.archive.opening import opened_archiver
from aura_analytics.archive.stock import Stock, taken
from aura_analytics.doctor.finding import Finding, fail, ok, skipped, warning
from aura_analytics.settings import Settings


async def files(settings: Settings) -> Iterable[Finding]:
    """Compare the files that lie there with those that the database knows."""
    stock = await asyncio.to_thread(_stock, settings)
    if stock.missing:
        said = f"{stock.missing:,} of {stock.files:,} files don't lie there"
        return [fail("archive", said, "see ARCHIVE_URL; put them back, or see `aura-analytics archive abandon`")]
    if stock.unknown:
        said = f"{stock.unknown:,} files that the database doesn't know"
        advice = "of a time that a backup has undone? Nobody is forgotten in them; remove those that no backup needs"
        return [warning("archive", said, advice)]
    if not stock.files:
        return [skipped("archive", "nothing lies there")]
    return [ok("archive", f"{stock.files:,} files")]


def _stock(settings: Settings) -> Stock:
    with opened_archiver(settings) as archiver:
        return taken(archiver)
