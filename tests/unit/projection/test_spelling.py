"""Spellings of one wish: folded here and in SQL alike, and kept beside the rows where SQL can't."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.projection import spelling
from unit.projection.filled import Filled, filled
from unit.projection.recount import Change, interaction

CONNECTION = duckdb.connect(config={"threads": "1"})


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Red  SHOES!", "red shoes"),
        ("What's this?", "whats this"),
        ("what’s this", "whats this"),
        ("Ｒｅｄ\u3000ｓｈｏｅｓ", "red shoes"),
        ("Straße", "strasse"),
        ("ﬁsh", "fish"),
        ("e\u0301té", "été"),
        ("Σίσυφος", "σίσυφοσ"),
        ("赤い靴？", "赤い靴"),
        ("हिन्दी", "हिन्दी"),
        ("½ kg", "1 2 kg"),
        ("👟", "👟"),
        ("?!", "?!"),
        ("", ""),
        ("  ", "  "),
    ],
)
def test_a_text_is_folded(text: str, folded: str) -> None:
    assert spelling.folded(text) == folded


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    once = spelling.folded(text)
    assert spelling.folded(once) == once


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=30))
def test_ascii_is_folded_in_sql_as_it_is_here(text: str) -> None:
    sql = spelling.folded_sql("query_text", "folded")
    asked = f"SELECT {sql} FROM (SELECT ?::VARCHAR AS query_text, ?::VARCHAR AS folded)"
    with CONNECTION.cursor() as cursor:
        assert cursor.execute(asked, [text, None]).fetchall() == [(spelling.folded(text),)]
        assert cursor.execute(asked, [text, "kept"]).fetchall() == [("kept",)]


def folding(columns: Filled) -> dict[str, str]:
    found = columns.ask("SELECT query_text, folded, key = hash(query_text) FROM foldings")
    assert all(right for _, _, right in found)
    kept = {text: folded for text, folded, _ in found}
    assert len(kept) == len(found)
    return kept


def test_what_sql_cannot_fold_is_kept_once_whenever_it_came() -> None:
    before = [interaction("a", query_text="größe"), interaction("b", query_text="größe"), interaction("c")]
    with filled(rows=before) as columns:
        assert folding(columns) == {"größe": "grösse"}
        for _ in range(2):
            columns.apply(Change([interaction("d", query_text="Größe!"), interaction("e", query_text="größe")]))
        columns.apply(Change([interaction("f", query_text="plain"), interaction("g", query_text="x\x00ü")]))
        expected = {"größe": "grösse", "Größe!": "grösse", "x\x00ü": "x ü"}
        assert folding(columns) == expected
        columns.apply(Change([], ["a", "b"]))
        assert expected.items() <= folding(columns).items()
