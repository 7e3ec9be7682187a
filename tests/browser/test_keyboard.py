"""Without a mouse: where the focus goes, that it is seen, that it comes back; and what is said to who doesn't look."""

from playwright.async_api import Locator, Page, expect

from browser.conftest import NARROW, Watched

FOCUSED = "document.activeElement.closest('.drawer') ? 'drawer' : document.activeElement.tagName"
OUTLINE = """
(() => {
    const one = document.activeElement, after = getComputedStyle(one, '::after');
    return [getComputedStyle(one), after].some(style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2);
})()
"""
# Names in the order in which Tab comes to them.
FIRST = ["Skip to the numbers", "Aura", "Overview", "Explore", "Interactions", "Review", "Pipeline", "Live"]
NAMED = "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent).trim()"
MOVES = "document.getAnimations().filter(one => one.playState === 'running').length"


async def test_tab_goes_from_the_top_to_the_numbers_and_is_always_seen(watched: Watched) -> None:
    page = await watched.open("/?period=30d")
    names = []
    for _ in FIRST:
        await page.keyboard.press("Tab")
        names.append(await page.evaluate(NAMED))
        assert await page.evaluate(OUTLINE), f"the focus isn't seen on {names[-1]}"
    assert names == FIRST
    await page.reload()
    await watched.settle()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


async def test_a_drawer_over_a_view_keeps_the_focus_and_gives_it_back(watched: Watched) -> None:
    await watched.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    await watched.page.emulate_media(reduced_motion="reduce")
    page = await watched.open("/browse?period=30d")
    opener = page.locator(".list-row a").nth(1)
    await opener.focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="Interaction")
    await expect(drawer.get_by_role("heading", name="Verdict")).to_be_visible()
    assert await page.evaluate(MOVES) == 0
    seen = set()
    for _ in range(12):
        await page.keyboard.press("Tab")
        seen.add(await page.evaluate(FOCUSED))
    assert seen <= {"drawer", "BODY"}  # the body stands for the browser's own bar
    await page.keyboard.press("Escape")
    await expect(drawer).to_be_hidden()
    await expect(opener).to_be_focused()


async def test_beside_the_list_the_focus_stays_in_the_list(watched: Watched) -> None:
    page = await watched.open("/browse?period=30d")
    await page.locator(".list-row a").first.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("j")
    second = page.locator(".list-row a").nth(1)
    await expect(second).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator(".drawer")).to_be_hidden()
    await expect(second).to_be_focused()


async def test_a_filter_is_set_and_left_without_losing_the_focus(watched: Watched) -> None:
    page = await watched.open("/?period=30d")
    add = page.get_by_role("button", name="Add a filter")
    await add.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Text", exact=True)).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the intents, which have to be asked for first
    await expect(page.get_by_label("Find in the list")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(add).to_be_focused()


async def test_a_chart_is_a_table_for_who_asks_and_a_view_is_announced(watched: Watched) -> None:
    page = await watched.open("/?period=30d")
    outcomes = page.get_by_role("region", name="Queries by outcome", exact=True)
    await outcomes.get_by_role("button", name="Numbers").press("Enter")
    table = outcomes.get_by_role("table")
    await expect(table.get_by_role("columnheader")).to_have_text(["When", "Undecided", "Failed", "Succeeded"])
    assert await table.get_by_role("row").count() > 7
    await page.get_by_role("link", name="Explore").click()
    await expect(announced(page, "Explore")).to_have_count(1)


async def test_letters_do_nothing_in_review_for_who_switches_them_off(watched: Watched) -> None:
    await watched.page.add_init_script("localStorage.setItem('aura-reviewer', 'Ada')")
    page = await watched.open("/review?period=30d")
    machine = page.get_by_role("button", name="What the machine said")
    await page.keyboard.press("m")
    await expect(machine).to_have_attribute("aria-expanded", "true")
    await page.get_by_label("Keys", exact=True).uncheck()
    await page.get_by_role("heading", name="How far the machine can be trusted").click()
    await page.keyboard.press("m")
    await expect(machine).to_have_attribute("aria-expanded", "true")


def announced(page: Page, words: str) -> Locator:
    return page.get_by_role("status").filter(has_text=words)
