"""The table of what was tried names tests that there are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROWS = [line for line in (ROOT / "docs" / "security.md").read_text("utf-8").splitlines() if "`tests/" in line]


def names_in(path: Path) -> set[str]:
    """The tests of a file, those of classes with the class's name before them."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        holder = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for one in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"):
                found.add(f"{holder}{one.name}")
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_each_row_names_a_test_that_there_is(row: str) -> None:
    [(path, name)] = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", row)
    assert name in names_in(ROOT / path)


def test_every_test_from_outside_has_a_row() -> None:
    path = "tests/acceptance/test_security.py"
    named = {name for row in ROWS for name in re.findall(rf"`{path}::(\w+)`", row)}
    assert names_in(ROOT / path) - {"test_health_and_the_page_alone_are_open"} == named
