"""A dump in a SQLite file of its own, where it can do nothing but make the tables that it names and fill them.

Two locks, one behind the other: only statements that make a table or fill one are handed on at all, and SQLite asks an
authorizer about each step of them, which lets nothing through that such a statement doesn't need: no other file, no
setting, no query, no trigger, no function but those by which dumps write characters.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from aura_analytics.errors import LoadError, StoreUnavailable
from aura_analytics.store.cloudflare.dump import LONGEST, Statement

# Tables that are made and filled. What else a dump fills is counted.
KNOWN = frozenset(
    {
        "voice_queries",
        "voice_outcomes",
        "voice_evaluations",
        "voice_evaluation_history",
        "evaluation_queue",
        "voice_conversions",
    }
)
# What comes along and is made anew, or kept by SQLite and by D1 for themselves.
MADE_ANEW = frozenset(
    {
        "voice_stats_hourly",
        "migration_metadata",
        "d1_migrations",
        "sqlite_sequence",
        "sqlite_stat1",
        "sqlite_stat4",
        "_cf_kv",
        "_cf_metadata",
        "change_feed",
        "change_followers",
        "copy_progress",
        "database_identity",
        "backup_note",
    }
)
# By which dumps write characters that can't stand in a text.
FUNCTIONS = frozenset({"replace", "char", "unistr"})
ROWS_A_COMMIT = 20_000
WORDS = 200
# A dump that is none could have as many names as lines.
MOST_NAMES, OTHERS = 100, "(others)"

_NAME = rb"""(?:"main"\.|main\.)?(?:"((?:[^"]|"")+)"|`([^`]+)`|\[([^\]]+)\]|'([^']+)'|(\w+))"""
_SPACE = rb"(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)"
_INSERT = re.compile(
    rb"(?:INSERT(?:" + _SPACE + rb"+OR" + _SPACE + rb"+\w+)?|REPLACE)" + _SPACE + rb"+INTO" + _SPACE + rb"+" + _NAME,
    re.IGNORECASE,
)
_TABLE = re.compile(
    rb"CREATE" + _SPACE + rb"+TABLE" + _SPACE + rb"+(?:IF" + _SPACE + rb"+NOT" + _SPACE + rb"+EXISTS" + _SPACE + rb"+)?"
    + _NAME,
    re.IGNORECASE,
)  # fmt: skip
_OTHERS = re.compile(
    rb"(PRAGMA|BEGIN|COMMIT|END|SAVEPOINT|RELEASE|ANALYZE|DELETE\s+FROM\s+\"?sqlite_sequence|"
    rb"CREATE\s+(?:UNIQUE\s+)?INDEX|CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?(?:VIEW|TRIGGER)|DROP\s+(?:VIEW|TRIGGER|INDEX|TABLE))",
    re.IGNORECASE,
)
_UNICODE = re.compile(r"\\(?:\\|([0-9A-Fa-f]{4})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|\+([0-9A-Fa-f]{6}))")
_DEFINITIONS = frozenset({"sqlite_master", "sqlite_schema"})
# By the tables that a step may touch: a REPLACE removes a row, and making a table writes its definition down.
_TOUCHING = {
    sqlite3.SQLITE_INSERT: KNOWN | _DEFINITIONS,
    sqlite3.SQLITE_DELETE: KNOWN,
    sqlite3.SQLITE_UPDATE: _DEFINITIONS,
    sqlite3.SQLITE_READ: KNOWN | _DEFINITIONS,
    sqlite3.SQLITE_CREATE_TABLE: KNOWN,
}
# Several rows in one INSERT are a query to SQLite. An index comes with a key.
_PLAIN = frozenset(
    {sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_CREATE_INDEX, sqlite3.SQLITE_REINDEX}
)
# Steps of SQLite's machine, of which a row takes some twenty; a statement that takes more than this calculates.
LOOK_STEPS, MOST_LOOKS = 1_000_000, 50


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """What can't be taken: of which table, where it stood, and why."""

    table: str
    place: str
    reason: str


Report = Callable[[Reject], None]


class Loaded(msgspec.Struct, kw_only=True):
    """What became of a dump: statements that aren't ours, by what they begin with, and rows of tables that aren't known."""

    left: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    tables: set[str] = msgspec.field(default_factory=set)


