"""What comes in is seen without a reload; a page that is paused, or that nobody sees, is left alone."""

from playwright.async_api import expect

from acceptance.service import Service, outcome, query
from browser.conftest import Watched

DEADLINE_MS = 5_000
UNSEEN = """
hidden => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event('visibilitychange'));
}
"""


def send(service: Service, store: str, *names: str) -> None:
    service.ingest(*(query(f"{store}-{name}", store_id=store, query_text=f"do you have {name}") for name in names))
    service.ingest(*(outcome(f"{store}-{name}", latency_ms=900) for name in names))


async def test_figures_and_lists_follow_what_comes_in(watched: Watched, demo: Service) -> None:
    send(demo, "live-a", "apples")
    page = await watched.open("/?store=live-a")
    figure = page.locator(".figures li").first.locator(".figure-value")
    await expect(figure).to_have_text("1")
    await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()
    send(demo, "live-a", "pears", "plums")
    await expect(figure).to_have_text("3", timeout=DEADLINE_MS)
    await page.get_by_role("link", name="Interactions").click()
    await expect(page.locator(".virtual .list-row")).to_have_count(3)
    send(demo, "live-a", "grapes")
    await expect(page.locator(".virtual .list-row")).to_have_count(4, timeout=DEADLINE_MS)


async def test_a_paused_page_stays_as_it_is_until_it_goes_on(watched: Watched, demo: Service) -> None:
    send(demo, "live-b", "apples")
    page = await watched.open("/?store=live-b")
    figure = page.locator(".figures li").first.locator(".figure-value")
    await page.get_by_role("button", name="Live", exact=True).click()
    button = page.get_by_role("button", name="Paused")
    await expect(button).to_have_attribute("aria-pressed", "false")
    send(demo, "live-b", "pears")
    await expect(figure).to_have_text("1")
    await button.click()
    await expect(figure).to_have_text("2", timeout=DEADLINE_MS)


async def test_a_page_that_nobody_sees_does_not_listen(watched: Watched, demo: Service) -> None:
    send(demo, "live-c", "apples")
    page = await watched.open("/?store=live-c")
    await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()
    await page.evaluate(UNSEEN, True)
    await expect(page.get_by_role("button", name="Paused")).to_be_visible()
    send(demo, "live-c", "pears")
    await page.evaluate(UNSEEN, False)
    await expect(page.locator(".figures li").first.locator(".figure-value")).to_have_text("2", timeout=DEADLINE_MS)
