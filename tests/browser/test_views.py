"""Each view over the demonstration's data; drilling down, and coming back by the browser's own button."""

import csv
import io
import re

from playwright.async_api import expect

from acceptance.service import Service
from browser.conftest import Watched


async def test_the_overview_says_how_it_is_doing_where_it_fails_and_what_to_do(watched: Watched, demo: Service) -> None:
    page = await watched.open("/?period=30d")
    summary = demo.get("/stats/summary", period="30d")
    figures = page.locator(".figures li")
    await expect(figures).to_have_count(8)
    await expect(figures.nth(0)).to_contain_text(str(summary["totalQueries"]))
    await expect(figures.nth(1)).to_contain_text("Success rate")
    for title in ("Queries by outcome", "Latency", "Labels"):
        chart = page.get_by_role("region", name=title, exact=True).locator("canvas")
        assert (await chart.bounding_box() or {"height": 0})["height"] > 100
    await expect(page.get_by_role("region", name="Where it breaks").locator(".cause")).to_have_count(6)
    await expect(page.get_by_role("region", name="What to do next").get_by_role("listitem")).to_have_count(6)
    await expect(page.get_by_role("region", name="Unanswered")).to_contain_text("do you offer gift wrapping")
    await expect(page.get_by_role("region", name="Intents").locator("tbody tr")).to_have_count(12)


async def test_an_intent_narrows_everything_down_and_back_goes_back(watched: Watched, demo: Service) -> None:
    page = await watched.open("/?period=30d")
    await page.get_by_role("region", name="Intents").get_by_role("link", name="cart_add").click()
    await expect(page).to_have_url(re.compile(r"intent=cart_add"))
    count = demo.get("/stats/summary", period="30d", intent="cart_add")["totalQueries"]
    first = page.locator(".figures li").first
    await expect(first).to_contain_text(str(count))
    await expect(page.get_by_role("button", name="Remove the filter Intent")).to_be_visible()
    await page.go_back()
    await expect(page.get_by_role("button", name="Remove the filter Intent")).to_be_hidden()
    await expect(first).to_contain_text(str(demo.get("/stats/summary", period="30d")["totalQueries"]))
    await page.go_forward()
    await expect(first).to_contain_text(str(count))


async def test_filters_are_chips_that_are_changed_and_removed(watched: Watched, demo: Service) -> None:
    page = await watched.open("/?period=30d")
    await page.get_by_role("button", name="Add a filter").click()
    await page.get_by_role("button", name="Label").click()
    await page.get_by_role("checkbox", name="BAD").check()
    await expect(page).to_have_url(re.compile("label=BAD"))
    bad = demo.get("/stats/summary", period="30d", label="BAD")["totalQueries"]
    await expect(page.locator(".figures li").first).to_contain_text(str(bad))
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await page.get_by_role("button", name="Clear all").click()
    await expect(page).not_to_have_url(re.compile("label=BAD"))


async def test_stores_and_days_are_picked(watched: Watched, demo: Service) -> None:
    page = await watched.open("/")
    await page.get_by_role("button", name="Stores: All stores").click()
    await page.get_by_label("pixel-gaming").check()
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile("store=pixel-gaming"))
    await page.get_by_role("button", name="Period: Last 7 days").click()
    await page.get_by_label("From").fill("2020-01-01")
    await page.get_by_role("button", name="Show these days").click()
    await expect(page).to_have_url(re.compile("from=2019-12-31T23%3A00"))  # by the clocks of the one who looks
    count = demo.get("/stats/summary", period="all", store="pixel-gaming")["totalQueries"]
    await expect(page.locator(".figures li").first).to_contain_text(str(count))


async def test_any_metric_by_anything_with_its_table_and_its_file(watched: Watched, demo: Service) -> None:
    page = await watched.open("/explore?period=30d")
    await page.get_by_role("combobox", name="By").select_option("intent")
    await page.get_by_role("combobox", name="Metric").select_option("latency_p95")
    await expect(page).to_have_url(re.compile("metric=latency_p95"))
    await watched.settle()
    table = page.get_by_role("region", name="Numbers, step by step")
    await expect(table.locator("thead th")).to_have_count(7)  # when, the five largest, all others
    link = await page.get_by_role("link", name="CSV").get_attribute("href")
    rows = list(csv.DictReader(io.StringIO(demo.http.get(f"/{link}").text)))
    assert {row["split"] for row in rows} >= {"product_question", "cart_add"}
    await page.go_back()
    await expect(page.get_by_role("combobox", name="Metric")).to_have_value("queries")


async def test_a_cause_has_examples_that_open(watched: Watched) -> None:
    page = await watched.open("/?period=30d")
    causes = page.get_by_role("region", name="Where it breaks")
    await causes.get_by_role("button", name="Did wrong").click()
    await causes.locator(".examples a").first.click()
    await expect(page.get_by_role("dialog", name="Interaction")).to_contain_text("Broke at: Did wrong")


async def test_interactions_are_searched_opened_and_walked_through_by_the_keyboard(watched: Watched) -> None:
    page = await watched.open("/browse?period=30d")
    await page.get_by_placeholder("Search in what was said").fill("where is my order")
    await expect(page).to_have_url(re.compile("text=where"))
    first = page.locator(".list-row a").first
    await expect(first).to_have_text("where is my order")
    await first.focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary")
    await expect(drawer).to_contain_text("Verdict")
    for part in ("Intent", "Latency", "Session", "sure"):
        await expect(drawer).to_contain_text(part)
    opened = page.url
    await page.keyboard.press("j")
    await expect(page).not_to_have_url(opened)
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()


async def test_a_link_to_an_interaction_shows_it_and_its_session(watched: Watched, demo: Service) -> None:
    pages = demo.get("/interactions", period="30d", limit=1000)["interactions"]
    several = next(
        one for one in pages if one["sessionId"] and sum(row["sessionId"] == one["sessionId"] for row in pages) > 2
    )
    page = await watched.open(f"/browse?open={several['id']}")
    await expect(page.locator(".turns li").nth(2)).to_be_visible()
    await page.locator(".turns li:not(.this) a").first.click()
    await expect(page).not_to_have_url(re.compile(f"open={several['id']}$"))
    await expect(page.get_by_role("complementary")).to_contain_text("Verdict")


async def test_only_the_rows_that_are_seen_are_in_the_document(watched: Watched, demo: Service) -> None:
    store = "many-rows"
    demo.ingest(
        *({"event_type": "voice_query", "query_id": f"many-{i}", "store_id": store, "query_text": f"number {i}"}
          for i in range(2_000))
    )  # fmt: skip
    page = await watched.open(f"/browse?period=all&store={store}")
    rows = page.locator(".virtual .list-row")
    await expect(rows.first).to_be_visible()
    await page.locator(".list").evaluate("list => new Promise(done => { const step = () => {"
        " list.scrollTop = list.scrollHeight;"
        " document.querySelector('[data-place=\"1999\"]') ? done() : setTimeout(step, 20) }; step() })")  # fmt: skip
    await expect(page.locator(f'[data-place="{1_999}"]')).to_be_visible()
    assert await rows.count() < 60


async def test_a_mistake_in_the_address_is_told_in_the_servers_words(watched: Watched) -> None:
    page = await watched.open("/?period=soon")
    await expect(page.get_by_role("alert")).to_contain_text("period is a number of minutes, hours or days")
    await page.get_by_role("button", name="Show the last 7 days").click()
    await expect(page.locator(".figures li")).to_have_count(8)
