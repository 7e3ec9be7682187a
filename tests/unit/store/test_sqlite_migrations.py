"""Migrations: a fresh file, and every state in which people's D1 databases are, upgraded in place with nothing lost."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from aura_analytics.errors import MigrationError, StoreUnavailable
from aura_analytics.projection import Projection
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import summary
from aura_analytics.store.migrations import available, directory
from aura_analytics.store.port import QueueDepth
from aura_analytics.store.sqlite import SqliteStore, migrate
from aura_analytics.store.sqlite.migrations import DIRECTORY, statements
from contract.making import LATER, LEASE_MS

Raw = Callable[[], sqlite3.Connection]

PEOPLES = 4
NAMES = [
    "001_voice_queries",
    "002_voice_outcomes",
    "003_voice_evaluations",
    "004_create_views",
    "005_event_details",
    "006_evaluation_queue",
    "007_change_feed",
    "008_voice_conversions",
    "009_copy_progress",
    "010_judging",
    "011_guard",
    "012_privacy",
    "013_alerts",
    "014_page_sessions",
    "015_archive",
]
ALL = [int(name[:3]) for name in NAMES]
TABLES = {
    "voice_queries": "id store_id session_id user_id created_at query_text transcription_conf intent fast_path",
    "voice_outcomes": (
        "query_id answer_text model_name latency_ms tokens_prompt tokens_completion cost_usd action_taken "
        "action_success error_flag tool_calls"
    ),
    "voice_evaluations": "query_id label reason confidence_score evaluated_at evaluated_by",
    "voice_stats_hourly": (
        "store_id hour_bucket total_queries successful_queries failed_queries total_latency_ms unique_sessions "
        "total_cost_usd"
    ),
    "migration_metadata": "version applied_at description",
    "voice_query_details": (
        "id store_id session_id user_id created_at query_text transcription_conf intent fast_path answer_text model_name "
        "latency_ms tokens_prompt tokens_completion cost_usd action_taken action_success error_flag tool_calls "
        "eval_label eval_reason eval_confidence"
    ),
    "voice_queries_need_review": "id eval_label",
    "voice_training_examples": "id",
}
OLD_ROWS = """
INSERT INTO voice_queries VALUES
    ('q1', 'shop', 's1', 'u1', 1700000000000, 'wo ist der 🍎', 0.9, 'find', 1),
    ('q2', 'shop', NULL, NULL, 1700000001000, 'milk', NULL, NULL, 0),
    ('q3', 'other', 's3', NULL, 1700000002000, 'bread', 0.5, 'find', 0);
