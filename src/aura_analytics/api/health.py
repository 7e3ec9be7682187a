"""The health of the service: whether it can do its work, told within seconds whatever is wrong."""

import asyncio
from typing import Literal, Protocol

import msgspec

from aura_analytics.errors import ProjectionUnavailable, StatisticsOff, StoreUnavailable, Trouble
from aura_analytics.version import __version__

COLUMNS_WAIT_S = 0.5
# More than a write waits for somebody else's lock, so that a locked database isn't taken for a slow one.
DATABASE_WAIT_S = 6.0

Database = Literal["usable"] | Trouble


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the service.

    `database`: that the row database can be used, or what is wrong with it. `statistics`: the phase of the columns,
    `unavailable` where they don't answer, `off` where this server keeps none.
    """

    status: Literal["healthy", "unhealthy"]
    worker: str = "analytics"
    version: str
    database: Database
    statistics: str


class Pinged(Protocol):
    """A row database."""

    async def ping(self) -> None:
        """Ask for a sign of life."""


class Phased(Protocol):
    """The state of some columns."""

    @property
    def phase(self) -> str:
        """What they do."""


class Followed(Protocol):
    """Columns."""

    async def status(self) -> Phased:
        """Tell where they are."""


async def health(store: Pinged, columns: Followed) -> Health:
    """Look at both; only the row database decides."""
    database, statistics = await asyncio.gather(_database(store), _statistics(columns))
    return Health(
        status="healthy" if database == "usable" else "unhealthy",
        version=__version__,
        database=database,
        statistics=statistics,
    )


async def _database(store: Pinged) -> Database:
    try:
        async with asyncio.timeout(DATABASE_WAIT_S):
            await store.ping()
    except TimeoutError:
        return "slow"
    except StoreUnavailable as error:
        return error.trouble
    return "usable"


async def _statistics(columns: Followed) -> str:
    """Tell the phase of the columns; the service's health doesn't wait for them."""
    try:
        async with asyncio.timeout(COLUMNS_WAIT_S):
            return (await columns.status()).phase
    except StatisticsOff:
        return "off"
    except (TimeoutError, ProjectionUnavailable):
        return "unavailable"
