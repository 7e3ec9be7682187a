"""Every view in both themes, as axe sees it: nothing that keeps somebody out."""

from pathlib import Path
from typing import Any

import pytest

from browser.conftest import NARROW, PATIENCE_MS, Watched

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "rules => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })"


async def violations(watched: Watched) -> list[str]:
    await watched.page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = await watched.page.evaluate(RUN, RULES)
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:200]} {one['nodes'][0].get('failureSummary', '')}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.skipif(not AXE.is_file(), reason="axe isn't installed: `make check` does it")
@pytest.mark.parametrize("path", ["/", "/explore?split=intent&metric=queries", "/browse", "/review", "/pipeline"])
async def test_nothing_keeps_anybody_out(watched: Watched, path: str) -> None:
    await watched.page.emulate_media(color_scheme="light", reduced_motion="reduce")
    await watched.open(path)
    assert await violations(watched) == []
    await watched.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    assert await violations(watched) == []
    await watched.page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    # What is drawn anew for it, such as a chart, comes a moment later.
    await watched.page.wait_for_function(
        "width => document.documentElement.scrollWidth <= width", arg=NARROW["width"], timeout=PATIENCE_MS
    )


@pytest.mark.skipif(not AXE.is_file(), reason="axe isn't installed: `make check` does it")
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_nor_does_what_opens_over_a_view(watched: Watched, theme: Any) -> None:
    await watched.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page = await watched.open("/browse?period=30d&label=BAD")
    await page.locator(".list-row a").first.click()
    await page.wait_for_selector(".drawer .facts")
    assert await violations(watched) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Period").click()
    assert await violations(watched) == []