INSERT INTO voice_outcomes VALUES
    ('q1', 'aisle 3', 'gemini', 812.5, 10, 20, 0.001, 'PRODUCT_LOOKUP', 1, 0, '["search"]'),
    ('q3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 1, 'no json'),
    ('late', 'without its query', NULL, 5, NULL, NULL, NULL, NULL, 1, 0, NULL);
INSERT INTO voice_evaluations VALUES ('q1', 'GOOD', 'fine', 0.9, 1700000003000, 'human');
INSERT INTO voice_stats_hourly VALUES ('shop', 1699999200, 2, 1, 0, 812, 1, 0.001);
"""


def names(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def rows(connection: sqlite3.Connection, table: str, columns: str) -> list[tuple[object, ...]]:
    return connection.execute(f"SELECT {', '.join(columns.split())} FROM {table} ORDER BY 1").fetchall()


def by_wrangler(connection: sqlite3.Connection, *, upto: int = PEOPLES) -> None:
    """Apply files as people do: each one whole."""
    for path in sorted(directory(DIRECTORY).glob("*.sql"))[:upto]:
        connection.executescript(path.read_text("utf-8"))


@pytest.fixture
def old(file: Path) -> Path:
    """A database that has seen 001 to 004, with rows."""
    with closing(sqlite3.connect(file)) as connection:
        by_wrangler(connection)
        connection.executescript(OLD_ROWS)
    return file


def test_the_files_have_the_names_that_people_know() -> None:
    assert [path.stem for path in sorted(directory(DIRECTORY).iterdir())] == NAMES
    assert [f"{migration.version:03}_{migration.name}" for migration in available(DIRECTORY)] == NAMES


def test_a_fresh_database_gets_all_of_them_and_records_them(url: str, raw: Raw) -> None:
    assert [migration.version for migration in migrate(url)] == ALL
    recorded = raw().execute("SELECT version, applied_at > 1e12, length(description) > 0 FROM migration_metadata")
    assert recorded.fetchall() == [(version, 1, 1) for version in ALL]


def test_the_folder_of_the_database_is_made(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/some/where/aura.db")
    assert (tmp_path / "some" / "where" / "aura.db").is_file()


def test_a_second_run_applies_nothing_and_changes_nothing(url: str, raw: Raw) -> None:
    migrate(url)
    before = list(raw().iterdump())
    assert migrate(url) == []
    assert list(raw().iterdump()) == before


@pytest.mark.parametrize("table", TABLES)
def test_peoples_tables_have_their_columns_in_their_order(url: str, raw: Raw, table: str) -> None:
    migrate(url)
    expected = TABLES[table].split()
    found = names(raw(), table)
    assert [name for name in found if name in expected] == expected


def test_peoples_tables_take_what_they_always_took(url: str, raw: Raw) -> None:
    """Whoever writes to the four old shapes, naming the old columns, still can."""
    migrate(url)
    connection = raw()
    connection.execute("INSERT INTO voice_queries (id, store_id, created_at, query_text) VALUES ('a', 's', 1, 't')")
    connection.execute("INSERT INTO voice_outcomes (query_id) VALUES ('a')")
    connection.execute("INSERT INTO voice_evaluations (query_id, label, evaluated_at) VALUES ('a', 'REVIEW', 1)")
    connection.execute("INSERT INTO voice_stats_hourly (store_id, hour_bucket) VALUES ('s', 0)")
    assert rows(connection, "voice_queries_need_review", "id fast_path error_flag eval_label evaluated_by") == [
        ("a", 0, 0, "REVIEW", "auto")
    ]
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("INSERT INTO voice_evaluations (query_id, label, evaluated_at) VALUES ('b', 'FINE', 1)")


@pytest.mark.parametrize("version", ALL)
def test_a_file_goes_through_unchanged_as_wrangler_sends_it(raw: Raw, version: int) -> None:
    connection = raw()
    by_wrangler(connection, upto=version)
    recorded = [found for (found,) in connection.execute("SELECT version FROM migration_metadata ORDER BY version")]
    assert recorded == [known for known in ALL if known <= version]


@pytest.mark.usefixtures("old")
def test_peoples_four_files_go_through_twice(raw: Raw) -> None:
    connection = raw()
    before = list(connection.iterdump())
    by_wrangler(connection)
    assert list(connection.iterdump()) == before


@pytest.mark.parametrize("version", ALL)
def test_a_file_is_split_into_the_statements_that_it_holds(version: int) -> None:
    """Statement by statement makes the same database as the whole file."""
    sql = [migration.sql for migration in available(DIRECTORY)[:version]]
    with closing(sqlite3.connect(":memory:")) as whole, closing(sqlite3.connect(":memory:")) as split:
        for text in sql:
            whole.executescript(text)
            for statement in statements(text):
                split.execute(statement)
        schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
        assert split.execute(schema).fetchall() == whole.execute(schema).fetchall()


@pytest.mark.usefixtures("old")
@pytest.mark.parametrize("recorded", [True, False])
def test_an_older_database_is_upgraded_in_place_and_nothing_is_lost(url: str, raw: Raw, recorded: bool) -> None:
    connection = raw()
    if not recorded:
        connection.execute("DELETE FROM migration_metadata")
    kept = {table: rows(connection, table, columns) for table, columns in TABLES.items() if table.startswith("voice")}
    assert [migration.version for migration in migrate(url)] == (ALL[PEOPLES:] if recorded else ALL)
    assert {table: rows(connection, table, TABLES[table]) for table in kept} == kept
    assert len(rows(connection, "migration_metadata", "version")) == len(ALL)
    assert migrate(url) == []


@pytest.mark.usefixtures("old")
def test_a_database_without_even_a_table_of_records_is_upgraded(url: str, raw: Raw) -> None:
    raw().execute("DROP TABLE migration_metadata")
    assert len(migrate(url)) == len(ALL)
    assert rows(raw(), "voice_queries", "id") == [("q1",), ("q2",), ("q3",)]


@pytest.mark.parametrize("seen", ALL[:-1])
def test_a_database_that_has_seen_the_first_few_gets_the_rest(url: str, raw: Raw, seen: int) -> None:
    by_wrangler(raw(), upto=seen)
    assert [migration.version for migration in migrate(url)] == ALL[seen:]


def test_an_export_of_d1_opens_as_it_is(old: Path, tmp_path: Path) -> None:
    """`wrangler d1 export` writes SQL; D1 keeps tables of its own beside people's."""
    with closing(sqlite3.connect(old)) as connection:
        dump = "\n".join(connection.iterdump())
    imported = tmp_path / "imported.db"
    with closing(sqlite3.connect(imported)) as connection:
        connection.executescript("PRAGMA defer_foreign_keys=TRUE;\n" + dump)
        connection.executescript("CREATE TABLE d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)")
    assert [migration.version for migration in migrate(f"sqlite:///{imported}")] == ALL[PEOPLES:]
    with closing(sqlite3.connect(imported)) as connection:
        assert rows(connection, "voice_query_details", "id eval_label latency_ms") == [
            ("q1", "GOOD", 812.5),
            ("q2", None, None),
            ("q3", None, None),
        ]


@pytest.mark.usefixtures("old")
async def test_old_rows_without_a_label_are_queued_and_the_labelled_are_not(url: str) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    try:
        assert await store.queue_depth(now=LATER) == QueueDepth(due=2, waiting=0, failed=0, since=1_700_000_001_000)
        claims = {claim.query_id: claim.interaction for claim in await store.claim_due(9, now=LATER, lease_ms=LEASE_MS)}
        assert sorted(claims) == ["q2", "q3"]
        assert claims["q2"].outcome is None
        assert claims["q3"].outcome is not None
        assert claims["q3"].outcome.tool_calls == ["no json"]
        assert claims["q3"].query.query_source == "voice"
    finally:
        await store.close()


@pytest.mark.usefixtures("old")
async def test_old_rows_are_in_the_statistics(url: str) -> None:
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    projection = Projection(store, None)
    await projection.start()
    try:
        await projection.built()
        found = await summary(ColumnReader(projection, grace_ms=0), Scope())
        assert (found.total_queries, found.successful_queries, found.failed_queries) == (3, 1, 1)
        assert (found.average_latency_ms, found.unique_sessions, found.total_cost_usd) == (812.5, 2, 0.001)
    finally:
        await projection.stop()
        await store.close()


@pytest.mark.usefixtures("old")
async def test_a_cell_that_is_no_value_of_its_column_can_be_labelled_round(url: str, raw: Raw) -> None:
    """SQLite keeps a text in a column of numbers; a rule that compares it must not meet one."""
    raw().execute("UPDATE voice_outcomes SET latency_ms = 'abc', cost_usd = 'free', tokens_prompt = 'x'")
    raw().execute("UPDATE voice_queries SET transcription_conf = 'high'")
    migrate(url)
    store = SqliteStore(url)
    await store.open()
    try:
        for claim in await store.claim_due(9, now=LATER, lease_ms=LEASE_MS):
            assert claim.interaction.query.transcription_conf is None
            if claim.interaction.outcome is not None:
                done = claim.interaction.outcome
                assert [done.latency_ms, done.cost_usd, done.tokens_prompt] == [None, None, None]
    finally:
        await store.close()


@pytest.mark.parametrize(
    "table",
    [
        "voice_queries",
        "voice_outcomes",
        "voice_evaluations",
        "evaluation_queue",
        "change_feed",
        "change_followers",
        "database_identity",
        "voice_stats_hourly",
        "voice_conversions",
        "voice_evaluation_history",
        "copy_progress",
        "judge_calls",
        "judge_allowance",
        "review_leases",
        "judge_batches",
        "api_keys",
        "seen_signatures",
        "page_sessions",
        "audit_log",
        "privacy_secret",
        "forgotten",
        "erasures",
        "alert_states",
        "alert_messages",
        "alert_turn",
    ],
)
def test_a_recorded_table_that_is_missing_is_named(url: str, raw: Raw, table: str) -> None:
    migrate(url)
    raw().execute(f"DROP TABLE {table}")
    with pytest.raises(MigrationError, match=rf"\b{table}\b"):
        migrate(url)


@pytest.mark.usefixtures("old")
def test_an_old_table_that_is_missing_is_named_and_nothing_is_applied(url: str, raw: Raw) -> None:
    raw().execute("DROP TABLE voice_outcomes")
    before = list(raw().iterdump())
    with pytest.raises(MigrationError, match=r"\bvoice_outcomes\b"):
        migrate(url)
    assert list(raw().iterdump()) == before


@pytest.mark.usefixtures("old")
def test_a_recorded_column_that_is_missing_is_named(url: str, raw: Raw) -> None:
    raw().execute("INSERT INTO migration_metadata VALUES (5, 1, 'never really applied')")
    with pytest.raises(MigrationError, match=r"voice_queries.*query_source"):
        migrate(url)


def test_a_file_that_is_no_database_is_left_as_it_is(file: Path, url: str) -> None:
    content = b"this is no database, but somebody's letter. " * 100
    file.write_bytes(content)
    with pytest.raises(StoreUnavailable) as caught:
        migrate(url)
    assert file.read_bytes() == content
    assert str(file) not in str(caught.value)


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreUnavailable):
        migrate(f"sqlite:///{tmp_path}/taken/aura.db")


MIGRATE_EACH = """
import sys
from aura_analytics.store.sqlite import migrate
print("ready", flush=True)
for url in sys.stdin:
    print([migration.version for migration in migrate(url.strip())], flush=True)
"""


def test_of_processes_that_migrate_at_once_one_does_and_the_others_wait(tmp_path: Path) -> None:
    """Many databases one after the other, new ones and old ones, since the processes meet only now and then."""
    urls = {f"sqlite:///{tmp_path}/{n}.db": ALL for n in range(40)}
    for n in range(10):
        with closing(sqlite3.connect(tmp_path / f"old{n}.db")) as connection:
            by_wrangler(connection)
        urls[f"sqlite:///{tmp_path}/old{n}.db"] = ALL[PEOPLES:]
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", MIGRATE_EACH], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(3)
        ]
        for process in processes:
            stack.callback(process.kill)
        pipes = [(process.stdin, process.stdout) for process in processes if process.stdin and process.stdout]
        assert [answers.readline() for _, answers in pipes] == ["ready\n"] * 3
        for url, missing in urls.items():
            for questions, _ in pipes:
                questions.write(url + "\n")
                questions.flush()
            assert sorted(answers.readline().strip() for _, answers in pipes) == sorted(["[]", "[]", str(missing)])
