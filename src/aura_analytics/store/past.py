"""What a store does about interactions that have left its tables for the archive."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from aura_analytics.errors import InArchive, StoreUnavailable
from aura_analytics.events.records import Verdict
from aura_analytics.store.copying.tables import EVALUATIONS, OUTCOMES, QUERIES, Table
from aura_analytics.store.port import WIDE_COLUMNS, WideRow
from aura_analytics.store.queries import Row
from aura_analytics.store.shelved import Past, Rows
from aura_analytics.store.tolerance import verdict_of

Result = TypeVar("Result")

# What a query or an outcome is read by, in the order of `whole` of `queries/interaction.sql`.
_OF_QUERY = WIDE_COLUMNS[: WIDE_COLUMNS.index("has_outcome")]
_OF_OUTCOME = WIDE_COLUMNS[WIDE_COLUMNS.index("has_outcome") + 1 : WIDE_COLUMNS.index("label")]
_OF_VERDICT = ("label", "reason", "confidence_score", "evaluated_at", "evaluated_by")


async def recalling(past: Past | None, change: Callable[[], Awaitable[Result]]) -> Result:
    """Make a change, and have what it concerns taken out of the archive as often as it turns out to lie there.

    Raises:
        StoreUnavailable: it lies in the archive, and this process doesn't know where that is.
    """
    while True:
        try:
            return await change()
        except InArchive as error:
            await _known(past).recall(error.query_ids)


async def read_past(past: Past | None, query_ids: Sequence[str]) -> dict[str, Rows]:
    """Read interactions that lie in the archive.

    Raises:
        StoreUnavailable: this process doesn't know where that is.
    """
    return await _known(past).rows(query_ids) if query_ids else {}


def _known(past: Past | None) -> Past:
    if past is None:
        raise StoreUnavailable("this interaction lies in the archive, which isn't reached from here")
    return past


def wide_row(rows: Rows) -> WideRow:
    """Join an interaction's rows as the columns hold them."""
    query, outcome, verdict = (_named(table, rows) for table in (QUERIES, OUTCOMES, EVALUATIONS))
    return (
        *(query[name] for name in _OF_QUERY),
        int(bool(outcome)),
        *(outcome.get(name) for name in _OF_OUTCOME),
        *(verdict.get(name) for name in _OF_VERDICT),
    )


def whole_row(rows: Rows) -> Row:
    """Join an interaction's rows as a reader of details has them."""
    query, outcome = _named(QUERIES, rows), _named(OUTCOMES, rows)
    return (
        *(query[name] for name in _OF_QUERY),
        outcome.get("query_id"),
        *(outcome.get(name) for name in _OF_OUTCOME),
        *(query[name] for name in ("received_at", "correlation_id", "extra")),
        *(outcome.get(name) for name in ("occurred_at", "received_at", "correlation_id", "extra")),
    )


def history_of(rows: Rows) -> list[Row]:
    """Give the labels that stood before, the latest first."""
    numbered = list(enumerate(rows.get("voice_evaluation_history", [])))
    return [row for _, row in sorted(numbered, key=lambda one: (one[1][4], one[0]), reverse=True)]


def standing_verdict(rows: Rows) -> Verdict | None:
    """Give the label that stands."""
    return next((verdict_of(row) for row in rows.get("voice_evaluations", [])), None)


def automatic_verdict(rows: Rows) -> Verdict | None:
    """Give the last automatic label: the one that stands, or else the last that gave way."""
    given = [*rows.get("voice_evaluations", []), *history_of(rows)]
    return next((verdict_of(row) for row in given if row[5] != "human"), None)


def _named(table: Table, rows: Rows) -> dict[str, Any]:  # Any: a cell of a database
    found = rows.get(table.name)
    return dict(zip((column.name for column in table.columns), found[0], strict=True)) if found else {}
