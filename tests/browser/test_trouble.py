"""What the page does where the server is away, busy, slow or refuses, and where an address or an answer is beyond measure."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from acceptance.service import Service, query
from browser.conftest import MOST_SHIFTED, Watched, shifted

BUSY: dict[str, Any] = {"headers": {"retry-after": "1"}, "json": {"code": "too_much", "detail": "Too much at once."}}

Answer = Callable[[Route], Awaitable[None]]


def once_busy(status: int) -> Answer:
    """Answer each question that it is too much, once."""
    seen: set[str] = set()

    async def answer(route: Route) -> None:
        if route.request.url in seen:
            await route.continue_()
        else:
            seen.add(route.request.url)
            await route.fulfill(status=status, **BUSY)

    return answer


async def test_a_server_that_is_away_is_told_and_what_was_there_stays_until_it_is_back(
    watched: Watched, context: BrowserContext, demo: Service
) -> None:
    demo.ingest(query("away-1", store_id="away"))
    page = await watched.open("/?store=away")
    figure = page.locator(".figures li").first.locator(".figure-value")
    await expect(figure).to_have_text("1")
    await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()
    await context.set_offline(True)
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as where one comes back to the page
    await expect(
        page.get_by_role("button", name="Connecting…").or_(page.get_by_role("button", name="Not live"))
    ).to_be_visible()
    await expect(page.get_by_role("status").filter(has_text="The server doesn’t answer")).to_have_count(1)
    await expect(figure).to_have_text("1")
    demo.ingest(query("away-2", store_id="away"))
    await context.set_offline(False)
    await expect(figure).to_have_text("2")
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_server_is_asked_again_when_it_said(watched: Watched, status: int) -> None:
    await watched.page.route("**/stats/**", once_busy(status))
    await watched.page.route("**/interactions?**", once_busy(status))
    for path, shown in (("/?period=30d", ".figures li"), ("/browse?period=30d", ".list-row a")):
        await watched.page.goto(watched.url + path)
        await expect(watched.page.get_by_role("alert").first).to_contain_text("Too much at once.")
        await expect(watched.page.locator(shown).first).to_be_visible()
        await expect(watched.page.get_by_role("alert")).to_have_count(0)
    watched.wrongs = [one for one in watched.wrongs if not one.startswith("503 for ")]


async def test_slow_answers_move_nothing_when_they_come(watched: Watched) -> None:
    for path in ("/?period=30d", "/explore?period=30d&split=intent", "/pipeline?period=30d"):
        assert await shifted(watched, path) < MOST_SHIFTED, path


async def test_of_ten_thousand_stores_each_can_be_chosen(watched: Watched) -> None:
    stores = [{"storeId": f"store-{number}", "queries": 10_000 - number} for number in range(10_000)]

    async def many(route: Route) -> None:
        await route.fulfill(body=json.dumps(stores), content_type="application/json")

    await watched.page.route("**/stats/stores?**", many)
    page = await watched.open("/?period=30d")
    await page.get_by_role("button", name="Stores: All stores").click()
    listed = page.locator(".picker li")
    await expect(listed).to_have_count(200)
    await page.get_by_label("Find in the list").fill("store-9999")
    await expect(listed).to_have_count(1)
    await page.get_by_label("Find in the list").fill("nowhere-else")
    await page.locator(".picker").get_by_role("button", name="nowhere-else").click()
    await expect(page.get_by_role("button", name="Stores: nowhere-else")).to_be_visible()


@pytest.mark.parametrize(
    "window",
    [
        "from=2025-03-29T23:00:00Z&to=2025-03-31T21:59:59Z",  # the clocks go forward in it, and back before the other
        "from=2025-10-25T22:00:00Z&to=2025-10-27T22:59:59Z",
        "from=9999-01-01T00:00:00Z&to=0",
        "period=99999999999999d&compare=previous&compare=none&open=&store=&text=%00",
        "from=x&to=%F0%9F%92%A9&latency_min=-1e999&sort=;drop&order=up&queue=%3Cb%3E&cause=%3Cb%3E",
    ],
)
async def test_no_address_breaks_a_view(watched: Watched, window: str) -> None:
    page = await watched.open(f"/?{window}")
    for name in ("Explore", "Interactions", "Review", "Pipeline", "Overview"):
        await page.get_by_role("link", name=name, exact=True).click()
        await watched.settle()
        await expect(page.locator("main")).to_be_visible()
        await unbroken(page)


async def unbroken(page: Page) -> None:
    """Hold that nothing is written that isn't a number, and nothing is empty."""
    words = await page.locator("main").inner_text()
    assert len(words) > len("Overview")
    for wrong in ("NaN", "undefined", "[object", "Infinity", "Invalid Date"):
        assert wrong not in words
