"""Where keys are asked for: signing in and out, coming back to where one was, and seeing no more than one's key does."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, expect

from acceptance.service import Service, outcome, query, until
from aura_analytics.app import opened_store
from aura_analytics.clock import now
from aura_analytics.guard import key
from aura_analytics.settings import Settings
from aura_analytics.store.keys import KeyRecord
from browser.conftest import Watched, runs_nothing
from browser.test_accessible import violations

MINE, OTHER = "mine", "other"
KEYS = {
    "admin": (("admin",), None),
    "reader": (("read",), (MINE,)),
    "both": (("review",), (MINE, OTHER)),
    "writer": (("ingest",), None),
    "leaver": (("read",), None),
}
# What somebody named a key is text like any other.
NAMES = {"both": '<img src=x onerror="window.hacked = 1">'}
WHERE = f"/explore?period=30d&split=intent&store={MINE}"


async def keep_keys(service: Service) -> dict[str, str]:
    tokens: dict[str, str] = {}
    async with opened_store(Settings(aura_database_url=service.database_url)) as store:
        for name, (scopes, stores) in KEYS.items():
            made = key.make()
            tokens[name] = made.token
            record = KeyRecord(
                id=made.id,
                name=NAMES.get(name, f"the {name}"),
                hash=made.hash,
                scopes=scopes,
                stores=stores,
                created_at=now(),
            )
            await store.keys.create(record, actor="test")
    return tokens


async def revoke(service: Service, token: str) -> None:
    async with opened_store(Settings(aura_database_url=service.database_url)) as store:
        await store.keys.revoke(key.id_of(token) or "", now=now(), actor="test")


@pytest.fixture(scope="module")
def tokens() -> dict[str, str]:
    """The keys, filled with the service."""
    return {}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory, tokens: dict[str, str]) -> Iterator[Service]:
    """A service with two stores that asks for keys."""
    with Service(tmp_path_factory.mktemp("closed"), EVAL_INTERVAL_SECONDS="0.1", EVAL_GRACE_SECONDS="1") as service:
        for store in (MINE, OTHER):
            service.ingest(query(f"q-{store}", store_id=store, query_text=f"said in {store}"), outcome(f"q-{store}"))
        tokens.update(asyncio.run(keep_keys(service)))
        until(lambda: service.http.get("/stats/summary").status_code == 401)
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(context: BrowserContext, closed: Service) -> AsyncIterator[Watched]:
    """A page of somebody who hasn't signed in."""
    made = Watched(await context.new_page(), closed.url)
    yield made
    assert made.wrongs == []


async def sign_in(page: Page, token: str) -> None:
    await page.get_by_label("Key", exact=True).fill(token)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Sign in with a key")).to_be_hidden()


async def test_who_signs_in_is_where_they_were_and_who_signs_out_is_out(
    visitor: Watched, tokens: dict[str, str]
) -> None:
    page = await visitor.open(WHERE)
    await expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()
    await expect(page.get_by_text("aura-analytics keys create")).to_be_visible()
    assert await violations(visitor) == []
    await page.get_by_label("Key", exact=True).fill(key.make().token)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("No such key is known here")
    await sign_in(page, tokens["admin"])
    await expect(page).to_have_url(visitor.url + WHERE)
    await expect(page.get_by_role("region", name="Numbers, step by step")).to_be_visible()
    await expect(page.get_by_role("button", name="Live", exact=True)).to_be_visible()
    assert await page.evaluate("document.cookie + JSON.stringify({...localStorage})") == "{}"
    await page.get_by_role("button", name="Signed in as the admin").click()
    assert await violations(visitor) == []
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Sign in with a key")).to_be_visible()


async def test_a_session_that_ends_leads_to_the_way_in_and_back(
    visitor: Watched, closed: Service, tokens: dict[str, str]
) -> None:
    page = await visitor.open("/browse?period=30d")
    await sign_in(page, tokens["leaver"])
    await expect(page.locator(".list-row a")).to_have_count(2)
    await asyncio.to_thread(asyncio.run, revoke(closed, tokens["leaver"]))
    closed.http.post("/ingest", json=[query("q-new", store_id=MINE)], headers={"X-API-Key": tokens["admin"]})
    # What comes in makes the page ask anew, once the server has heard of it.
    for place in range(100):
        if await page.get_by_role("heading", name="Sign in with a key").is_visible():
            break
        later = [query(f"q-later-{place}", store_id=MINE)]
        closed.http.post("/ingest", json=later, headers={"X-API-Key": tokens["admin"]})
        await page.wait_for_timeout(200)
    await sign_in(page, tokens["admin"])
    await expect(page).to_have_url(re.compile(r"/browse\?period=30d$"))
    await expect(page.locator(".list-row a").first).to_be_visible()


async def test_a_key_of_a_store_shows_that_store_and_offers_no_labelling(
    visitor: Watched, tokens: dict[str, str]
) -> None:
    page = await visitor.open("/")
    await sign_in(page, tokens["reader"])
    await expect(page.locator(".only-store")).to_have_text(MINE)
    await expect(page.get_by_role("link", name="Review")).to_be_hidden()
    await visitor.open("/browse?period=30d")
    await expect(page.locator(".list")).not_to_contain_text(f"said in {OTHER}")
    await visitor.open("/review")
    await expect(page.get_by_text("This key may look, and not label")).to_be_visible()
    await visitor.open("/pipeline")
    await expect(page.get_by_role("region", name="Coming in")).to_be_visible()


async def test_a_key_of_some_stores_picks_among_them(visitor: Watched, tokens: dict[str, str]) -> None:
    page = await visitor.open("/pipeline")
    await sign_in(page, tokens["both"])
    await expect(page.get_by_text("Choose one store to see what its judge was asked")).to_be_visible()
    await expect(page.get_by_role("link", name="Review")).to_be_visible()
    await page.get_by_role("button", name="Stores: All 2 stores").click()
    await expect(page.locator(".picker li")).to_have_count(2)
    await page.get_by_role("button", name="Signed in as").click()
    await expect(page.locator(".account")).to_contain_text(NAMES["both"])
    await runs_nothing(page)


async def test_an_address_of_somebody_elses_making_is_inert_before_the_door(visitor: Watched) -> None:
    bad = quote("<img src=x onerror=window.hacked=1>javascript:alert(1)")
    page = await visitor.open(f"/browse?open={bad}&store={bad}&text={bad}")
    await page.get_by_label("Key", exact=True).fill("<script>window.hacked = 1</script>")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("No such key is known here")
    await runs_nothing(page)


async def test_a_key_that_only_writes_is_told_so(visitor: Watched, tokens: dict[str, str]) -> None:
    page = await visitor.open("/")
    await sign_in(page, tokens["writer"])
    await expect(page.get_by_role("heading", name="This key only sends events")).to_be_visible()
    assert await violations(visitor) == []
    await page.get_by_role("button", name="Use another key").click()
    await sign_in(page, tokens["admin"])
    await expect(page.locator(".figures li").first).to_be_visible()
