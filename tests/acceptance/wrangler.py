"""The real wrangler, as people run it on their own machine: nothing leaves it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from acceptance.service import clean_environment

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "main-worker" / "node_modules" / ".bin" / "wrangler"
MIGRATIONS = ROOT / "migrations" / "analytics"
NAME = "aura-db"
PATIENCE_S = 90


class Wrangler:
    """A worker's folder with one local D1 database."""

    def __init__(self, folder: Path) -> None:
        assert PROGRAM.exists(), "wrangler isn't there: make test brings it (npm ci in examples/main-worker)"
        self.folder = folder
        self.migrations = folder / "migrations"
        self.migrations.mkdir(parents=True)
        database = {"binding": "DB", "database_name": NAME, "database_id": "0", "migrations_dir": "migrations"}
        written = {"name": "worker", "compatibility_date": "2026-01-01", "d1_databases": [database]}
        (folder / "wrangler.json").write_text(json.dumps(written), "utf-8")

    def d1(self, *arguments: str | Path) -> str:
        """Run one command about the local database."""
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "config"), "PATH": programs}
        quiet = {"CI": "1", "WRANGLER_SEND_METRICS": "false", "WRANGLER_LOG_PATH": str(self.folder / "logs")}
        ran = subprocess.run(
            [PROGRAM, "d1", *arguments, "--local"], cwd=self.folder, env=clean_environment(**(home | quiet)),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()
        return ran.stdout.decode()

    def apply(self, *numbers: int) -> None:
        """Apply migrations, by `wrangler d1 migrations apply`."""
        for path in MIGRATIONS.glob("*.sql"):
            if int(path.name[:3]) in numbers:
                (self.migrations / path.name).write_bytes(path.read_bytes())
        self.d1("migrations", "apply", NAME)

    def execute(self, file: Path) -> None:
        """Run a file of SQL."""
        self.d1("execute", NAME, "--file", file, "--yes")

    def ask(self, statement: str) -> list[dict[str, Any]]:  # Any: cells
        """Ask one question."""
        [answer] = json.loads(self.d1("execute", NAME, "--json", "--command", statement))
        found: list[dict[str, Any]] = answer["results"]
        return found

    def export(self, file: Path) -> Path:
        """Write a dump."""
        self.d1("export", NAME, "--output", file)
        return file

    @property
    def file(self) -> Path:
        """The database's own file."""
        folder = self.folder / ".wrangler" / "state" / "v3" / "d1"
        [found] = [path for path in folder.rglob("*.sqlite") if path.name != "metadata.sqlite"]
        return found
