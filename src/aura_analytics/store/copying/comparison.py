"""Whether two pages hold the same, interaction by interaction: pure, without a database.

A row that the target has of its own, where the source has one too, is no difference: it was kept.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from aura_analytics.store.copying.merging import MOMENTS, Standing, is_behind, missing, takes_place
from aura_analytics.store.copying.page import Page
from aura_analytics.store.copying.sums import encoded
from aura_analytics.store.copying.tables import (
    CONVERSIONS,
    EVALUATIONS,
    HISTORY,
    OUTCOMES,
    QUERIES,
    QUEUE,
    Table,
    TableName,
)
from aura_analytics.store.queries import Row

State = Literal["same", "kept", "different"]

# By what an event is told from another one of the same id: when it happened, and when it was received.
_TOLD_BY = {
    "voice_queries": QUERIES.places("created_at", "received_at"),
    "voice_outcomes": OUTCOMES.places("occurred_at", "received_at"),
    "voice_conversions": CONVERSIONS.places("occurred_at", "received_at"),
}


class Compared(msgspec.Struct, frozen=True):
    """One row of the source, encoded, beside the target's; None where there is none."""

    table: TableName
    state: State
    source: bytes
    target: bytes | None


def compared(source: Page, target: Page) -> Iterator[tuple[str, list[Compared]]]:
    """Compare what belongs to each id of a page."""
    if "voice_conversions" in source.rows:
        for id in source.ids:
            row = source.one("voice_conversions", id)
            if row is not None:
                yield id, [_event(CONVERSIONS, row, target.one("voice_conversions", id))]
        return
    standing = _standing(target)
    for id in source.ids:
        if standing.is_same(source, id):
            yield id, list(_interaction(source, standing, id))
        else:
            yield id, [Compared(table.name, "kept", encoded(table, row), None) for table, row in _all(source, id)]


def _standing(target: Page) -> Standing:
    moments = {id: tuple(rows[0][place] for place in MOMENTS) for id, rows in target.rows["voice_queries"].items()}
    return Standing(moments=moments, outcomes=frozenset(target.rows["voice_outcomes"]), page=target)


def _all(source: Page, id: str) -> Iterator[tuple[Table, Row]]:
    for table in (QUERIES, OUTCOMES, EVALUATIONS, HISTORY, QUEUE):
        for row in source.rows[table.name].get(id, []):
            yield table, row


def _interaction(source: Page, standing: Standing, id: str) -> Iterator[Compared]:
    """Compare what belongs to an interaction that both sides mean."""
    target, knows_more = standing.page, standing.knows_more(source, id)
    if query := source.one("voice_queries", id):
        yield _event(QUERIES, query, target.one("voice_queries", id))
    if outcome := source.one("voice_outcomes", id):
        yield _event(OUTCOMES, outcome, target.one("voice_outcomes", id))
    label, stands = source.one("voice_evaluations", id), target.one("voice_evaluations", id)
    if label:
        yield _row(EVALUATIONS, label, stands, is_own=not takes_place(label, stands, knows_more=knows_more))
    yield from _history(source, target, id)
    if work := source.one("evaluation_queue", id):
        waits = target.one("evaluation_queue", id)
        agree = (label and encoded(EVALUATIONS, label)) == (stands and encoded(EVALUATIONS, stands))
        is_own = knows_more or not agree or not is_behind(work, waits, leased=id in target.leased)
        yield _row(QUEUE, work, waits, is_own=is_own)


def _history(source: Page, target: Page, id: str) -> Iterable[Compared]:
    """Compare earlier labels; one that came twice has to be there twice."""
    rows = source.rows["voice_evaluation_history"].get(id, [])
    lost = [encoded(HISTORY, row) for row in missing(rows, target.rows["voice_evaluation_history"].get(id, []))]
    for row in rows:
        told = encoded(HISTORY, row)
        if told in lost:
            lost.remove(told)
            yield Compared("voice_evaluation_history", "different", told, None)
        else:
            yield Compared("voice_evaluation_history", "same", told, told)


def _event(table: Table, row: Row, there: Row | None) -> Compared:
    """Compare an event with the one of its id: another moment, another event, which the target had before."""
    told_by = _TOLD_BY[table.name]
    is_own = there is not None and any(row[place] != there[place] for place in told_by)
    return _row(table, row, there, is_own=is_own)


def _row(table: Table, row: Row, there: Row | None, *, is_own: bool = False) -> Compared:
    source, target = encoded(table, row), None if there is None else encoded(table, there)
    state: State = "same" if source == target else "kept" if is_own else "different"
    return Compared(table.name, state, source, target)
