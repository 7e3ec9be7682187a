"""The files that bring a database to the shape that this version works with, for each kind of database."""

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from aura_analytics.errors import MigrationError

log = structlog.get_logger()

_FILE = re.compile(r"^(?P<version>\d{3})_(?P<name>\w+)\.sql$")

# What a migration is called that a later version has applied.
UNKNOWN = "not of this version"


class Migration(msgspec.Struct, frozen=True):
    """One file: its number, its name without the number, and its SQL."""

    version: int
    name: str
    sql: str


def directory(name: str) -> Path:
    """Give a folder of files: inside of an installed package, or at the root of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations" / name
    return installed if installed.is_dir() else package.parents[1] / "migrations" / name


def available(name: str) -> list[Migration]:
    """List the migrations of a folder in their order."""
    found = [(match, path) for path in sorted(directory(name).glob("*.sql")) if (match := _FILE.match(path.name))]
    if not found:
        raise MigrationError("the migration files are missing from this installation")
    return [Migration(int(match["version"]), match["name"], path.read_text("utf-8")) for match, path in found]


def tell_of_later(recorded: Iterable[int], known: Iterable[Migration]) -> None:
    """Say that a later version has used a database: what that one has put elsewhere, this one doesn't look for."""
    if later := sorted(set(recorded) - {migration.version for migration in known}):
        log.warning("database_of_a_later_version", migrations=later)
