"""The documents say what the thing does: their facts are made by commands, and this holds them there."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_facts_of_the_documents_are_those_of_the_running_thing() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "documents.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text("utf-8")
    assert all(f"({path.name})" in listed for path in folder.glob("0*.md"))


def test_every_target_of_the_makefile_is_explained() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target}" in told for target in ("demo", "serve", "docs", "test", "check", "bench"))


def test_the_site_loads_nothing_from_another_host(tmp_path: Path) -> None:
    built = [Path(sys.executable).parent / "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(built, cwd=ROOT, env=quiet, check=True, capture_output=True)
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=\"?(?:https?:)?//[^\s>]*", page.read_text("utf-8")
        )
        assert loaded == [], page.name
