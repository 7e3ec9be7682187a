"""The tables of what becomes of a person name tests that there are."""

import re

import pytest

from unit.guard.test_security_table import ROOT, names_in

ROWS = [line for line in (ROOT / "docs" / "privacy.md").read_text("utf-8").splitlines() if "`tests/" in line]


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_each_row_names_a_test_that_there_is(row: str) -> None:
    [(path, name)] = re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", row)
    assert name in names_in(ROOT / path)


def test_every_place_of_an_erasure_has_a_row() -> None:
    places = " ".join(row.split("|")[1] for row in ROWS)
    assert all(word in places for word in ("rows", "columns", "feed", "log", "answers", "record", "exports"))
