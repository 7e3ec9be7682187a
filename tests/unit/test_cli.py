"""The command line by itself: what it brings into memory before it knows which command is meant."""

from loading import loaded_by

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
    loaded = loaded_by("aura_analytics.cli")
    assert {"msgspec", "typer"} <= loaded
    assert HEAVY & loaded == set()
