"""SQL about the archive's files: what it sees, what it may take, and that nothing else is touched."""

import errno
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest
from arro3.io import read_parquet

from answering import answering
from aura_analytics.archive import engine, message, query
from aura_analytics.archive.files import Folder
from aura_analytics.archive.query import FOLDER, Counted, Limits, Shelf, asked
from aura_analytics.errors import ArchiveError, ParameterError

COLUMNS = {
    "id": "VARCHAR",
    "store_id": "VARCHAR",
    "created_at": "BIGINT",
    "query_text": "VARCHAR",
    "cost_usd": "DOUBLE",
}
# Anything may be a store's name.
STORES = ("shop", "123", "a/b ä", "x=y", "*?[1]", "100%", "it's")
DAYS = ("2026-01-01", "2026-01-02")
ROWS_A_FILE = 3

# Any: what JSON can hold.
Rows = list[list[Any]]


def name_of(day: str, store: str) -> str:
    return f"date={day}/store_id={quote(store, safe='')}/part-1.parquet"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("archive [1]")
    with duckdb.connect(":memory:") as connection:
        described = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        for day in DAYS:
            for store in STORES:
                path = root / name_of(day, store)
                path.parent.mkdir(parents=True)
                connection.execute(f"CREATE OR REPLACE TABLE t ({described})")
                connection.execute(
                    "INSERT INTO t SELECT $name || '-' || n, $store, 1000 * n, 'say ' || n, 0.5 FROM range(3) AS r(n)",
                    {"name": f"{day} {store}", "store": store},
                )
                connection.execute(
                    f"COPY t TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, COMPRESSION zstd)"
                )
    return root


