"""The demonstration from an empty folder: numbers on the screen, a service to play with, a quiet end."""

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from acceptance.conftest import MakeDatabase
from acceptance.database import PATIENCE_S
from acceptance.nursery import COMMAND
from acceptance.service import clean_environment, until


class Demonstration:
    """A demonstration that runs; its output goes to files."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self._stdout = folder.with_name("stdout.txt")
        self._stderr = folder.with_name("stderr.txt")
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                [COMMAND, "demo", "--port", "0"],
                cwd=folder, env=clean_environment(**settings), stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, process_group=0,
            )  # fmt: skip

    def shown(self) -> str:
        """What was printed so far."""
        return self._stdout.read_text("utf-8")

    def said_aside(self) -> str:
        """What went to standard error."""
        return self._stderr.read_text("utf-8")

    def end(self) -> int:
        """Press Ctrl-C; give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def demonstration(tmp_path: Path, backend: str, make_database: MakeDatabase) -> Iterator[Demonstration]:
    """A demonstration in a fresh folder, where nothing is set but what can't do without."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    settings = {} if backend == "sqlite" else {"AURA_DATABASE_URL": make_database(folder).url}
    running = Demonstration(folder, **settings)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def test_the_demonstration_shows_numbers_serves_on_and_ends_quietly(demonstration: Demonstration, backend: str) -> None:
    until(lambda: "Ctrl-C" in demonstration.shown() or demonstration.process.poll() is not None)
    shown = demonstration.shown()
    for part in (
        "interactions sent",
        "labelled",
        "queries",
        "conversion",
        "What shoppers say most",
        "Where it broke",
        "What they didn't get",
    ):
        assert part in shown, shown
    assert demonstration.said_aside() == ""
    found = re.search(r"Serving on (http://127\.0\.0\.1:\d+)", shown)
    assert found, shown
    url = found[1]
    for hint in ("/docs", "curl", "/ingest", "/stats/summary"):
        assert f"{url}{hint}" in shown or hint == "curl"
    with httpx.Client(base_url=url, trust_env=False) as http:
        assert http.get("/health").json()["status"] == "healthy"
        assert http.get("/docs").status_code == 200
        summary = http.get("/stats/summary", params={"period": "7d"}).json()
        assert 380 <= summary["totalQueries"] <= 420
        assert 0 < summary["successfulQueries"] < summary["totalQueries"]
        assert http.get("/stats/conversions", params={"period": "7d"}).json()["conversions"] > 10
        assert http.get("/insights/rephrasings", params={"period": "7d"}).json()["rephrased"] > 5
        for label in ("GOOD", "REVIEW", "BAD"):
            assert http.get("/stats/dataset", params={"period": "7d", "label": label}).json()
        assert len(http.get("/export/training-data?period=7d").text.splitlines()) > 50
    assert (demonstration.folder / "data" / "aura.db").exists() == (backend == "sqlite")
    assert demonstration.end() == 0
    assert demonstration.said_aside() == ""
