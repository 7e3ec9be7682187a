"""What a program takes in with the client."""

import subprocess
import sys

HEAVY = {
    "duckdb",
    "fastapi",
    "pydantic",
    "pydantic_ai",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
    "adbc_driver_manager",
}


def test_it_brings_nothing_heavy() -> None:
    program = "import sys, aura_analytics.client; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert {"httpx", "msgspec"} <= set(loaded)
    assert HEAVY & set(loaded) == set()
