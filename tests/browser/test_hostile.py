"""Whatever a shopper says, or a caller names a store, is text here and nothing else."""

import json
from urllib.parse import quote

import pytest
from playwright.async_api import BrowserContext, expect

from acceptance.service import Service, outcome, query, until
from aura_analytics.api.page import VIEWS
from browser.conftest import WIDE, Watched, present_ms, runs_nothing

TEXTS = {
    "script": "<script>window.hacked = 1</script>",
    "image": '<img src=x onerror="window.hacked = 1">',
    "link": "javascript:window.hacked=1//",
    "quotes": "\"'><svg onload='window.hacked=1'>{{7*7}}${window.hacked=1}",
    "rtl": "\u202eهل لديك أحذية حمراء\u202c \u2067abc\u2069",
    "long": "unbreakable" * 909 + "!",
    "zalgo": "Z\u0351\u036b\u0343" * 40 + "\u0000\ufeff",
}
STORES = {name: f"hostile {text}"[:128] for name, text in TEXTS.items()}


@pytest.fixture(scope="session")
def hostile(demo: Service) -> Service:
    """The demonstration's service, after some more shoppers."""
    for name, text in TEXTS.items():
        store = STORES[name]
        demo.ingest(
            query(f"hostile-{name}", store_id=store, query_text=text, intent=text[:200], session_id=f"s {text[:80]}",
                  user_id=text[:80], correlation_id="c", own_field=text[:500]),
            outcome(f"hostile-{name}", answer_text=text, action_taken=text[:80], action_success=0, error_flag=1,
                    error_message=text, model_name=text[:80], tools_used=[text[:80]], latency_ms=9_000),
            query(f"hostile-2-{name}", store_id=store, query_text=text, session_id=f"s {text[:80]}"),
        )  # fmt: skip
    until(lambda: demo.get("/stats/summary", period="30d")["labels"]["unlabelled"] == 0)
    with demo.opened() as connection:  # a judge gave up on each, and said why in the same words
        for name, text in TEXTS.items():
            connection.execute(
                "INSERT INTO evaluation_queue (query_id, due_at, attempts, last_error, failed_at) VALUES (?, 0, 5, ?, ?)",
                (f"hostile-{name}", text, present_ms()),
            )
    return demo


# What a view shows only where it is asked for.
MORE = {"/explore": ("&split=intent", "&split=store"), "/pipeline": (f"&cause={quote(TEXTS['image'])}",)}


@pytest.mark.usefixtures("hostile")
async def test_texts_are_inert_in_every_view(watched: Watched, context: BrowserContext) -> None:
    """The views are those that the page itself leads to: a new one is walked through as well."""
    await context.add_init_script(f"localStorage.setItem('aura-reviewer', {json.dumps(TEXTS['image'])})")
    page = await watched.open("/")
    links: list[str] = (
        await page.get_by_role("navigation", name="Views")
        .get_by_role("link")
        .evaluate_all("links => links.map(link => new URL(link.href).pathname)")
    )
    assert tuple(links) == VIEWS
    chosen = "period=30d&" + "&".join(f"store={quote(store)}" for store in STORES.values())
    for view in links:
        for more in ("", *MORE.get(view, ())):
            await inert(watched, f"{view}?{chosen}{more}")
        # What is opened over it, the longest of them, is as wide as what is under it.
        await inert(watched, f"{view}?{chosen}&open=hostile-long")


@pytest.mark.usefixtures("hostile")
async def test_texts_are_inert_where_they_are_given_up(watched: Watched) -> None:
    page = await watched.open("/pipeline?period=30d")
    items = page.get_by_role("list", name="Interactions that were given up").get_by_role("listitem")
    await expect(items).to_have_count(len(TEXTS))
    await expect(page.get_by_role("list", name="Causes").get_by_role("listitem")).to_have_count(len(TEXTS))
    await runs_nothing(page)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize("name", TEXTS)
async def test_a_text_is_inert_where_it_is_opened_and_chosen_by(watched: Watched, name: str) -> None:
    text, chosen = TEXTS[name], f"period=30d&store={quote(STORES[name])}"
    sought = f"text={quote(text[:300].replace(chr(0), ''))}&intent={quote(text[:100])}"
    await inert(watched, f"/browse?{chosen}&{sought}&open={quote(f'hostile-{name}')}")


async def inert(watched: Watched, path: str) -> None:
    """Open an address and hold that nothing of it became more than text, or broke out of its place."""
    page = await watched.open(path)
    await runs_nothing(page)
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= WIDE["width"], f"{path[:60]} is {width} wide"


@pytest.mark.usefixtures("hostile")
async def test_texts_are_inert_in_the_lists_of_filters(watched: Watched) -> None:
    page = await watched.open("/?period=30d")
    await page.get_by_role("button", name="Stores: All stores").click()
    await page.get_by_label("Find in the list").fill("hostile <")
    await expect(page.locator(".picker li")).to_have_count(2)
    await page.locator(".picker li input").first.check()
    await runs_nothing(page)


async def test_an_address_of_somebody_elses_making_is_inert(watched: Watched) -> None:
    bad = quote("<img src=x onerror=window.hacked=1>javascript:alert(1)")
    page = await watched.open(
        f"/explore?metric={bad}&split={bad}&step={bad}&open={bad}&intent={bad}&chart={bad}&top={bad}"
    )
    await runs_nothing(page)
    await expect(page.get_by_role("alert").first).to_be_visible()
