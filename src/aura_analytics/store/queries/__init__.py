"""The SQL of the row databases: a file a noun, each statement named and described.

What all databases understand stands once, in `<noun>.sql`; what only one does, in the folder of its dialect. A statement
begins at `-- name: the_name` and goes to the next; the comment line below its name says what it is for. Values are
always bound, and are written alike everywhere: `:name` stands for one, `{in:name}` for being one of a list. `{rows}` in
an INSERT stands for as many lists of `?` as there are rows.
"""

import re
from functools import cache, partial
from importlib.resources import files
from typing import Any, Literal

Dialect = Literal["sqlite", "postgres"]

# What a statement takes or gives. Any: a cell of a database.
Row = tuple[Any, ...]

# A list is bound as JSON here, and as an array there.
LISTS: dict[Dialect, str] = {
    "sqlite": "IN (SELECT value FROM json_each(:{name}))",
    "postgres": "= ANY(CAST(%({name})s AS text[]))",
}

_NAME = re.compile(r"^-- name: (?P<name>\w+)$", re.MULTILINE)
# Comments, quotes and casts come first, so that no value is seen in them.
_TOKEN = re.compile(
    r"""(?P<as_is>--[^\n]*|'(?:[^']|'')*'|"(?:[^"]|"")*"|::)|\{in:(?P<list>\w+)\}|:(?P<value>[A-Za-z_]\w*)|%"""
)


@cache
def load(noun: str, dialect: Dialect) -> dict[str, str]:
    """Read the statements of a noun by their names: those for all databases, and those for this one alone."""
    paths = [files(__name__).joinpath(path) for path in (f"{noun}.sql", f"{dialect}/{noun}.sql")]
    texts = [path.read_text(encoding="utf-8") for path in paths if path.is_file()]
    if not texts:
        raise ValueError(f"there is no SQL for “{noun}”")
    return {name: spoken(statement, dialect) for name, statement in statements(*texts).items()}


def statements(*texts: str) -> dict[str, str]:
    """Divide texts into their statements by name."""
    found: dict[str, str] = {}
    for text in texts:
        _, *parts = _NAME.split(text)
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are named “{name}”")
            found[name] = body.strip()
    return found


def spoken(statement: str, dialect: Dialect) -> str:
    """Write a statement as the dialect's driver takes it.

    For PostgreSQL, it has to be run with a mapping, even an empty one: only then does psycopg read `%%` as `%`.
    """
    return _TOKEN.sub(partial(_token, dialect=dialect), statement)


def _token(found: re.Match[str], *, dialect: Dialect) -> str:
    if name := found["list"]:
        return LISTS[dialect].format(name=name)
    if dialect == "sqlite":
        return found[0]
    if name := found["value"]:
        return f"%({name})s"
    return found[0].replace("%", "%%")  # in comments and quotes too: psycopg looks into both


@cache
def expand(statement: str, columns: int, count: int) -> str:
    """Fill in `{rows}`: `count` lists of `columns` placeholders."""
    one = f"({', '.join('?' * columns)})"
    return statement.replace("{rows}", ", ".join([one] * count))
