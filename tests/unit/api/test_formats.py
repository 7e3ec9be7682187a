"""The form that is asked for is the one that is given, and a spreadsheet finds no formula in it."""

import csv
import io
import json
from pathlib import Path
from typing import Annotated, Any

import duckdb
import httpx
import msgspec
import pytest
from fastapi import Depends, FastAPI, Response
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.api import problems
from aura_analytics.api.formats import Form, accepted, asked_form, contents, respond
from unit.api.conftest import Reach


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of each."""

    a_text: str | None = "text"
    a_count: int | None = 1
    a_share: float | None = 0.5
    a_flag: bool | None = True
    some_texts: list[str] = []


HEADER = ["aText", "aCount", "aShare", "aFlag", "someTexts"]
PARQUET = "application/vnd.apache.parquet"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("=+-@\t\r\n \"';,＝a", max_size=8)


@pytest.fixture
def client(reach: Reach) -> httpx.AsyncClient:
    """A service that has a list and a single row."""
    app = FastAPI()
    problems.install(app)
    asked = Annotated[Form, Depends(asked_form)]

    @app.get("/list")
    async def rows(form: asked, count: int = 2) -> Response:
        return await respond(form, [Row(a_count=-number) for number in range(count)], Row, "rows")

    @app.get("/one")
    async def row(form: asked) -> Response:
        return await respond(form, Row(), Row, "one-row")

    return reach(app)


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


async def as_csv(*rows: Row) -> tuple[bytes, list[list[str]]]:
    body = bytes((await respond("csv", rows, Row, "rows")).body)
    return body, table(body.decode())


class TestChoice:
    @pytest.mark.parametrize(
        ("accept", "form"),
        [
            ("", "json"),
            ("*/*", "json"),
            ("application/json", "json"),
            ("text/csv", "csv"),
            ("TEXT/CSV; charset=utf-8", "csv"),
            ("text/*", "csv"),
            (PARQUET, "parquet"),
            (f"{PARQUET};q=0.5, text/csv;q=0.4, */*;q=0.1", "parquet"),
            ("application/json;q=0.1, text/csv;q=0.9", "csv"),
            ("text/csv;q=0.1, application/json", "json"),
            ("text/csv, application/json", "json"),
            ("application/*", "json"),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
            ("text/csv, */*;q=0.1", "csv"),
            ("text/csv;q=0", "json"),
            ("image/png", "json"),
            ("nonsense", "json"),
            (",, ,", "json"),
            ("text/csv," + "x" * 2_000, "json"),
        ],
    )
    def test_accept_is_read_with_its_weights(self, accept: str, form: Form) -> None:
        assert accepted(accept) == form

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.characters(codec="latin-1")) | st.text('*/;,q=".01 textcsv'))
    def test_whatever_accept_holds_there_is_an_answer(self, accept: str) -> None:
        assert accepted(accept) in ("json", "csv", "parquet")

    @pytest.mark.parametrize(
        ("query", "accept", "media_type"),
        [
            ("", "*/*", "application/json"),
            ("", "text/csv", "text/csv; charset=utf-8"),
            ("?format=json", "text/csv", "application/json"),
            ("?format=csv", "application/json", "text/csv; charset=utf-8"),
            ("?format=CSV", "", "text/csv; charset=utf-8"),
            ("?format=parquet", "", PARQUET),
        ],
    )
    @pytest.mark.parametrize("path", ["/list", "/one"])
    async def test_format_goes_before_accept(
        self, client: httpx.AsyncClient, path: str, query: str, accept: str, media_type: str
    ) -> None:
        answer = await client.get(path + query, headers={"accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)

    @pytest.mark.parametrize("form", ["xml", "", "json ", "csv,json"])
    async def test_one_that_there_is_not_is_refused_with_those_that_there_are(
        self, client: httpx.AsyncClient, form: str
    ) -> None:
        answer = await client.get("/list", params={"format": form})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        assert answer.json()["detail"] == "format is one of json, csv, parquet"

    async def test_several_accept_headers_are_one(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/list", headers=[("accept", "image/png"), ("accept", "text/csv")])
        assert answer.headers["content-type"].startswith("text/csv")


class TestJson:
    async def test_a_list_is_a_list_and_a_row_an_object(self, client: httpx.AsyncClient) -> None:
        assert [row["aCount"] for row in (await client.get("/list")).json()] == [0, -1]
        one = await client.get("/one")
        assert one.json()["aText"] == "text"
        assert "content-disposition" not in one.headers


class TestParquet:
    async def test_it_reads_back(self, client: httpx.AsyncClient, tmp_path: Path) -> None:
        answer = await client.get("/list?format=parquet")
        assert answer.headers["content-disposition"] == 'attachment; filename="rows.parquet"'
        file = tmp_path / "rows.parquet"
        file.write_bytes(answer.content)
        with duckdb.connect(":memory:") as connection:
            rows = connection.execute(f"SELECT * FROM '{file}'").fetchall()
        assert rows == [("text", 0, 0.5, True, []), ("text", -1, 0.5, True, [])]


class TestCsv:
    async def test_it_is_a_download_with_a_header(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/one?format=csv")
        assert answer.headers["content-disposition"] == 'attachment; filename="one-row.csv"'
        assert answer.text == '"aText","aCount","aShare","aFlag","someTexts"\r\n"text",1,0.5,"true",""\r\n'

    async def test_no_rows_still_have_their_header(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/list?format=csv&count=0")
        assert table(answer.text) == [HEADER]

    async def test_numbers_stay_numbers_and_what_is_absent_is_empty(self) -> None:
        _, rows = await as_csv(
            Row(a_count=-5, a_share=-1e-9), Row(a_text=None, a_count=None, a_share=None, a_flag=None)
        )
        assert [row[:4] for row in rows[1:]] == [["text", "-5", "-1e-09", "true"], ["", "", "", ""]]

    async def test_a_list_is_joined(self) -> None:
        _, rows = await as_csv(Row(some_texts=["a", 'b "c"', "d\r\ne"]))
        assert rows[1][4] == 'a;b "c";d\r\ne'

    @pytest.mark.parametrize("sign", list("=+-@\t\r＝＋－＠﹢﹣﹦﹫−"))
    @pytest.mark.parametrize(
        "before",
        [
            "",
            " ",
            "\n",
            "  \t",
            '"',
            "'",
            ' "',
            "\u00a0",
            "\ufeff",
            "\u200b",
            "\x01",
            "\x7f",
            "\u00ad",
            "\u202a",
            "\u2066",
        ],
    )
    async def test_a_text_is_never_a_formula(self, before: str, sign: str) -> None:
        text = f"{before}{sign}cmd|' /C calc'!A0"
        _, rows = await as_csv(Row(a_text=text, some_texts=[text]))
        assert (rows[1][0], rows[1][4]) == (f"'{text}", f"'{text}")

    @pytest.mark.parametrize("text", ["red shoes", "a=b", "what's 1+1?", "'quoted'", "", "  spaced", "3-4", "é@"])
    async def test_other_texts_stay_as_they_are(self, text: str) -> None:
        _, rows = await as_csv(Row(a_text=text))
        assert rows[1][0] == text

    async def test_a_nul_is_shown_as_what_can_not_be_shown(self) -> None:
        body, rows = await as_csv(Row(a_text="a\0b"))
        assert (rows[1][0], b"\0" in body) == ("a\ufffdb", False)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.builds(Row, a_text=TEXTS, some_texts=st.lists(TEXTS, max_size=2)), max_size=4))
    async def test_what_is_read_back_is_what_was_written(self, rows: list[Row]) -> None:
        body, found = await as_csv(*rows)
        assert found[0] == HEADER
        before = [text for row in rows for text in (row.a_text or "", ";".join(row.some_texts))]
        after = [text for row in found[1:] for text in (row[0], row[4])]
        for wrote, read in zip(before, after, strict=True):
            assert read.replace("'", "", len(read) - len(wrote)) == wrote.replace("\0", "\ufffd")
            assert read.lstrip(' \n"')[:1] not in set("=+-@\t\r＝＋－＠")
        assert body.endswith(b"\r\n")


def test_the_forms_are_described() -> None:
    described: dict[str, Any] = contents({"type": "array"})
    assert list(described) == ["application/json", "text/csv", PARQUET]
    assert json.loads(json.dumps(described["application/json"])) == {"schema": {"type": "array"}}
