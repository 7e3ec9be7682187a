"""Spellings of one wish: texts that differ only in case, white space, punctuation or the width of their characters.

For ASCII the database folds by itself; what Unicode's compatibility forms need is folded here and kept in `foldings`.
"""

import unicodedata
from collections.abc import Collection

import duckdb

APOSTROPHES = "'’‘`´ʼ＇"

CREATE = "CREATE TABLE foldings (key UBIGINT, query_text VARCHAR, folded VARCHAR)"
NOT_ASCII = "strlen(query_text) <> length(query_text)"
UNFOLDED = f"SELECT DISTINCT query_text FROM interactions WHERE {NOT_ASCII}"
REMEMBER = """
INSERT INTO foldings
SELECT hash(said), said, folded FROM (SELECT unnest($texts::VARCHAR[]) AS said, unnest($folded::VARCHAR[]) AS folded)
WHERE hash(said) NOT IN (SELECT key FROM foldings WHERE key IN (SELECT hash(unnest($texts::VARCHAR[]))))
"""

# Texts that nobody says any more.
FORGET = """
DELETE FROM foldings WHERE key IN (SELECT hash(unnest($texts::VARCHAR[]))) AND query_text NOT IN (
    SELECT query_text FROM interactions WHERE query_text IN (SELECT unnest($texts::VARCHAR[]))
)
"""

_ASCII = "trim(regexp_replace(replace(replace(lower({text}), '''', ''), '`', ''), '[^a-z0-9]+', ' ', 'g'))"


def forget(cursor: duckdb.DuckDBPyConnection, texts: Collection[str]) -> None:
    """Forget the spellings of texts, as far as nobody says them any more."""
    if texts:
        cursor.execute(FORGET, {"texts": list(texts)})


def folded_sql(text: str, folding: str) -> str:
    """Give the SQL that folds a text.

    Args:
        text: a column.
        folding: the column `folded` of the row of `foldings` that was joined by the text, or NULL.
    """
    ascii_only = _ASCII.format(text=text)
    return f"CASE WHEN {folding} IS NOT NULL THEN {folding} WHEN {ascii_only} = '' THEN {text} ELSE {ascii_only} END"


def folded(text: str) -> str:
    """Fold a text: NFKC, case, apostrophes away, all else but letters, marks and numbers to one space.

    A text of nothing else stays as it is.
    """
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = (character for character in once if character not in APOSTROPHES)
    words = "".join(character if unicodedata.category(character)[0] in "LMN" else " " for character in kept)
    return " ".join(words.split()) or text
