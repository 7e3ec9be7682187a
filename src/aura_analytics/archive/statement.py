"""What may be asked of the archive: one SELECT that reads `interactions`, whatever else SQL has for other ends.

DuckDB calls a statement a SELECT also where a part of it writes (`WITH t AS (COPY …)`), and a SELECT reads any file by a
function or by naming it as a table. So it isn't looked at what a statement is called, but at what it is made of: DuckDB's
own parser gives its tree, and whatever isn't known in there is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import msgspec

from aura_analytics.errors import ParameterError

TABLE = "interactions"
# What a statement and its sources may be. Expressions have a class of their own, and read nothing by themselves.
NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
SOURCES = frozenset({"EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SUBQUERY"})
OTHERS = frozenset(
    {
        "DISTINCT_MODIFIER",
        "LIMIT_MODIFIER",
        "LIMIT_PERCENT_MODIFIER",
        "ORDER_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
    }
)
# Functions in place of a table that make something of their arguments alone.
MAKERS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
NAME = re.compile(r"\w+")
LONGEST = 100_000

# Any, throughout: JSON.
Node = dict[str, Any]


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """See that a statement only reads `interactions`.

    Raises:
        ParameterError: it does something else, or can't be read; the message says which.
    """
    if len(sql) > LONGEST:
        raise ParameterError(f"the statement is longer than {LONGEST:,} characters")
    if "\0" in sql or any("\ud800" <= character <= "\udfff" for character in sql):
        raise ParameterError("the statement holds what is no character")
    [(told,)] = connection.execute("SELECT json_serialize_sql($sql)", {"sql": sql}).fetchall()
    tree = msgspec.json.decode(told)
    if tree["error"]:
        if tree["error_type"] == "not implemented":
            raise ParameterError("only SELECT statements are answered")
        raise ParameterError(f"the statement can't be read: {first_line(tree['error_message'])}")
    statements = tree["statements"]
    if len(statements) != 1:
        raise ParameterError("one SELECT statement is answered at a time")
    names = {TABLE, *_names_given(statements)}
    for node in _nodes(statements):
        _check(node, names)


def first_line(text: str) -> str:
    """Give what an error says in its first line; the rest draws where."""
    return text.strip().partition("\n")[0]


def _names_given(tree: object) -> Iterator[str]:
    """Give the names that a statement gives to parts of itself. No file's name and no other schema's is among them."""
    for node in _dicts(tree):
        named = node.get("cte_map")
        for entry in named["map"] if isinstance(named, dict) else ():
            if not NAME.fullmatch(entry["key"]):
                raise ParameterError("a name that WITH gives is of letters, digits and underscores")
            yield entry["key"].lower()


def _check(node: Node, names: set[str]) -> None:
    kind = node["type"]
    if kind == "BASE_TABLE":
        if node["schema_name"] or node["catalog_name"] or node["table_name"].lower() not in names:
            raise ParameterError(f"there is one table here: {TABLE}")
    elif kind == "TABLE_FUNCTION":
        function = node["function"]["function_name"].lower()
        if function not in MAKERS or node["function"].get("schema") or node["function"].get("catalog"):
            raise ParameterError(f"the function {function} isn't for asking the archive; the table is {TABLE}")
    elif kind == "SHOW_REF":
        if node["query"] is None:
            raise ParameterError(f"there is one table here: {TABLE}; DESCRIBE {TABLE} tells its columns")
    elif kind not in NODES | SOURCES | OTHERS:
        raise ParameterError("only SELECT statements are answered; a part of this one is something else")


def _nodes(tree: object) -> Iterator[Node]:
    """Give the parts of a tree that have a kind and are no expressions."""
    for node in _dicts(tree):
        if isinstance(node.get("type"), str) and "class" not in node:
            yield node


def _dicts(tree: object) -> Iterator[Node]:
    left = [tree]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
