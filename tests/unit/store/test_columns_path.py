"""Where the columns of a database lie: no two databases share a file."""

from pathlib import Path

from aura_analytics.settings import Settings
from aura_analytics.store import columns_path


def beside(url: str, columns: str = "") -> Path:
    return columns_path(Settings(aura_database_url=url, aura_columns_path=columns))


def test_they_lie_beside_the_database() -> None:
    assert beside("sqlite:///data/aura.db") == Path("data/aura.db.columns.duckdb")


def test_no_two_databases_of_a_folder_share_them() -> None:
    names = ("aura.db", "aura.bak", "aura.sqlite", "aura", "aura.old.db", "aura.db.bak")
    assert len({beside(f"sqlite:///data/{name}") for name in names}) == len(names)


def test_a_setting_goes_before() -> None:
    assert beside("sqlite:///data/aura.db", "elsewhere/c.duckdb") == Path("elsewhere/c.duckdb")
