"""Connections to one PostgreSQL database, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from aura_analytics.errors import SettingsError, StoreUnavailable, Trouble
from aura_analytics.store.queries import load

log = structlog.get_logger()

SQL = load("session", "postgres")

CONNECT_S = 5
# A statement that takes longer is given up: whoever asked has been told to come back by then.
STATEMENT_MS = 30_000
# Both ends notice within this that the other one is gone, however silently.
GONE_MS = 15_000

# What each session begins with. Compiling a statement takes longer than running any of ours.
SESSION = {
    "jit": "off",
    "statement_timeout": str(STATEMENT_MS),
    "idle_in_transaction_session_timeout": str(STATEMENT_MS),
    "client_connection_check_interval": str(GONE_MS),
}

TOO_LONG = "the database takes too long"

# What a database says that can't be used right now, by the classes of its errors; the first that fits.
TROUBLES: tuple[tuple[tuple[type[psycopg.Error], ...], Trouble, str], ...] = (
    ((errors.DiskFull,), "full", "the database's disk is full"),
    ((errors.ReadOnlySqlTransaction,), "read-only", "the database takes no changes at the moment"),
    (
        (errors.TooManyConnections, errors.ConfigurationLimitExceeded, errors.OutOfMemory),
        "busy",
        "the database has no connection to spare",
    ),
    ((errors.DeadlockDetected, errors.SerializationFailure), "busy", "too much is written at once"),
    ((errors.QueryCanceled, errors.LockNotAvailable), "slow", TOO_LONG),
    ((errors.UndefinedTable, errors.UndefinedColumn), "away", "the database lacks tables; it has to be migrated"),
    ((errors.InsufficientPrivilege,), "away", "the database doesn't let its user do what has to be done"),
    (
        (errors.InvalidAuthorizationSpecification, errors.InvalidPassword, errors.InvalidCatalogName),
        "away",
        "the database doesn't take the user, the password or the database's name",
    ),
)
AWAY = "the database can't be reached"

MISTAKES = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
    errors.ProgramLimitExceeded,
)

# A connection that is refused comes without a class: the server's words are all there is.
_REFUSALS: tuple[tuple[str, Trouble, str], ...] = (
    ("too many clients", "busy", "the database has no connection to spare"),
    ("remaining connection slots", "busy", "the database has no connection to spare"),
    ("too many connections", "busy", "the database has no connection to spare"),
    ("authentication failed", "away", "the database doesn't take the user or the password"),
    ("no password supplied", "away", "the database doesn't take the user or the password"),
    ("no pg_hba.conf entry", "away", "the database doesn't take the user or the password"),
    ("does not exist", "away", "the database or its user doesn't exist"),
    ("starting up", "away", "the database is starting"),
    ("shutting down", "away", "the database is stopping"),
)


def conninfo(url: str, *, statement_ms: int = STATEMENT_MS) -> str:
    """Give what libpq connects with: the URL's own words, and how this service's sessions behave.

    Args:
        url: of the database.
        statement_ms: how long a statement may take; 0 for as long as it likes.

    Raises:
        SettingsError: the URL can't be read. Its words aren't repeated, since a password may be among them.
    """
    given = parts(url)
    session = SESSION | {"statement_timeout": str(statement_ms)}
    options = " ".join(f"-c {name}={value}" for name, value in session.items())
    defaults: dict[str, Any] = {
        "application_name": "aura-analytics",
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": GONE_MS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return make_conninfo(**defaults | given | {"options": f"{options} {given.get('options', '')}".strip()})


def parts(url: str) -> dict[str, Any]:
    """Read a URL. Any: libpq's parameters, texts and numbers."""
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError as error:
        raise SettingsError("AURA_DATABASE_URL can't be read as postgresql://USER:PASSWORD@HOST:PORT/NAME") from error


def trouble_of(error: psycopg.Error) -> tuple[Trouble, str]:
    """Tell what is wrong with the database, for people; the words name no host, no user and no value."""
    for classes, trouble, words in TROUBLES:
        if isinstance(error, classes):
            return trouble, words
    said = str(error)
    return next(((trouble, words) for part, trouble, words in _REFUSALS if part in said), ("away", AWAY))


def is_mistake(error: psycopg.Error) -> bool:
    """Whether only a mistake of ours could cause this: a broken constraint, a value of the wrong kind, bad SQL."""
    if any(isinstance(error, classes) for classes, _, _ in TROUBLES):
        return False
    return isinstance(error, MISTAKES)


@contextmanager
def translated() -> Iterator[None]:
    """Turn what PostgreSQL raises into `StoreUnavailable`; what only a mistake of ours could cause stays as it is.

    A time-out of ours is its trouble too: a server that is frozen keeps none of its own.
    """
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable(TOO_LONG, trouble="slow") from error
    except psycopg.Error as error:
        if is_mistake(error):
            raise
        trouble, words = trouble_of(error)
        raise StoreUnavailable(words, trouble=trouble) from error


async def prepare(connection: AsyncConnection[Any]) -> None:
    """Begin a session: what it commits is durable before it is answered. Any: a row is a tuple."""
    await connection.execute(SQL["durable"], {})


async def check(connection: AsyncConnection[Any]) -> None:
    """Tell the log where the server promises less than it should. Any: a row is a tuple."""
    row = await (await connection.execute(SQL["promises"], {})).fetchone()
    if row is not None and row[0] == "off":
        log.warning("synchronous_commit_raised", was="off", now="local")
    if row is not None and row[1] == "off":
        log.warning("fsync_is_off", meaning="a power cut may lose what was acknowledged")
