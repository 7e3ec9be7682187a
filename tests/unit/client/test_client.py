"""What a program takes in with the client."""

from loading import loaded_by

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
    loaded = loaded_by("aura_analytics.client")
    assert {"httpx", "msgspec"} <= loaded
    assert HEAVY & loaded == set()
