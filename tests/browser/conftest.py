"""Services with a browser before them: Debian's Chromium, driven from here; nothing of it is downloaded."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright, expect

from acceptance.service import Service, until
from aura_analytics.demo.run import events, interactions

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
BATCH = 100
PATIENCE_MS = 30_000
MAY_BE_MISSING = ("/interactions/",)
SHIFTS = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifted += one.value;
}).observe({ type: 'layout-shift', buffered: true });
"""
# More of it is what a browser's makers call poor.
MOST_SHIFTED = 0.1
# Answers take so long, one more than the other.
LATE_S = (0.3, 0.1, 0.6)

# What every test here needs; the loop is the one that the browser lives in.
SESSION = pytest.mark.asyncio(loop_scope="session")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Have all tests of this folder in one loop; they are skipped where there is no browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(SESSION, append=False)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip("there is no Chromium here; Debian's package is `chromium`"))


class Watched:
    """A page, and what went wrong in it: errors, scripts that ran though they must not, requests to elsewhere."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.wrongs: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.wrongs.append(f"error: {error}"))
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))
        page.on("response", lambda response: self._answered(response.status, response.url))
        page.on("dialog", lambda dialog: self.wrongs.append(f"dialog: {dialog.message}"))

    def _note(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.wrongs.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.wrongs.append(f"asked {url}")

    def _answered(self, status: int, url: str) -> None:
        """Note what the page asked for in vain; an id in an address may be anybody's."""
        path = url.removeprefix(self.url)
        if status >= 500 or (status == 404 and not path.startswith(MAY_BE_MISSING)):
            self.wrongs.append(f"{status} for {path}")

    async def open(self, path: str) -> Page:
        """Go to an address, and wait for what it shows."""
        await self.page.goto(self.url + path)
        await self.page.wait_for_selector("main")
        await self.settle()
        return self.page

    async def settle(self) -> None:
        """Wait until nothing is on its way any more."""
        await expect(self.page.locator(".skeleton, [aria-busy=true]")).to_have_count(0, timeout=PATIENCE_MS)


async def shifted(watched: Watched, path: str) -> float:
    """Give how much a page's layout moves while its answers come late, one after the other."""
    times = cycle(LATE_S)

    async def slowly(route: Route) -> None:
        await asyncio.sleep(next(times))
        await route.continue_()

    await watched.page.add_init_script(SHIFTS)
    for asked in ("stats/**", "insights/**", "evaluations/**", "health"):
        await watched.page.route(f"**/{asked}", slowly)
    page = await watched.open(path)
    moved: float = await page.evaluate("window.shifted")
    return moved


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of this process."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A profile of one's own."""
    made = await browser.new_context(viewport=WIDE, locale="en-US", timezone_id="Europe/Berlin")  # type: ignore[arg-type]
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def watched(context: BrowserContext, demo: Service) -> AsyncIterator[Watched]:
    """A page before the demonstration's data. Nothing may go wrong in it."""
    made = Watched(await context.new_page(), demo.url)
    yield made
    assert made.wrongs == []


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the demonstration's data, labelled. A test that adds to them keeps to a store of its own."""
    settings = {"EVAL_INTERVAL_SECONDS": "0.1", "EVAL_GRACE_SECONDS": "1"}
    with Service(tmp_path_factory.mktemp("demo"), **settings) as service:
        told: list[dict[str, Any]] = [event for one in interactions() for event in events(one, present_ms())]
        for start in range(0, len(told), BATCH):
            service.ingest(*told[start : start + BATCH])
        until(lambda: service.get("/stats/summary", period="30d")["labels"]["unlabelled"] == 0)
        service.get("/insights/demand", period="30d")  # what gathers topics takes a while to load, once
        yield service


def present_ms() -> int:
    """Give the present, epoch milliseconds."""
    return time.time_ns() // 1_000_000


async def runs_nothing(page: Page) -> None:
    """Hold that no text of a shopper's became part of the document."""
    assert await page.evaluate("window.hacked") is None
    assert (
        await page.evaluate("document.querySelectorAll('#app script, #app img, #app iframe, #app [onerror]').length")
        == 0
    )
    assert await page.evaluate("[...document.links].filter(a => !/^https?:$/.test(a.protocol)).length") == 0
