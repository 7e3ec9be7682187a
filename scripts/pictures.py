"""Take the pictures of the page that the documents show: `python scripts/pictures.py http://127.0.0.1:8787`."""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Browser, Page, Route, async_playwright, expect

IMAGES = Path(__file__).parents[1] / "docs" / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
WIDE, NARROW = (1440, 900), (390, 844)
PAUSE_MS = 2_500
PATIENCE_MS = 60_000
VIEWS = {
    "overview": "/?period=7d",
    "explore": "/explore?period=7d&metric=queries&split=intent",
    "interactions": "/browse?period=7d&label=BAD",
    "review": "/review?period=7d",
    "pipeline": "/pipeline?period=7d",
    "sign-in": "/?period=7d",
}


async def first_one(page: Page) -> None:
    """Open an interaction beside the list."""
    await page.locator(".list-row a").nth(2).click()


async def refuse(route: Route) -> None:
    """Answer that nobody is known."""
    await route.fulfill(status=401, json={"code": "unauthorized"})


BEFORE: dict[str, Callable[[Page], Awaitable[None]]] = {"interactions": first_one}


async def picture(browser: Browser, url: str, name: str, theme: str, size: tuple[int, int]) -> None:
    """Take one."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
    )
    page = await context.new_page()
    await page.add_init_script("try { localStorage.setItem('aura-reviewer', 'Ada') } catch {}")
    if name == "sign-in":  # as a server with keys answers who shows none
        await page.route("**/stats/**", refuse)
    await page.goto(url + VIEWS[name])
    await page.wait_for_selector("main")
    await expect(page.locator(".skeleton")).to_have_count(0, timeout=PATIENCE_MS)
    await page.wait_for_timeout(PAUSE_MS)
    if name in BEFORE and size == WIDE:
        await BEFORE[name](page)
        await page.wait_for_timeout(PAUSE_MS)
    place = IMAGES / f"{name}-{theme}{'' if size == WIDE else '-phone'}.png"
    await page.screenshot(path=place)
    print(place.name, place.stat().st_size // 1024, "KB")
    await context.close()


async def main(url: str) -> None:
    """Take all: each view in both themes, wide and narrow."""
    IMAGES.mkdir(exist_ok=True)
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        for name in VIEWS:
            for theme in ("light", "dark"):
                for size in (WIDE, NARROW):
                    await picture(browser, url, name, theme, size)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
