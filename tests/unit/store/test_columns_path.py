"""Where the columns of a database lie: no two databases share a file."""

from pathlib import Path

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.store import columns_path, has_slots


def beside(url: str, columns: str = "", slot: int = 0) -> Path:
    return columns_path(Settings(aura_database_url=url, aura_columns_path=columns), slot)


def test_they_lie_beside_the_database() -> None:
    assert beside("sqlite:///data/aura.db") == Path("data/aura.db.columns.duckdb")


def test_no_two_databases_of_a_folder_share_them() -> None:
    names = ("aura.db", "aura.bak", "aura.sqlite", "aura", "aura.old.db", "aura.db.bak")
    assert len({beside(f"sqlite:///data/{name}") for name in names}) == len(names)


@pytest.mark.parametrize("url", ["sqlite:///data/aura.db", "postgresql://db/aura"])
def test_a_setting_goes_before(url: str) -> None:
    assert beside(url, "elsewhere/c.duckdb") == Path("elsewhere/c.duckdb")
    assert not has_slots(Settings(aura_database_url=url, aura_columns_path="elsewhere/c.duckdb"))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://db/aura", "db-5432-aura"),
        ("postgres://db:5433/aura", "db-5433-aura"),
        ("postgresql:///", "local-5432-default"),
        ("postgresql:///?host=db&port=5433&dbname=aura", "db-5433-aura"),
        ("postgresql://db.example.com/aura?sslmode=require", "db.example.com-5432-aura"),
    ],
)
def test_those_of_a_server_s_are_named_for_where_it_is(url: str, name: str) -> None:
    assert beside(url) == Path(f"data/{name}.0.columns.duckdb")
    assert beside(url, slot=3) == Path(f"data/{name}.3.columns.duckdb")
    assert has_slots(Settings(aura_database_url=url))


def test_who_asks_is_no_part_of_the_name() -> None:
    urls = ("postgresql://db/aura", "postgres://aura@db:5432/aura", "postgresql://aura:secret@db/aura?password=secret")
    assert {beside(url) for url in urls} == {Path("data/db-5432-aura.0.columns.duckdb")}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///aura?host=/tmp/a/socket",
        "postgresql://[::1]:5432/aura",
        "postgresql://[::1]/aura",
        "postgresql://one:5432,two:5433/aura",
        "postgresql://db/..%2F..%2Faura",
        "postgresql://db/b%C3%BCcher%3F",
        f"postgresql://db/{'a' * 300}",
    ],
)
def test_what_is_unfit_for_a_name_is_left_out_and_told_apart_all_the_same(url: str) -> None:
    path = beside(url)
    assert path.parent == Path("data")
    assert path.name.isascii()
    assert not set(path.name) & set("/?:[]%")
    assert len(path.name) < 200
    assert beside(url) == path
    assert beside(url + "/x" if "?" in url else url + "x") != path


def test_two_names_that_look_the_same_when_made_fit_are_two_files() -> None:
    assert len({beside(f"postgresql://db/a%{code}b") for code in ("20", "2F", "3F")}) == 3


def test_a_host_that_is_none_is_told_without_the_url() -> None:
    with pytest.raises(SettingsError) as error:
        beside("postgresql://aura:secret@[nonsense]/aura")
    assert str(error.value) == "the host in AURA_DATABASE_URL can't be read"
