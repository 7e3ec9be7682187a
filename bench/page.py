"""The page in a browser: how long until the overview is whole, and how long scrolling keeps the browser's thread.

`python bench/page.py --interactions 1000000`. Each time is that of a browser that has never seen the page, and of a period
that the server hasn't been asked for: `from` and `to` move by a minute each time.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, ViewportSize, sync_playwright

from asking import filled, server
from clients import children, cpu_s

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WEEK_MS, MINUTE_MS = 7 * 86_400_000, 60_000
PATIENCE_MS = 120_000
# It is whole when no panel waits any more, and was there for a while without another one appearing.
WATCH = """
new MutationObserver(() => {
  const waits = document.querySelector(".skeleton") || !document.querySelector(".panel");
  if (waits) window.whole = 0; else if (!window.whole) window.whole = performance.now();
}).observe(document, {subtree: true, childList: true});
window.long = [];
new PerformanceObserver(list => list.getEntries().forEach(one => window.long.push(Math.round(one.duration))))
  .observe({entryTypes: ["longtask"]});
"""
LAST = "window.whole > 0 && performance.now() - window.whole > 500"
ROW = 56
BUSY = "setTimeout(() => { const begun = performance.now(); while (performance.now() - begun < 200); })"
LOAD_ROWS = """rows => new Promise(done => {
  const list = document.querySelector(".list");
  const step = () => {
    if (list.scrollHeight >= rows * 56) return done();
    list.scrollTop = list.scrollHeight; setTimeout(step, 16);
  };
  step();
})"""
SCROLL_BACK = """() => new Promise(done => {
  const list = document.querySelector(".list");
  let at = list.scrollHeight, frames = 0;
  const step = () => { frames += 1; at -= 14000; list.scrollTop = at; at > 0 ? requestAnimationFrame(step) : done(frames); };
  requestAnimationFrame(step);
})"""


def main() -> None:
    """Measure and print."""
    given = arguments()
    chromium = shutil.which("chromium") or sys.exit("chromium is needed: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="aura-bench-") as folder:
        database = filled(given, folder)
        with server(database, folder) as (url, _):
            overview(url, chromium, given.times)
            scrolling(url, chromium, given.rows)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="take this one, or make it here")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--rows", type=int, default=100_000)
    return parser.parse_args()


@contextmanager
def opened(chromium: str, url: str) -> Iterator[Page]:
    """Have a page in a browser of its own, which has only reached the server yet."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        page = browser.new_page(viewport=ViewportSize(width=1_440, height=900), bypass_csp=True)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{url}/health")
        page.add_init_script(WATCH)
        page.wait_for_timeout(500)
        yield page
        browser.close()


def overview(url: str, chromium: str, times: int) -> None:
    """Open the overview as many times, each in a new browser."""
    served = children(os.getpid())
    end = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    found: list[tuple[float, float, float]] = []
    for turn in range(times + 1):
        until = end - turn * MINUTE_MS
        with opened(chromium, url) as page:
            before = cpu_s(served)
            page.goto(f"{url}/?from={until - WEEK_MS}&to={until}", wait_until="commit")
            page.wait_for_function(LAST)
            paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            whole, painted = page.evaluate(f"[window.whole, {paint}]")
            found.append((whole, painted, 1000 * (cpu_s(served) - before)))
    whole_ms, painted_ms, cpu_ms = zip(*found[1:], strict=True)  # the first one warms the server's code
    listed = ", ".join(f"{one:,.0f}" for one in sorted(whole_ms))
    print(f"overview whole: {listed} ms; first paint {median(painted_ms):,.0f} ms")
    print(f"the server's processor: {median(cpu_ms):,.0f} ms; load {os.getloadavg()[0]:.1f}", flush=True)


def scrolling(url: str, chromium: str, rows: int) -> None:
    """Scroll down to so many rows and back."""
    with opened(chromium, url) as page:
        page.goto(f"{url}/browse?period=all")
        page.wait_for_selector(".list-row a")
        page.set_default_timeout(PATIENCE_MS * 10)
        page.evaluate(BUSY)
        page.wait_for_function("window.long.length > 0")  # a task that is long is seen
        for what, script in (("down", LOAD_ROWS), ("back", SCROLL_BACK)):
            page.evaluate("window.long = []")
            page.evaluate(script, rows)
            assert page.evaluate("document.querySelector('.list').scrollHeight") >= rows * ROW
            long = sorted(page.evaluate("window.long"))
            told = f"{len(long)} tasks over 50 ms, {sum(one > 100 for one in long)} over 100 ms, the longest"
            print(f"{rows:,} rows {what}: {told} {long[-1] if long else 0} ms", flush=True)


if __name__ == "__main__":
    main()