def shelf(archive: Path, in_force: dict[str, Iterable[str]] | None = None, names: list[str] | None = None) -> Shelf:
    files = Folder(archive)
    found = files.names() if names is None else names
    return Shelf(
        files=files, counted=lambda: [Counted(name, (in_force or {}).get(name)) for name in found], columns=COLUMNS
    )


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each question takes its time; only those tests have one that are about it."""

    if request.cls is not TestInAProcess:
        monkeypatch.setattr(query, "_running", answering)


def rows(sql: str, shelf: Shelf, scratch: Path, limits: Limits | None = None) -> Rows:
    with asked(sql, shelf, scratch, limits) as answer:
        return list(answer.rows)


def test_all_files_are_one_table_by_day_and_by_store(archive: Path, scratch: Path) -> None:
    found = rows("SELECT date, store_id, count(*) FROM interactions GROUP BY ALL ORDER BY ALL", shelf(archive), scratch)

    assert found == [[day, store, ROWS_A_FILE] for day in DAYS for store in sorted(STORES)]


def test_the_columns_are_told_and_the_engine_s_own_aren_t(archive: Path, scratch: Path) -> None:
    found = rows("SELECT column_name, column_type FROM (DESCRIBE interactions)", shelf(archive), scratch)

    assert found == [[name, kind] for name, kind in COLUMNS.items()] + [["date", "DATE"]]


def test_what_counts_no_longer_isn_t_seen(archive: Path, scratch: Path) -> None:
    first, second = name_of(DAYS[0], "a/b ä"), name_of(DAYS[1], "it's")
    in_force: dict[str, Iterable[str]] = {first: [f"{DAYS[0]} a/b ä-1", "of another file"], second: iter(())}
    held = shelf(archive, in_force)

    assert rows("SELECT id FROM interactions WHERE store_id = 'a/b ä' ORDER BY id", held, scratch) == [
        [f"{DAYS[0]} a/b ä-1"],
        *([f"{DAYS[1]} a/b ä-{number}"] for number in range(ROWS_A_FILE)),
    ]
    assert rows("SELECT count(*) FROM interactions WHERE store_id = 'it''s'", held, scratch) == [[ROWS_A_FILE]]


def test_an_id_counts_in_the_file_that_it_is_in_force_in(archive: Path, scratch: Path, tmp_path: Path) -> None:
    """It was taken out of one file and put away again into another one."""
    again = tmp_path / "archive"
    one, other = "date=2026-01-01/store_id=shop/part-1.parquet", "date=2026-01-01/store_id=shop/part-2.parquet"
    for name in (one, other):
        Folder(again).put(archive / name_of(DAYS[0], "shop"), name)
    ids = [f"{DAYS[0]} shop-{number}" for number in range(ROWS_A_FILE)]

    found = rows("SELECT id FROM interactions ORDER BY id", shelf(again, {one: ids[:1], other: ids[1:]}), scratch)

    assert found == [[id] for id in ids]


def test_an_archive_without_a_file_is_an_empty_table(tmp_path: Path, scratch: Path) -> None:
    assert rows("SELECT count(*), sum(cost_usd) FROM interactions", shelf(tmp_path / "none"), scratch) == [[0, None]]


def test_a_file_of_an_older_version_lacks_columns(archive: Path, tmp_path: Path, scratch: Path) -> None:
    again = tmp_path / "archive"
    Folder(again).put(archive / name_of(DAYS[0], "shop"), name_of(DAYS[0], "shop"))
    older = tmp_path / "older.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY (SELECT 'old' AS id, 'shop' AS store_id) TO '{older}' (FORMAT parquet)")
    Folder(again).put(older, name_of("2025-01-01", "shop"))
    counted = [Counted(name_of("2025-01-01", "shop"), format=0), Counted(name_of(DAYS[0], "shop"))]
    held = Shelf(files=Folder(again), counted=lambda: counted, columns=COLUMNS)

    found = rows("SELECT id, cost_usd FROM interactions ORDER BY date LIMIT 2", held, scratch)

    assert found == [["old", None], [f"{DAYS[0]} shop-0", 0.5]]


def test_every_kind_of_value_becomes_json(archive: Path, scratch: Path) -> None:
    sql = """SELECT 1 AS a, 2 AS a, 1.5::DECIMAL(5, 2), 'nan'::DOUBLE, DATE '2026-01-02', TIMESTAMPTZ '2026-01-02 03:04:05Z',
        [1, 2], {'x': [NULL, 'y']}, MAP {'k': 1}, 2::HUGEINT ** 100, 'b'::BLOB, true, NULL, INTERVAL 3 DAY, 1::UBIGINT,
        18446744073709551615::UBIGINT, sum(1), [1.5]::DECIMAL(5, 2)[], '{"z": 1}'::JSON -- the end;"""
    with asked(sql, shelf(archive), scratch) as answer:
        [found] = list(answer.rows)
        assert answer.columns[:2] == ["a", "a_1"]

    assert found[:15] == [
        *(1, 2, 1.5, None, "2026-01-02", found[5], [1, 2], {"x": [None, "y"]}, {"k": 1}, 2.0**100, "b", True, None),
        *("3 days", 1),
    ]
    assert found[15:] == ["18446744073709551615", 1, [1.5], {"z": 1}]


def test_the_order_is_the_one_that_was_asked_for(archive: Path, scratch: Path) -> None:
    found = rows("SELECT n FROM range(20000) AS r(n) ORDER BY hash(n)", shelf(archive), scratch)

    assert len(found) == 20_000
    assert found[:100] == rows("SELECT n FROM range(20000) AS r(n) ORDER BY hash(n) LIMIT 100", shelf(archive), scratch)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP VIEW interactions", "only SELECT"),
        ("SELECT * FROM read_text('/etc/passwd')", "isn't for asking"),
        ("SELECT nothing FROM interactions", '"nothing" not found'),
        ("SELECT 'x'::INT", "Could not convert"),
        ("SELECT $1", "parameters"),
    ],
)
def test_what_can_t_be_answered_is_refused_in_a_line(archive: Path, scratch: Path, sql: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as raised:
        rows(sql, shelf(archive), scratch)
    assert "\n" not in str(raised.value)


class TestLocked:
    """What the engine refuses by itself, were a statement ever to get past the look at what it is made of."""

    @pytest.fixture
    def connection(self, archive: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
        files = [str(archive / name) for name in Folder(archive).names()]
        question = message.Question(
            sql="",
            files=files,
            in_force={},
            columns=COLUMNS,
            alike=True,
            spill=str(tmp_path / "spill"),
            memory_mb=100,
            spill_mb=100,
            threads=1,
        )
        with duckdb.connect(":memory:", config=engine._config(question)) as opened:
            engine._lay_out(opened, question)
            engine._lock(opened, question)
            yield opened

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM glob('/**')",
            "SELECT * FROM sniff_csv('/etc/passwd')",
            "COPY (SELECT 1) TO 'out.csv'",
            "COPY (SELECT 1) TO '{file}'",
            "WITH t AS (COPY (SELECT 1) TO '{file}') SELECT 1",
            "ATTACH 'other.db'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET threads = 99",
            "SET enable_external_access = true",
            "SET allowed_paths = ['/etc/passwd']",
            "EXPORT DATABASE 'folder'",
            "SELECT getenv('HOME')",
        ],
    )
    def test_it_leaves_the_machine_alone(self, connection: duckdb.DuckDBPyConnection, archive: Path, sql: str) -> None:
        file = archive / name_of(DAYS[0], "shop")
        before = file.read_bytes()

        with pytest.raises(duckdb.Error):
            connection.execute(sql.format(file=file)).fetchall()
        assert file.read_bytes() == before
        assert connection.execute("SELECT count(*) FROM interactions").fetchall() != [(0,)]


class TestInAProcess:
    """No question takes more than it may."""

    def test_it_is_answered(self, archive: Path, scratch: Path) -> None:
        assert rows("SELECT count(*) FROM interactions", shelf(archive), scratch) == [
            [ROWS_A_FILE * len(DAYS) * len(STORES)]
        ]

    def test_a_process_that_dies_is_no_answer(
        self, archive: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(query, "ENGINE", "aura_analytics.no_such_module")

        with pytest.raises(ArchiveError, match="its process has ended"):
            rows("SELECT 1", shelf(archive), scratch)

    def test_one_without_end_is_ended(self, archive: Path, scratch: Path) -> None:
        with pytest.raises(ArchiveError, match=r"longer than 1.5 s"):
            rows(
                "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range = 7",
                shelf(archive),
                scratch,
                Limits(seconds=1.5),
            )

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT length(repeat('x', 2000000000) || repeat('y', 1000000000))",
            "SELECT string_agg(md5(range::VARCHAR)) FROM range(20000000)",
        ],
    )
    def test_one_that_needs_too_much_memory_is_refused(self, archive: Path, scratch: Path, sql: str) -> None:
        with pytest.raises(ArchiveError, match="more memory than 100 MiB"):
            rows(sql, shelf(archive), scratch, Limits(memory_mb=100, spill_mb=10))

    def test_who_has_read_enough_ends_it(self, archive: Path, scratch: Path) -> None:
        with asked("SELECT n, md5(n::VARCHAR) FROM range(1000000000) AS r(n)", shelf(archive), scratch) as answer:
            assert next(answer.rows)[0] == 0

    def test_who_asks_and_is_killed_leaves_no_process_and_the_next_one_sweeps(
        self, archive: Path, tmp_path: Path
    ) -> None:
        scratch = tmp_path / "scratch"
        asking = subprocess.Popen(
            [sys.executable, "-c", ASKING, str(archive), str(scratch)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert asking.stdout is not None
        answering = int(asking.stdout.readline())
        asking.send_signal(signal.SIGKILL)
        asking.wait()
        asking.stdout.close()

        deadline = time.monotonic() + 60
        while alive(answering):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert [path.name.startswith(FOLDER) for path in scratch.iterdir()] == [True]
        assert rows("SELECT 1", shelf(archive), scratch) == [[1]]
        assert list(scratch.iterdir()) == []


ASKING = f"""
import subprocess, sys
from pathlib import Path
from aura_analytics.archive import query
from aura_analytics.archive.files import Folder
files = Folder(Path(sys.argv[1]))
popen = subprocess.Popen
def told(*arguments, **options):
    process = popen(*arguments, **options)
    print(process.pid, flush=True)
    return process
