"""What was said, with its counts: text by text, or with all spellings of a text gathered into one."""

from collections.abc import Mapping
from typing import Literal

from aura_analytics.projection.spelling import folded_sql

Aggregate = Literal["sum", "fsum", "max"]

_BY_TEXT = "SELECT query_text, intent, {sums} FROM {texts} WHERE {among} GROUP BY query_text, intent"
# Folding runs on different texts only. Of the spellings, the most frequent one is shown.
_BY_SPELLING = f"""
SELECT first(query_text ORDER BY {{weight}} DESC, query_text) AS query_text, intent, {{sums}} FROM (
    SELECT said.*, {folded_sql("said.query_text", "foldings.folded")} AS spelling
    FROM ({_BY_TEXT}) AS said
    LEFT JOIN foldings ON foldings.key = hash(said.query_text) AND foldings.query_text = said.query_text
) GROUP BY spelling, intent
"""


def said(measures: Mapping[str, Aggregate], *, weight: str, normalize: bool, among: str = "true") -> str:
    """Give the SQL of the texts by intent, one row each, with some measures of `{texts}`.

    Args:
        measures: each with how it adds up.
        weight: the measure that tells which spelling is shown.
        normalize: whether spellings are gathered.
        among: the condition on what is counted.
    """
    sums = ", ".join(_merged(name, aggregate) for name, aggregate in measures.items())
    sql = _BY_SPELLING if normalize else _BY_TEXT
    return sql.replace("{sums}", sums).replace("{weight}", weight).replace("{among}", among)


def _merged(name: str, aggregate: Aggregate) -> str:
    return f"sum({name})::BIGINT AS {name}" if aggregate == "sum" else f"{aggregate}({name}) AS {name}"
