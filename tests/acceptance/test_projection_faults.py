"""The columns can be thrown away: whatever becomes of their file, the numbers are those of the rows."""

import json
import os
import random
import shutil
import signal
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from acceptance.conftest import MakeDatabase
from acceptance.database import SqliteFile
from acceptance.service import Service, children, outcome, query, runs, until

StartService = Callable[..., Service]

SINCE = 1_760_000_000_000
ENDPOINTS = ("/stats/summary", "/stats/top-queries", "/stats/unanswered", "/stats/hourly", "/stats/dataset")

# DuckDB's file: three headers, then blocks, each with a checksum.
HEADERS, BLOCK = 3 * 4_096, 256 * 1_024


def fill(service: Service, count: int) -> None:
    """Interactions with texts that don't compress, each with its outcome, and labelled."""
    rng = random.Random(count)
    texts = ["".join(rng.choices(string.ascii_letters, k=60)) for _ in range(count)]
    queries = [
        query(
            f"q{n:05}", timestamp=SINCE + n * 60_000, query_text=text, intent=text[::-1], transcription_confidence=0.9
        )
        for n, text in enumerate(texts)
    ]
    outcomes = [outcome(f"q{n:05}", action_success=n % 3 and 1, latency_ms=n, cost_usd=0.001) for n in range(count)]
    for start in range(0, count, 5_000):
        service.ingest(*queries[start : start + 5_000])
        service.ingest(*outcomes[start : start + 5_000])
    ran = service.aura("evaluate")
    assert ran.returncode == 0, ran.stderr


def numbers(service: Service) -> dict[str, Any]:
    """All statistics of all time, of the store that was filled; a rebuild is waited for."""
    found = {path: until(lambda path=path: _answer(service, path)).json() for path in ENDPOINTS}  # type: ignore[misc]
    del found["/stats/summary"]["evaluationQueue"]  # what waits at this moment, in all stores
    return found


def _answer(service: Service, path: str) -> httpx.Response | None:
    answer = service.http.get(path, params={"period": "all", "store": "shop"})
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
        return None
    assert answer.status_code == 200, f"{answer.text} {service.complaints()}"
    return answer


def differing(service: Service) -> int:
    """How many interactions the running service finds to be other in the columns than in the rows."""
    found: int = until(lambda: service.http.get("/verify").json().get("interactions") and service.get("/verify"))[
        "differing"
    ]
    return found


@pytest.fixture(scope="module")
def long_lived(
    tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase
) -> Iterator[tuple[Service, dict[str, Any]]]:
    """A service with 4,000 interactions, and its numbers; the tests of this module damage its columns in turn."""
    folder = tmp_path_factory.mktemp("filled")
    with Service(folder, make_database(folder)) as service:
        fill(service, 4_000)
        yield service, numbers(service)


@pytest.fixture
def filled(long_lived: tuple[Service, dict[str, Any]]) -> tuple[Service, dict[str, Any]]:
    """The same, running and whole, whatever the test before left of it."""
    service, before = long_lived
    if not service.lives():
        service.columns.unlink(missing_ok=True)
        service.columns.with_name(service.columns.name + ".wal").unlink(missing_ok=True)
        service.start()
    return service, before


def delete(columns: Path) -> None:
    columns.unlink()


def empty(columns: Path) -> None:
    os.truncate(columns, 0)