class Scratch:
    """Loads the statements of a dump into a new file.

    Args:
        path: where nothing is yet.
        report: is told of each row that SQLite doesn't take.
    """

    def __init__(self, path: Path, report: Report) -> None:
        self._path = path
        self._report = report
        self._looks = 0
        self.loaded = Loaded()

    def load(self, statements: Iterable[Statement]) -> Loaded:
        """Load them.

        Raises:
            LoadError: it is no dump of these tables, or a statement wants more than to write rows down.
            StoreUnavailable: the disk is full.
        """
        with closing(_guarded(self._path)) as connection, _full():
            connection.set_progress_handler(self._calculates, LOOK_STEPS)
            connection.execute("BEGIN")
            for number, statement in enumerate(statements, 1):
                self._take(connection, statement)
                if number % ROWS_A_COMMIT == 0:
                    connection.execute("COMMIT")
                    connection.execute("BEGIN")
            connection.execute("COMMIT")
        if "voice_queries" not in self.loaded.tables:
            raise LoadError("there is no table voice_queries in it: it is no dump of the voice assistant's database")
        return self.loaded

    def _take(self, connection: sqlite3.Connection, statement: Statement) -> None:
        """Let SQLite have a statement, where it is of the kinds that are taken."""
        if found := _INSERT.match(statement.text):
            table = _named(found)
            if table in KNOWN:
                self._run(connection, statement, table)
            elif table not in MADE_ANEW:
                count(self.loaded.unknown, table)
        elif found := _TABLE.match(statement.text):
            table = _named(found)
            if table in KNOWN:
                self._run(connection, statement, table)
                self.loaded.tables.add(table)
            elif table not in MADE_ANEW:
                count(self.loaded.unknown, table, 0)
        elif not (known := _OTHERS.match(statement.text)):
            count(self.loaded.left, _begin(statement.text))
        elif (words := b" ".join(known[0].upper().split()).decode()).startswith(("CREATE TRIGGER", "DROP")):
            count(self.loaded.left, words)

    def _calculates(self) -> bool:
        """Whether a statement does more than rows take; SQLite ends it then."""
        self._looks += 1
        return self._looks > MOST_LOOKS

    def _run(self, connection: sqlite3.Connection, statement: Statement, table: str) -> None:
        # A NUL can only stand in a text, and SQLite would take it for the statement's end.
        sql = statement.text.replace(b"\0", b"'||char(0)||'").decode("utf-8", "replace")
        self._looks = 0
        try:
            connection.execute(sql)
        except (sqlite3.Error, sqlite3.Warning) as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
                raise
            if not connection.in_transaction:  # what came before it is gone with it
                raise LoadError(
                    f"the statement of line {statement.line} isn't one that writes rows down: {error}"
                ) from error
            self._report(Reject(table=table, place=f"line {statement.line}", reason=str(error)[:WORDS]))


def count(counter: Counter[str], name: str, number: int = 1) -> None:
    """Count by a name; the names that come late are counted together."""
    counter[name if name in counter or len(counter) < MOST_NAMES else OTHERS] += number


def _guarded(path: Path) -> sqlite3.Connection:
    """Open a file in which a statement can only make and fill the known tables."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=0)
    connection.execute("PRAGMA journal_mode = MEMORY")  # a statement that fails amid its rows is taken back
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, 2 * LONGEST)
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
    connection.create_function("unistr", 1, unistr, deterministic=True)
    connection.set_authorizer(_allowed)
    return connection


def _allowed(action: int, first: str | None, second: str | None, _database: str | None, inner: str | None) -> int:
    """Tell SQLite whether a step of a statement is allowed; `inner` is the trigger or view that wants it."""
    if inner is not None:
        allowed = False
    elif action == sqlite3.SQLITE_FUNCTION:
        allowed = (second or "").lower() in FUNCTIONS
    elif action in _TOUCHING:
        allowed = (first or "").lower() in _TOUCHING[action]
    else:
        allowed = action in _PLAIN
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def unistr(text: str | bytes | float | None) -> str | None:
    """Read a text as SQLite's function of this name does, which not every SQLite has."""
    if not isinstance(text, str):
        return None if text is None else str(text)

    def character(found: re.Match[str]) -> str:
        digits = next(filter(None, found.groups()), None)
        if digits is None:
            return "\\"
        point = int(digits, 16)
        return chr(point) if point < 0x110000 and not 0xD800 <= point < 0xE000 else "\ufffd"

    return _UNICODE.sub(character, text)


def _named(found: re.Match[bytes]) -> str:
    return next(name for name in found.groups() if name is not None).decode("utf-8", "replace").lower()


def _begin(text: bytes) -> str:
    return " ".join(text[:40].decode("utf-8", "replace").split()[:2]).upper()


@contextmanager
def _full() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"there is no room to look at the dump in: {error}", trouble="full") from error
