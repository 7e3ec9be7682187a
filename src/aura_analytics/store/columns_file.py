"""What the file of the columns is called that follow a row database.

A row database that is a file has one, beside itself. Where the rows lie on a server, each process that follows it has a
file of its own, told apart by a slot's number.
"""

import re
from hashlib import blake2b
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.store.sqlite import path_of

FOLDER = Path("data")
SUFFIX = ".columns.duckdb"
PORT = "5432"
LONGEST_NAME = 120

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def lies_in_a_file(settings: Settings) -> bool:
    """Whether the row database is a file, and not a server's."""
    return is_a_file(settings.aura_database_url)


def is_a_file(url: str) -> bool:
    """Whether a row database is a file, by its URL."""
    return url.startswith("sqlite:")


def has_slots(settings: Settings) -> bool:
    """Whether any number of processes may follow the row database into files of their own on this machine."""
    return not settings.aura_columns_path and not lies_in_a_file(settings)


def columns_path(settings: Settings, slot: int = 0) -> Path:
    """Give the file of the columns that follow this database; `slot` counts where there are several."""
    if settings.aura_columns_path:
        return Path(settings.aura_columns_path).expanduser()
    if not lies_in_a_file(settings):
        return FOLDER / f"{_name(settings.aura_database_url)}.{slot}{SUFFIX}"
    rows = path_of(settings.aura_database_url)
    return rows.with_name(rows.name + SUFFIX)  # with its whole name: no two databases share a file


def archive_path(settings: Settings) -> Path:
    """Give the folder of the archive of this database, where none is named."""
    if not lies_in_a_file(settings):
        return FOLDER / f"{_name(settings.aura_database_url)}.archive"
    rows = path_of(settings.aura_database_url)
    return rows.with_name(rows.name + ".archive")


def _name(url: str) -> str:
    """Make a name of where a database is. Who asks and with which password is no part of it."""
    try:
        parts = urlsplit(url)
    except ValueError as error:  # its words may hold the whole URL
        raise SettingsError("the host in AURA_DATABASE_URL can't be read") from error
    given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    place, colon, port = parts.netloc.rpartition("@")[2].rpartition(":")
    if not colon or not port.isdigit():  # no port, or an IPv6 address without one
        place, port = f"{place}{colon}{port}", ""
    host = unquote(place) or given.get("host") or given.get("hostaddr") or "local"
    database = unquote(parts.path.lstrip("/")) or given.get("dbname") or "default"
    whole = f"{host}-{port or given.get('port') or PORT}-{database}"
    fit = _UNFIT.sub("_", whole)
    if fit == whole and len(fit) <= LONGEST_NAME:
        return fit
    return f"{fit[:LONGEST_NAME]}-{blake2b(whole.encode(), digest_size=4).hexdigest()}"
