"""Every command of the documents is run here, or says beside itself which test runs it, or why none can."""

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from acceptance.database import PATIENCE_S
from acceptance.service import Service, clean_environment, outcome, query

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
FENCE = re.compile(r"(?:^<!-- (?P<told>[^\n]*) -->\n+)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MADE = re.compile(r"<!-- begin: .*?<!-- end.*?-->", re.DOTALL)  # by a command that a test runs
TRIED = re.compile(r"tried by (tests/\S+\.py)::(\w+)")
SERVER = "127.0.0.1:8787"
# What a page takes for granted: files, and names that stand for something.
FILES = {"truth.ndjson.gz": gzip.compress(b'{"query_id": "q-1", "label": "GOOD"}\n')}


def fences(page: Path) -> Iterator[tuple[str, str, str]]:
    """The blocks of code of a page that nothing has made: what is told of it, its kind, its text."""
    for found in FENCE.finditer(MADE.sub("", page.read_text("utf-8"))):
        yield found["told"] or "", found["kind"], found["text"]


def script(page: Path) -> str:
    """All that a reader would type. Where some lines begin with a prompt, the others are what was printed."""
    typed = []
    for _, kind, text in fences(page):
        if kind == "console":
            lines = text.splitlines()
            prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            typed += prompted or lines
    return "\n".join(typed)


# Pages that want a world of their own, and the tests that type them there.
ELSEWHERE = {
    "backup": "tests/acceptance/test_wrangler.py::test_the_backups_of_the_document_are_made_and_restored",
    "integration": "tests/acceptance/test_integration_document.py::test_every_command_answers_as_it_is_written",
    "migrating": "tests/acceptance/test_wrangler.py::test_the_way_of_the_document_leads_there_and_back",
    "operations": "tests/acceptance/test_monitoring.py::test_the_document_s_commands_do_what_they_say",
}
WITH_COMMANDS = [page for page in PAGES if script(page) and page.stem not in ELSEWHERE]


def play(folder: Path, text: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it in bash, to the first failure; an answer that is an error is one."""
    said = "set -euo pipefail\ncurl() { command curl --silent --show-error --fail-with-body --noproxy '*' \"$@\"; }\nset -x\n"
    environment = clean_environment(**settings)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", said + text],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 4,
        check=False,
    )


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_what_a_page_says_can_be_typed(page: Path, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    typed = script(page)
    with ExitStack() as stack:
        service = Service(tmp_path)
        if SERVER in typed:
            stack.enter_context(service)
            service.ingest(query("q-1", store_id="my-shop"), outcome("q-1", latency_ms=900))
            typed = typed.replace(SERVER, service.url.removeprefix("http://"))
        if re.search(r"\bID\b", typed):
            made = json.loads(service.aura("keys", "create", "first", "--scope", "read", "--json").stdout)
            typed = re.sub(r"\bID\b", made["id"], typed)
        played = play(tmp_path, typed, AURA_DATABASE_URL=service.database_url)
    assert played.returncode == 0, f"{played.stdout[-2_000:]}\n{played.stderr[-3_000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_that_isn_t_run_here_says_where_it_is_or_why_not(page: Path) -> None:
    if page.stem in ELSEWHERE:
        path, name = ELSEWHERE[page.stem].split("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8")
        return
    for told, kind, text in fences(page):
        assert kind != "" or not re.search(r"^(\$ |# |aura-analytics |curl |make )", text, re.MULTILINE), text
        if kind in {"sh", "bash", "shell"}:
            assert told.startswith(("tried by tests/", "not tried: ")), f"{page.name} says nothing of\n{text}"
            for path, name in TRIED.findall(told):
                assert f"def {name}(" in (ROOT / path).read_text("utf-8"), (path, name)


def test_the_pages_all_together_run_commands() -> None:
    assert len(WITH_COMMANDS) >= 4
    assert sum(script(page).count("aura-analytics ") for page in PAGES) > 10
