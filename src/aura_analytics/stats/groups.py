"""The groups that a scope falls into by what interactions have in common, the largest first."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from aura_analytics.errors import ParameterError
from aura_analytics.projection import Question
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Split = Literal["store", "intent", "model", "source", "label", "action"]

SPLITS: tuple[Split, ...] = get_args(Split)
COLUMNS: dict[Split, str] = {
    "store": "store_id",
    "intent": "intent",
    "model": "model_name",
    "source": "query_source",
    "label": "label",
    "action": "action_taken",
}
DEFAULT_TOP, MOST_TOP = 5, 50

# The values of a column by how many interactions have each; the absent one is a value like any other.
LARGEST = """
SELECT {column} FROM {{cells}} GROUP BY {column} HAVING sum(queries) > 0
ORDER BY sum(queries) DESC, {column} NULLS FIRST LIMIT $limit
"""


async def largest(reader: Reader, scope: Scope, split: Split, limit: int) -> Sequence[str | None]:
    """List the values with the most interactions."""
    column = COLUMNS[split]
    question = Question(
        sql=LARGEST.format(column=column),
        parameters={"limit": limit},
        about=scope,
        answered_until=reader.answered_until,
        measures=("queries",),
        split=column,
    )
    return [value for (value,) in await reader.ask(question)]


def read_split(name: str | None) -> Split | None:
    """Read by what a series is split.

    Raises:
        ParameterError: it can't be split by that.
    """
    for split in SPLITS:
        if name == split:
            return split
    if name is None:
        return None
    raise ParameterError(f"split is one of {', '.join(SPLITS)}")


def read_top(text: str | None) -> int:
    """Read how many groups are wanted.

    Raises:
        ParameterError: it is no number from 1 to 50.
    """
    if text is None:
        return DEFAULT_TOP
    if not re.fullmatch(r"\d{1,2}", text, re.ASCII) or not 1 <= int(text) <= MOST_TOP:
        raise ParameterError(f"top is a whole number from 1 to {MOST_TOP}")
    return int(text)
