"""The documents say what the thing does: their facts are made by commands, and this holds them there."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_facts_of_the_readme_are_those_of_the_running_thing() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "readme.py", "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text("utf-8")
    assert all(f"({path.name})" in listed for path in folder.glob("0*.md"))


def test_every_target_of_the_makefile_is_explained() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target}" in told for target in ("demo", "serve", "test", "check", "bench"))