query.subprocess.Popen = told
shelf = query.Shelf(files=files, counted=lambda: map(query.Counted, files.names()), columns={COLUMNS!r})
with query.asked("SELECT count(*) FROM range(10000000) a, range(10000000) b", shelf, Path(sys.argv[2])) as answer:
    list(answer.rows)
"""


def alive(process: int) -> bool:
    """Whether a process is there; one that has ended and waits for init isn't."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Copies:
    """Files whose local copies have names of their own, as those of an object store do."""

    def __init__(self, files: Folder, folder: Path) -> None:
        self._files, self._folder = files, folder
        folder.mkdir()

    def put(self, path: Path, name: str) -> None:
        self._files.put(path, name)

    def local(self, name: str) -> Path:
        copy = self._folder / quote(name, safe="")
        shutil.copyfile(self._files.local(name), copy)
        return copy

    def names(self, prefix: str = "") -> list[str]:
        return self._files.names(prefix)

    def remove(self, name: str) -> None:
        self._files.remove(name)


class TestTrouble:
    """What goes wrong with files is said, and is no answer."""

    def test_a_file_that_is_damaged(self, archive: Path, tmp_path: Path, scratch: Path) -> None:
        again, broken = tmp_path / "archive", tmp_path / "broken"
        broken.write_bytes((archive / name_of(DAYS[0], "shop")).read_bytes()[:-20])
        Folder(again).put(broken, name_of(DAYS[0], "shop"))

        with pytest.raises(ArchiveError, match="can't be read") as raised:
            rows("SELECT count(*) FROM interactions", shelf(again), scratch)
        assert str(tmp_path) not in str(raised.value)

    @pytest.mark.parametrize("byte", [0x00, 0x0F, 0xFF])
    @pytest.mark.parametrize("place", [slice(4, 200), slice(-200, -8)], ids=["a page", "the footer"])
    def test_a_file_that_is_damaged_inside(
        self, archive: Path, tmp_path: Path, scratch: Path, place: slice, byte: int
    ) -> None:
        again, broken = tmp_path / "archive", tmp_path / "broken"
        content = bytearray((archive / name_of(DAYS[0], "shop")).read_bytes())
        content[place] = bytes([byte]) * len(content[place])
        broken.write_bytes(content)
        Folder(again).put(broken, name_of(DAYS[0], "shop"))

        with pytest.raises(ArchiveError, match="can't be read") as raised:
            rows("SELECT * FROM interactions", shelf(again), scratch)
        assert str(tmp_path) not in str(raised.value)

    def test_a_file_that_isn_t_there(self, archive: Path, scratch: Path) -> None:
        with pytest.raises(ArchiveError, match="lacks a file"):
            rows("SELECT 1", shelf(archive, names=[name_of("2030-01-01", "shop")]), scratch)

    def test_one_that_is_replaced_while_it_is_looked_for_is_looked_for_again(
        self, archive: Path, tmp_path: Path, scratch: Path
    ) -> None:
        again = Folder(tmp_path / "archive")
        old, new = name_of(DAYS[0], "shop"), name_of(DAYS[0], "shop").replace("part-1", "part-2")
        again.put(archive / old, new)
        told = iter([[Counted(old)], [Counted(new)]])
        held = Shelf(files=again, counted=lambda: next(told), columns=COLUMNS)

        assert rows("SELECT count(*) FROM interactions", held, scratch) == [[ROWS_A_FILE]]

    def test_a_copy_that_goes_while_it_is_read_stays_for_who_reads(
        self, archive: Path, tmp_path: Path, scratch: Path
    ) -> None:
        held = shelf(archive)
        copies = Copies(Folder(archive), tmp_path / "copies")
        elsewhere = Shelf(files=copies, counted=held.counted, columns=COLUMNS)
        with asked("SELECT id FROM interactions, range(1000)", elsewhere, scratch) as answer:
            shutil.rmtree(tmp_path / "copies")
            assert len(list(answer.rows)) == ROWS_A_FILE * 1_000 * len(DAYS) * len(STORES)

    def test_a_copy_that_can_t_be_linked_is_copied(
        self, archive: Path, tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def across_disks(*_: Path) -> None:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

        monkeypatch.setattr(Path, "hardlink_to", across_disks)
        held = shelf(archive)
        elsewhere = Shelf(files=Copies(Folder(archive), tmp_path / "copies"), counted=held.counted, columns=COLUMNS)

        assert rows("SELECT DISTINCT date FROM interactions ORDER BY 1", elsewhere, scratch) == [[day] for day in DAYS]

    def test_a_copy_that_goes_again_and_again_is_said(self, archive: Path, tmp_path: Path, scratch: Path) -> None:
        class Gone(Copies):
            def local(self, name: str) -> Path:
                path = super().local(name)
                path.unlink()
                return path

        held = shelf(archive)
        elsewhere = Shelf(files=Gone(Folder(archive), tmp_path / "copies"), counted=held.counted, columns=COLUMNS)

        with pytest.raises(ArchiveError, match="again and again"):
            rows("SELECT 1", elsewhere, scratch)

    def test_a_folder_that_can_t_be_made(self, archive: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(ArchiveError, match="no room"):
            rows("SELECT 1", shelf(archive), tmp_path / "file")


def test_another_engine_reads_the_same_out_of_the_files(archive: Path, scratch: Path) -> None:
    ours = rows(
        "SELECT store_id, count(*), max(created_at) FROM interactions GROUP BY 1 ORDER BY 1", shelf(archive), scratch
    )

    theirs = Counter[str]()
    latest: dict[str, int] = {}
    for name in Folder(archive).names():
        table = read_parquet(archive / name).read_all()
        for store, moment in zip(table["store_id"].to_pylist(), table["created_at"].to_pylist(), strict=True):
            theirs[store] += 1
            latest[store] = max(moment, latest.get(store, 0))
    assert [[store, theirs[store], latest[store]] for store in sorted(theirs)] == ours
