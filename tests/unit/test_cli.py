"""The command line by itself: what it brings into memory before it knows which command is meant."""

import subprocess
import sys

# What only some commands need: servers, the engine of the columns, models and their providers, and what counts words.
HEAVY = {
    "adbc_driver_manager",
    "duckdb",
    "fastapi",
    "google",
    "numpy",
    "obstore",
    "opentelemetry",
    "prometheus_client",
    "psycopg",
    "pydantic_ai",
    "sklearn",
    "uvicorn",
}


def test_a_command_does_not_wait_for_what_others_need() -> None:
    program = "import sys, aura_analytics.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"msgspec", "typer"} <= set(loaded)
    assert HEAVY & set(loaded) == set()
