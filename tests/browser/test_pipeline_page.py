"""The judge as it is seen: what it cost, what it failed at and why, and another try."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from llmock.scenarios import Fail, Plan
from playwright.async_api import BrowserContext, expect

from acceptance.model import NONSENSE, Model, text, well
from acceptance.service import Service, outcome, query, until
from browser.conftest import MOST_SHIFTED, Watched, shifted
from browser.test_accessible import violations

NUMBER = 6
REFUSED = Plan(fail=Fail(500))


def at_first(number: int) -> Plan | None:
    """Answer the even ones with nonsense, the odd ones not at all, but for one."""
    return well(number) if number == 0 else NONSENSE if number % 2 == 0 else REFUSED


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """A judge that fails at first."""
    with Model(at_first) as running:
        yield running


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Iterator[Service]:
    """A service whose judge has given up on most."""
    quick = {
        "EVAL_INTERVAL_SECONDS": "0.1",
        "EVAL_RETRY_SECONDS": "0",
        "EVAL_MAX_ATTEMPTS": "1",
        "EVAL_GRACE_SECONDS": "1",
    }
    with Service(tmp_path_factory.mktemp("judged"), **model.settings, **quick) as service:
        for number in range(NUMBER):
            asked = query(f"q{number}", query_text=text(number), store_id=f"shop-{number % 3}")
            service.ingest(asked, outcome(f"q{number}", action_success=None))
        until(lambda: service.get("/evaluations/failed")["total"] == NUMBER - 1)
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def watcher(context: BrowserContext, judged: Service) -> AsyncIterator[Watched]:
    """A page before it."""
    made = Watched(await context.new_page(), judged.url)
    yield made
    assert made.wrongs == []


async def test_what_is_given_up_moves_nothing_when_it_comes(watcher: Watched) -> None:
    assert await shifted(watcher, "/pipeline?period=24h") < MOST_SHIFTED
    await watcher.page.get_by_role("link", name="see why").click()
    await expect(watcher.page.get_by_role("region", name="Given up")).to_be_in_viewport()


async def test_a_link_to_what_is_given_up_leads_there_although_it_comes_late(watcher: Watched) -> None:
    page = await watcher.open("/pipeline?period=24h#given-up")
    await expect(page.get_by_role("region", name="Given up")).to_be_in_viewport()


async def test_failures_are_shown_with_their_causes_and_tried_again(
    watcher: Watched, judged: Service, model: Model
) -> None:
    page = await watcher.open("/pipeline?period=24h")
    given_up = page.get_by_role("region", name="Given up")
    causes = given_up.get_by_role("list", name="Causes").get_by_role("listitem")
    items = given_up.get_by_role("list", name="Interactions that were given up").get_by_role("listitem")
    await expect(causes).to_have_count(2)
    await expect(items).to_have_count(NUMBER - 1)
    await expect(page.get_by_role("region", name="The judge")).to_contain_text("Why requests failed")
    await expect(page.get_by_role("region", name="Coming in")).to_contain_text(str(NUMBER))
    assert await violations(watcher) == []

    # One cause is looked at by itself, and that is in the address.
    await causes.first.get_by_role("button").first.click()
    await expect(items).to_have_count(3)
    await page.go_back()
    await expect(items).to_have_count(NUMBER - 1)
    await items.first.get_by_role("link").click()
    await expect(page.get_by_role("dialog")).to_contain_text("do you have number")
    await page.keyboard.press("Escape")

    # The judge is well again; until somebody says so, nothing is tried.
    model.behave = well
    await items.first.get_by_role("button", name="Try again").click()
    await expect(given_up.get_by_role("status")).to_have_text("1 will be tried again.")
    await expect(items).to_have_count(NUMBER - 2)
    await causes.first.get_by_role("button", name="Try these again").click()
    await expect(causes).to_have_count(1)
    await given_up.get_by_role("button", name="Try all").click()
    await expect(given_up.get_by_text("will be tried again.")).to_be_visible()
    until(lambda: judged.get("/stats/summary", period="24h")["labels"]["unlabelled"] == 0)
    assert judged.get("/evaluations/failed")["total"] == 0
