"""Labelling at the keyboard, taking it back, and how far the machine is trusted then."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from acceptance.service import Service, outcome, query, until
from browser.conftest import Watched

STORE = "reviewed"
NUMBER = 6


@pytest.fixture(scope="module")
def reviewed(demo: Service) -> Service:
    """The demonstration's service with some of one store that the machine wasn't sure of."""
    for number in range(NUMBER):
        said = query(f"r{number}", store_id=STORE, query_text=f"where is aisle {number}", transcription_confidence=0.7)
        demo.ingest(said, outcome(f"r{number}", answer_text=f"Aisle {number}.", latency_ms=900))
    until(lambda: demo.get("/stats/summary", store=STORE, period="30d")["labels"]["REVIEW"] == NUMBER)
    return demo


@pytest_asyncio.fixture(loop_scope="session")
async def reviewer(context: BrowserContext, reviewed: Service) -> AsyncIterator[Watched]:
    """A page of somebody who has said who they are."""
    await context.add_init_script("localStorage.setItem('aura-reviewer', 'Ada')")
    made = Watched(await context.new_page(), reviewed.url)
    yield made
    assert made.wrongs == []


def standing(service: Service) -> dict[str, tuple[str, str]]:
    """The label of each, and by whom."""
    rows = service.rows(
        "SELECT e.query_id, e.label, e.evaluated_by FROM voice_evaluations AS e JOIN voice_queries AS q ON q.id = e.query_id"
        " WHERE q.store_id = ?",
        STORE,
    )
    return {id: (label, by) for id, label, by in rows}


def by_people(service: Service) -> list[str]:
    return sorted(label for label, by in standing(service).values() if by == "human")


async def settled(page: Page, words: str) -> None:
    await expect(page.locator(".desk-foot [role=status]")).to_contain_text(words)


async def test_labels_are_given_skipped_and_taken_back_by_the_keyboard(reviewer: Watched, reviewed: Service) -> None:
    page = await reviewer.open(f"/review?period=30d&store={STORE}")
    said = page.locator(".desk .card")
    await expect(page.locator(".desk-head")).to_contain_text(f"{NUMBER} waiting")
    await expect(said).to_contain_text("where is aisle")
    first = await said.inner_text()
    history: list[Any] = reviewed.rows("SELECT count(*) FROM voice_evaluation_history")

    await page.keyboard.press("g")
    await settled(page, ", saved")
    assert by_people(reviewed) == ["GOOD"]
    await page.keyboard.press("b")
    await settled(page, "Bad: ")
    await settled(page, ", saved")
    assert by_people(reviewed) == ["BAD", "GOOD"]

    # Both are taken back, though both are long at the server: the machine's stand again, and nothing is left of ours.
    await page.keyboard.press("u")
    await page.keyboard.press("u")
    await expect(page.locator(".desk-head")).to_contain_text("0 done")
    await expect(said).to_contain_text(first.split("\n")[-1][:10])
    until(lambda: by_people(reviewed) == [])
    assert set(standing(reviewed).values()) == {("REVIEW", "auto")}
    assert reviewed.rows("SELECT count(*) FROM voice_evaluation_history") == history

    # Told otherwise at once, before anything is answered or even drawn: the last word counts.
    await page.evaluate(
        "for (const key of 'gub') document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"
    )
    await settled(page, ", saved")
    until(lambda: by_people(reviewed) == ["BAD"])

    await page.keyboard.press("s")
    await page.keyboard.press("r")
    await settled(page, "Review: ")
    until(lambda: by_people(reviewed) == ["BAD", "REVIEW"])
    await expect(page.locator(".desk-head")).to_contain_text("2 done, 1 as the machine said")
    trust = page.get_by_role("region", name="How far the machine can be trusted")
    await expect(trust).to_contain_text("From 2 interactions with both labels")
    await expect(trust).to_contain_text("50%")
    await page.keyboard.press("m")
    await expect(page.locator(".machine")).to_contain_text("sure")
