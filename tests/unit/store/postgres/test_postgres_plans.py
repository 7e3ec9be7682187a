"""How the server goes about what would otherwise read whole tables: by the keys, whatever the tables have grown to."""

from typing import Any

import pytest
from msgspec.structs import asdict

from aura_analytics.store.judging import Choice
from aura_analytics.store.queries import load
from contract.making import NOW
from unit.store.postgres.conftest import Raw

ROWS = 20_000
MAKE = f"""
INSERT INTO voice_queries (id, store_id, session_id, created_at, query_text)
SELECT md5(CAST(n AS text)), 'shop', CAST(n / 4 AS text), n, 'apples' FROM generate_series(1, {ROWS}) AS t (n);
INSERT INTO voice_evaluations (query_id, label, reason, confidence_score, evaluated_at, method, rubric)
SELECT id, 'GOOD', 'fine', 0.5, 0, 'a model', 'default:1' FROM voice_queries;
INSERT INTO evaluation_queue (query_id, due_at, waits_since)
SELECT id, rowid, CASE WHEN rowid % 9 = 0 THEN rowid END FROM voice_queries;
ANALYZE;
"""


@pytest.fixture
async def filled(raw: Raw) -> Raw:
    """A connection to a database with some of everything."""
    await raw.execute(MAKE.encode())
    return raw


async def plan_of(raw: Raw, statement: str, **values: Any) -> str:  # Any: what is bound
    """What the server is going to do."""
    return "\n".join(line for (line,) in await (await raw.execute(f"EXPLAIN {statement}".encode(), values)).fetchall())


CHOICES = [
    Choice(),
    Choice(label="BAD"),
    Choice(label="none"),
    Choice(reason="odd"),
    Choice(method="a model"),
    Choice(rubric="default:1"),
    Choice(below=0.75),
    Choice(label="GOOD", method="a model", below=0.25, store_id="shop"),
]


async def test_a_page_of_a_choice_reads_no_more_than_the_page(filled: Raw) -> None:
    for choice in CHOICES:
        plan = await plan_of(
            filled, load("choice", "postgres")["page"], **asdict(choice), after=ROWS // 2, limit=ROWS // 40
        )
        assert "Seq Scan" not in plan, choice
        assert "idx_voice_queries_rowid" in plan


async def test_labels_are_looked_up_for_what_is_queued_anew_only(filled: Raw) -> None:
    ids = [str(n) for n in range(4_096)]
    plan = await plan_of(filled, load("choice", "postgres")["requeue"], ids=ids, now=NOW)
    assert "Seq Scan on voice_evaluations" not in plan


async def test_the_longest_wait_is_found_without_counting(filled: Raw) -> None:
    plan = await plan_of(filled, load("evaluation", "postgres")["depth"], now=9)
    assert "idx_evaluation_queue_waiting" in plan
    assert "idx_evaluation_queue_due" in plan
