"""A service that nothing has come to yet says how something would; and then it does."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from acceptance.service import Service, query
from browser.conftest import Watched


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without data."""
    with Service(tmp_path_factory.mktemp("bare")) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def looking(context: BrowserContext, bare: Service) -> AsyncIterator[Watched]:
    """A page before it."""
    made = Watched(await context.new_page(), bare.url)
    yield made
    assert made.wrongs == []


async def test_an_empty_service_shows_the_snippet_fills_by_itself_and_offers_a_longer_window(
    looking: Watched, bare: Service
) -> None:
    page = await looking.open("/")
    await expect(page.get_by_text("Nothing has come in yet")).to_be_visible()
    await expect(page.get_by_text(f"ANALYTICS_WORKER_URL={bare.url}")).to_be_visible()
    await expect(page.get_by_text("logAnalyticsEvent")).to_be_visible()
    for path in ("/explore", "/browse", "/review", "/pipeline"):
        await looking.open(path)
    page = await looking.open("/")
    bare.ingest(query("first"))
    await expect(page.locator(".figures li").first).to_contain_text("1")

    # A window without anything offers a longer one.
    bare.ingest(query("old", timestamp="2020-01-01T00:00:00Z"))
    count = bare.get("/stats/summary", period="all")["totalQueries"]
    page = await looking.open("/?to=2019-01-01T00:00:00Z&label=BAD")
    await expect(page.get_by_text("has none that fit the filters.")).to_be_visible()
    await page.get_by_role("button", name="Clear the filters").click()
    await page.get_by_role("button", name="Show all time").click()
    await expect(page.locator(".figures li").first).to_contain_text(str(count))
