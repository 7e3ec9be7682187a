"""The SQL of the row databases: a file a noun, each statement named and described.

A statement begins at `-- name: the_name` and goes to the next; the comment line below its name says what it is for.
`{rows}` in an INSERT stands for as many placeholder lists as there are rows; values are always bound.
"""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (?P<name>\w+)$", re.MULTILINE)


@cache
def load(noun: str) -> dict[str, str]:
    """Read the statements of `<noun>.sql` by their names."""
    text = files(__name__).joinpath(f"{noun}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def expand(statement: str, columns: int, count: int) -> str:
    """Fill in `{rows}`: `count` lists of `columns` placeholders."""
    one = f"({', '.join('?' * columns)})"
    return statement.replace("{rows}", ", ".join([one] * count))
