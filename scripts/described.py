"""Hold a server to its own OpenAPI document with Schemathesis: `python scripts/described.py --seconds 600`.

A server of its own is started on an empty SQLite file, without keys; the numbers are Schemathesis's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
# The stream has no end.
LEFT_OUT = "/stats/live"
PATIENCE_S = 60.0
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance"


def serving(log: Path) -> str | None:
    """Give where the server answers, once it does."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.endswith("}")]
    return next((line["url"] for line in lines if line["event"] == "serving"), None)


def main() -> int:
    """Start a server, hold it to its document, and end it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=600)
    arguments.add_argument("--seed", type=int, default=1)
    told = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as stderr:
            server = subprocess.Popen(
                [BIN / "aura-analytics", "serve", "--port", "0", "--database", f"sqlite:///{folder}/aura.db"],
                cwd=folder,
                stderr=stderr,
            )
        try:
            deadline = time.monotonic() + PATIENCE_S
            while (url := serving(log)) is None and time.monotonic() < deadline:
                time.sleep(0.05)
            options = ["--checks", CHECKS, "--exclude-path", LEFT_OUT, "--max-time", str(told.seconds)]
            options += ["--seed", str(told.seed), "--continue-on-failure", "--no-color"]
            code = subprocess.run(
                [BIN / "st", "run", f"{url}/openapi.json", *options], cwd=folder, check=False
            ).returncode
            bugs = [line for line in log.read_text("utf-8").splitlines() if '"level":"error"' in line]
            print(f"{len(bugs)} bugs in the server's log", *bugs[:3], sep="\n")
            return code or bool(bugs)
        finally:
            server.terminate()
            server.wait(PATIENCE_S)


if __name__ == "__main__":
    sys.exit(main())
