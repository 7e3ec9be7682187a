"""`archive query`: what lies in the archive, as a table, as CSV and as JSON."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from answering import answering
from aura_analytics import logs
from aura_analytics.archive import query as archive_query
from aura_analytics.archive.course import day_of
from aura_analytics.archive.opening import opened_archiver
from aura_analytics.archive.past import Archive
from aura_analytics.errors import ArchiveError, ParameterError
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.terminal import archived
from contract.making import LATER, LEASE_MS, NOW, outcome, query, verdict
from s3_server import KEY_ID, SECRET, S3Server

LONG_AGO = NOW - 30 * 86_400_000
SAID = ("red apples", "=1+1", "\x1b[31mred\x07", "two\nlines", '"; -- ', "[bold]markup[/bold] :smile:", "ネコ")
QUERY = "SELECT id, query_text FROM interactions ORDER BY id"


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_query, "_running", answering)
    monkeypatch.setattr(logs, "configure", lambda *_: None)  # the log is this process's, and stays as it is


app = typer.Typer()
app.command("query")(archived.query)


def made(folder: Path, **other: str) -> Settings:
    """A database whose days of long ago lie in its archive."""
    settings = Settings(aura_database_url=f"sqlite:///{folder / 'aura.db'}", **other)  # type: ignore[arg-type]

    async def fill() -> None:
        async with opened_store(settings) as store:
            for number, said in enumerate(SAID):
                at = LONG_AGO + number
                asked = query(f"q{number}", query_text=said, created_at=at, received_at=at, store_id="a/b")
                await store.append(
                    [asked, outcome(f"q{number}", tool_calls=[{"name": "find"}], latency_ms=12.5, tokens_total=7)]
                )
            claims = await store.claim_due(1_000, now=LATER, lease_ms=LEASE_MS)
            await store.settle([(claim, verdict(claim.query_id)) for claim in claims])

    asyncio.run(fill())
    with opened_archiver(settings, clock=lambda: NOW) as archiver:
        assert archiver.run(day_of(NOW) - 7).interactions == len(SAID)
    return settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return made(tmp_path_factory.mktemp("database"))


def asked(settings: Settings, *arguments: str, **other: Any) -> Result:  # Any: Typer's own
    return CliRunner().invoke(app, ["--database", settings.aura_database_url, *arguments], **other)


def test_a_pipe_gets_json_an_object_a_row(settings: Settings) -> None:
    ran = asked(settings, QUERY)

    assert json.loads(ran.stdout) == [{"id": f"q{number}", "query_text": said} for number, said in enumerate(SAID)]
    assert "\x1b" not in ran.stdout


def test_nothing_is_json_too(settings: Settings) -> None:
    assert json.loads(asked(settings, "--json", f"{QUERY} LIMIT 0").stdout) == []


def test_csv_has_the_same_and_no_formula(settings: Settings) -> None:
    ran = asked(
        settings,
        "--csv",
        'SELECT query_text, latency_ms, has_outcome, tool_calls::JSON AS "=x" FROM interactions ORDER BY id',
    )
    head, *rows = csv.reader(io.StringIO(ran.stdout_bytes.decode(), newline=""))

    assert head == ["query_text", "latency_ms", "has_outcome", "'=x"]
    assert [row[0] for row in rows] == ["red apples", "'=1+1", *SAID[2:]]
    assert [row[1:3] for row in rows] == [["12.5", "true"]] * len(SAID)
    assert json.loads(rows[0][3]) == [{"name": "find"}]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, highlight=False, emoji=False, color_system=None)
    monkeypatch.setattr(archived, "results", lambda: console)
    return file


def test_a_terminal_gets_a_table_in_which_nothing_acts_on_it(settings: Settings, terminal: io.StringIO) -> None:
    asked(settings, "SELECT query_text, tokens_total, tool_calls::JSON AS calls FROM interactions ORDER BY id")
    shown = terminal.getvalue()

    assert "[bold]markup[/bold] :smile:" in shown
    assert '[{"name": "find"}]' in shown
    assert "\ufffd[31mred\ufffd" in shown
    assert "\x1b[31m" not in shown
    assert "\x07" not in shown


def test_csv_on_a_terminal_acts_on_nothing_either(settings: Settings, terminal: io.StringIO) -> None:
    asked(settings, "--csv", QUERY)

    assert "\x1b" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 1 + len(SAID)


def test_a_table_shows_the_first_rows_and_says_so(
    settings: Settings, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archived, "MOST_SHOWN", 2)
    ran = asked(settings, QUERY)

    assert "q1" in terminal.getvalue()
    assert "q2" not in terminal.getvalue()
    assert "the first 2" in ran.stderr


def test_the_statement_may_come_from_standard_input(settings: Settings) -> None:
    assert json.loads(asked(settings, "-", input="SELECT 1 AS one -- more\n;\n").stdout) == [{"one": 1}]


@pytest.mark.parametrize(
    "sql", ["DROP VIEW interactions", "SELECT * FROM read_text('/etc/passwd')", "COPY interactions TO 'x'"]
)
def test_what_is_no_question_is_refused(settings: Settings, sql: str) -> None:
    ran = asked(settings, sql)

    assert isinstance(ran.exception, ParameterError)
    assert ran.stdout == ""


def test_an_archive_that_isn_t_there_is_empty(tmp_path: Path) -> None:
    fresh = Settings(aura_database_url=f"sqlite:///{tmp_path / 'aura.db'}")

    assert json.loads(asked(fresh, "SELECT count(*) AS n FROM interactions").stdout) == [{"n": 0}]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    served = S3Server()
    boto3.client(
        "s3",
        endpoint_url=served.url,
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    ).create_bucket(Bucket="archive")
    yield served
    served.end()


class TestInAnObjectStore:
    """The same, of files that lie elsewhere."""

    def test_what_was_put_back_is_no_longer_seen_and_its_file_once_more(
        self, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        access = {
            "aws_endpoint_url": server.url,
            "aws_region": "us-east-1",
            "aws_access_key_id": KEY_ID,
            "aws_secret_access_key": SECRET,
            "archive_url": "s3://archive/of/ours",
        }
        for name, value in access.items():
            monkeypatch.setenv(name.upper(), value)
        settings = made(tmp_path, **access)
        count = "SELECT count(*) AS n FROM interactions WHERE store_id = 'a/b'"
        assert json.loads(asked(settings, count).stdout) == [{"n": len(SAID)}]

        asyncio.run(Archive(settings).recall(["q1", "q3"]))

        assert json.loads(asked(settings, count).stdout) == [{"n": len(SAID) - 2}]
        assert "q1" not in asked(settings, QUERY).stdout

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")
        refused = asked(settings, count)
        assert isinstance(refused.exception, ArchiveError)
        assert "doesn't take this key" in str(refused.exception)
