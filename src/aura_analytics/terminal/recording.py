"""Putting on record what was done with a whole database: copied, given away, taken in, put back."""

from typing import Any
from urllib.parse import urlsplit

from aura_analytics.errors import StoreUnavailable
from aura_analytics.logs import plain
from aura_analytics.settings import Settings
from aura_analytics.store import Store, lies_in_a_file, make_store, migration_status
from aura_analytics.store.audit import record
from aura_analytics.store.sqlite import path_of
from aura_analytics.terminal.actor import actor
from aura_analytics.terminal.running import run
from aura_analytics.terminal.screen import notes


def put_on_record(settings: Settings, action: str, *, subject: str, details: Any = None) -> None:
    """Put on record what was done with a database. What can't be put there is said: it is done all the same.

    Args:
        settings: name the database, which may be of an older shape that has no record yet, and isn't changed then.
        action: what was done, as `aura_analytics.store.audit` has it.
        subject: with which file or database.
        details: what else is worth knowing. Any: what JSON can hold.
    """
    try:
        if any(state.applied_at is None for state in migration_status(settings)):
            raise StoreUnavailable("the database isn't of this version's shape yet")  # noqa: TRY301 (it is told as the others are)
        run(_opened_and_noted(settings, action, subject, details))
    except StoreUnavailable as error:
        _tell(error)


async def noted(store: Store, action: str, *, subject: str, details: Any = None) -> None:
    """Do the same with a database that is open."""
    try:
        await record(store.keys, actor=actor(), action=action, subject=subject, details=details)
    except StoreUnavailable as error:
        _tell(error)


def name_of(settings: Settings) -> str:
    """Name a database for the record, without what opens it."""
    if lies_in_a_file(settings):
        return str(path_of(settings.aura_database_url).absolute())
    told = urlsplit(settings.aura_database_url)
    return f"postgresql://{told.hostname or ''}{told.path}"


async def _opened_and_noted(settings: Settings, action: str, subject: str, details: Any) -> None:
    store = make_store(settings)
    await store.open()
    try:
        await record(store.keys, actor=actor(), action=action, subject=subject, details=details)
    finally:
        await store.close()


def _tell(error: StoreUnavailable) -> None:
    notes().print(plain(f"this isn't on record (aura-analytics audit): {error}"), markup=False, soft_wrap=True)