def cut(columns: Path) -> None:
    os.truncate(columns, columns.stat().st_size // 2)


def overwrite(columns: Path) -> None:
    columns.write_bytes(b"this is no database\n" * 5_000)


def spoil_the_data(columns: Path) -> None:
    """The headers stay right, so that it looks like a database."""
    spoil(columns, HEADERS, columns.stat().st_size - HEADERS)


def spoil_the_log(columns: Path) -> None:
    columns.with_name(columns.name + ".wal").write_bytes(b"\xa5" * 10_000)


def spoil(file: Path, start: int, size: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xa5" * size)


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("damage", [delete, empty, cut, overwrite, spoil_the_data, spoil_the_log])
def test_damaged_columns_are_rebuilt(
    filled: tuple[Service, dict[str, Any]], name: str, damage: Callable[[Path], None]
) -> None:
    service, before = filled
    assert service.stop() == 0  # so that all of the columns are in the file
    service.start()
    service.kill()
    damage(service.columns)
    service.start()
    assert service.ingest(query(name, store_id="meanwhile"))["accepted"] == 1
    assert numbers(service) == before
    assert differing(service) == 0


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("first", range(3))
def test_a_damaged_block_of_the_columns_is_noticed_whichever_it_is(
    filled: tuple[Service, dict[str, Any]], first: int
) -> None:
    """Nothing but reading the block can tell; what is read then is the truth or a 503, and soon the truth."""
    service, before = filled
    service.stop()
    number = first
    while (start := HEADERS + number * BLOCK) < service.columns.stat().st_size:
        spoil(service.columns, start + 1_000, 1_000)
        service.start()
        assert numbers(service) == before
        assert service.stop() == 0
        number += 3
    assert number > first
    service.start()
    assert differing(service) == 0


def test_kill_9_of_a_service_that_follows_loses_no_number(filled: tuple[Service, dict[str, Any]], name: str) -> None:
    """The columns may be behind the rows then, never ahead; the feed closes the gap."""
    service, _ = filled
    for round_ in range(3):
        service.ingest(*(query(f"{name}-{round_}-{n}", store_id=name) for n in range(500)))
        service.kill()
        service.start()
        assert service.get("/stats/summary", store=name)["totalQueries"] == 500 * (round_ + 1)
    assert differing(service) == 0


def test_a_helping_process_that_is_killed_costs_no_number(filled: tuple[Service, dict[str, Any]], name: str) -> None:
    service, before = filled
    if not (helpers := children(service)):
        pytest.skip("the service has no helping process, or the system doesn't tell")
    for helper in helpers:
        os.kill(helper, signal.SIGKILL)
    assert service.ingest(query(name, store_id="meanwhile"))["accepted"] == 1
    if service.lives():
        assert numbers(service) == before
        assert differing(service) == 0


@pytest.mark.backends("sqlite")
@pytest.mark.parametrize("questions", [1, 2, 5, 9])
def test_a_helping_process_that_is_killed_while_it_settles_costs_no_number(
    filled: tuple[Service, dict[str, Any]], questions: int
) -> None:
    """New columns are settled from the first moment on, hour by hour; wherever that ends, the next one goes on from there."""
    service, before = filled
    assert service.stop() == 0
    service.columns.unlink()
    service.start()
    until(lambda: _answer(service, "/stats/summary"))
    if not (helpers := children(service)):
        pytest.skip("the service has no helping process, or the system doesn't tell")
    for _ in range(questions):
        service.get("/stats/hourly", period="all", store="shop")
    for helper in helpers:
        os.kill(helper, signal.SIGKILL)
    until(lambda: not [helper for helper in helpers if runs(helper)])
    assert numbers(service) == before
    assert differing(service) == 0


@pytest.mark.backends("sqlite")
def test_a_killed_service_leaves_no_process_behind(start_service: StartService) -> None:
    service = start_service()
    helpers = children(service)
    if not helpers:
        pytest.skip("the service has no helping process, or the system doesn't tell")
    service.kill()
    until(lambda: not [helper for helper in helpers if runs(helper)])


def test_the_columns_of_another_database_are_not_taken_for_one_s_own(start_service: StartService) -> None:
    mine, other = start_service("mine"), start_service("other")
    fill(mine, 50)
    before = numbers(mine)
    other.ingest(*(query(f"x{n}", timestamp=SINCE) for n in range(50)))
    assert numbers(other) != before
    mine.stop()
    other.stop()
    shutil.copyfile(other.columns, mine.columns)
    mine.start()
    assert numbers(mine) == before
    assert differing(mine) == 0


@pytest.mark.backends("sqlite")
def test_a_database_that_was_put_back_from_a_copy_has_its_own_numbers(
    start_service: StartService, tmp_path: Path
) -> None:
    """The columns are ahead of the rows then, and the feed gives the same positions to other changes."""
    service = start_service()
    fill(service, 50)
    before = numbers(service)
    service.stop()
    assert isinstance(service.database, SqliteFile)
    copy = tmp_path / "copy.db"
    shutil.copyfile(service.database.path, copy)
    service.start()
    service.ingest(query("lost", timestamp=SINCE))
    assert numbers(service) != before
    service.stop()
    shutil.copyfile(copy, service.database.path)
    service.start()
    assert numbers(service) == before
    service.ingest(query("other", timestamp=SINCE))
    assert differing(service) == 0


# A change behind the service's back, and what `verify` says of it: the interaction, the column, and the two cells.
CHANGES = {
    "UPDATE voice_queries SET query_text = 'changed' WHERE id = 'q00007'": ("q00007", "query_text", "changed"),
    "UPDATE voice_outcomes SET latency_ms = 123456.5 WHERE query_id = 'q00008'": ("q00008", "latency_ms", "123456.5", "8.0"),
    "UPDATE voice_evaluations SET label = 'BAD' WHERE query_id = 'q00010'": ("q00010", "label", "'BAD'", "'GOOD'"),
    "DELETE FROM voice_queries WHERE id = 'q00011'": ("q00011", "the whole row", "0 times", "1 times"),
    "INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('n', 's', 1, 't')": (
        "n", "the whole row", "1 times", "0 times",
    ),
}  # fmt: skip


def test_verify_names_what_was_changed_behind_its_back(start_service: StartService) -> None:
    service = start_service()
    fill(service, 50)
    assert differing(service) == 0
    assert service.stop() == 0
    with service.opened() as connection:
        for sql in CHANGES:
            connection.execute(sql)
    found = service.aura("verify")
    assert found.returncode == 1
    lines = found.stdout.decode().splitlines()
    for told in CHANGES.values():
        assert [line for line in lines if all(part in line for part in told)], (told, lines)
    assert len([line for line in lines if "q000" in line]) == len(CHANGES) - 1
    healed = service.aura("verify", "--rebuild")
    assert (healed.returncode, healed.stderr) == (0, b"")
    assert service.aura("verify").returncode == 0


def test_verify_asks_the_server_that_runs(start_service: StartService) -> None:
    service = start_service()
    fill(service, 50)
    assert numbers(service)["/stats/summary"]["totalQueries"] == 50
    with service.opened() as connection:
        connection.execute("UPDATE voice_queries SET intent = 'changed', user_id = 'u' WHERE id = 'q00009'")
    found = service.aura("verify", "--json")
    assert found.returncode == 1
    told = json.loads(found.stdout)
    assert (told["interactions"], told["differing"]) == (50, 1)
    cells = {(cell["query_id"], cell["column"]): cell["in_rows"] for cell in told["differences"]}
    assert cells == {("q00009", "intent"): "changed", ("q00009", "user_id"): "u"}
    assert service.aura("verify", "--rebuild").returncode == 0
    assert service.aura("verify").returncode == 0
    assert service.complaints() == []
