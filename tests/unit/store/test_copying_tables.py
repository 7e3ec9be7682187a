"""What is copied: every table of either database, or why not."""

import re
from pathlib import Path

import pytest

from aura_analytics.store.copying.along import ALERTS
from aura_analytics.store.copying.tables import STAYS, TABLES

MIGRATIONS = Path(__file__).parents[3] / "migrations"
MADE = re.compile(r"^CREATE (?:UNLOGGED |VIRTUAL )?TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE | re.IGNORECASE)
COPIED = {table.name for table in TABLES} | ALERTS.keys() | {"forgotten", "privacy_secret"}


def made(kind: str) -> set[str]:
    """The tables that migrations make."""
    return {name for file in (MIGRATIONS / kind).glob("*.sql") for name in MADE.findall(file.read_text("utf-8"))}


@pytest.mark.parametrize("kind", ["analytics", "postgres"])
def test_every_table_is_copied_or_stays_for_a_reason(kind: str) -> None:
    assert made(kind) <= COPIED | STAYS.keys()


def test_nothing_is_listed_that_isn_t_there_or_twice() -> None:
    assert COPIED | STAYS.keys() == made("analytics") | made("postgres")
    assert not COPIED & STAYS.keys()
    assert all(STAYS.values())
