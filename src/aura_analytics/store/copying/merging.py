"""What becomes of an interaction where the target may hold it already: pure rules, without a database.

An event that is there stays, and an interaction that is the target's own stays whole. A label of the source takes the
place of one that stands only where both are about the same interaction: it was copied before, and the source knows
better by now. A person's label gives way to a person's only. Where one side has the query and the other one the outcome,
the two come together and are queued anew, as though the later one had just come in.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec

from aura_analytics.store.copying.page import Page
from aura_analytics.store.copying.sums import encoded
from aura_analytics.store.copying.tables import EVALUATIONS, HISTORY, QUERIES, QUEUE, TableName
from aura_analytics.store.queries import Row
from aura_analytics.store.tolerance import moment_of, verdict_of
from aura_analytics.store.verdicts import gives_way

MOMENTS = QUERIES.places("created_at", "received_at")
EVALUATED_AT, EVALUATED_BY = EVALUATIONS.places("evaluated_at", "evaluated_by")
# What tells whether a label says the same as another one, in the order of the statement `labelled`.
SAID = EVALUATIONS.places("query_id", "label", "reason", "evaluated_by", "method", "rubric")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the target holds of some ids: when its queries were asked and received, which have an outcome, and the rest."""

    moments: dict[str, Row]
    outcomes: frozenset[str]
    page: Page

    def is_same(self, source: Page, id: str) -> bool:
        """Whether an id means the same interaction on both sides, as far as both know it."""
        query, moments = source.one("voice_queries", id), self.moments.get(id)
        return query is None or moments is None or means_the_same(tuple(query[place] for place in MOMENTS), moments)

    def knows_more(self, source: Page, id: str) -> bool:
        """Whether the target has an event of an interaction that the source lacks."""
        return (id in self.outcomes and id not in source.rows["voice_outcomes"]) or (
            id in self.moments and id not in source.rows["voice_queries"]
        )

    def is_completed(self, source: Page, id: str) -> bool:
        """Whether the source has just what the target lacks of an interaction."""
        has_query, has_outcome = id in source.rows["voice_queries"], id in source.rows["voice_outcomes"]
        return has_query != has_outcome and (id in self.moments, id in self.outcomes) == (has_outcome, has_query)


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written: rows by their tables, and the ids whose work is done."""

    rows: dict[TableName, list[Row]]
    done: list[str]


def merged(source: Page, standing: Standing, *, now: int) -> Merge:
    """Tell what has to be written so that the target holds what the source does."""
    evaluations: list[Row] = []
    history: list[Row] = []
    queue: list[Row] = []
    done: list[str] = []
    ids = [id for id in source.ids if standing.is_same(source, id)]
    for id in ids:
        label, stands = source.one("voice_evaluations", id), standing.page.one("voice_evaluations", id)
        knows_more = standing.knows_more(source, id)
        earlier = _earlier(source, standing, id)
        if label is not None and takes_place(label, stands, knows_more=knows_more):
            evaluations.append(label)
            earlier += _given_way(
                label, stands, [*earlier, *standing.page.rows["voice_evaluation_history"].get(id, [])]
            )
            stands = label
        history += earlier
        work, waits = source.one("evaluation_queue", id), standing.page.one("evaluation_queue", id)
        if standing.is_completed(source, id):
            queue.append((id, now, 0, None, None))
        elif knows_more or not _agree(label, stands):
            continue
        elif work is not None and is_behind(work, waits, leased=id in standing.page.leased):
            queue.append(work)
        elif work is None and waits is not None and label is not None:
            done.append(id)
    rows: dict[TableName, list[Row]] = {
        "voice_queries": _of(source, "voice_queries", ids),
        "voice_outcomes": _of(source, "voice_outcomes", ids),
        "evaluation_queue": queue,
        "voice_evaluation_history": history,
        "voice_evaluations": evaluations,
    }
    return Merge(rows=rows, done=done)


def means_the_same(moments: Row, others: Row) -> bool:
    """Whether two queries of an id are the same event, by when they were asked and received.

    A worker of Cloudflare doesn't note when it received one, and may give it the moment of its own clock; so where one side
    lacks that, the id alone tells.
    """
    return None in {moments[1], others[1]} or moments == others


def takes_place(label: Row, stands: Row | None, *, knows_more: bool) -> bool:
    """Whether a label of the source is stored where another one may stand; `knows_more`: the target, of the interaction."""
    if stands is None:
        return True
    return not knows_more and not _agree(label, stands) and _rank(label) >= _rank(stands)


def is_behind(work: Row, waits: Row | None, *, leased: bool) -> bool:
    """Whether work is in another state at the source; not where somebody is just at it."""
    return waits is None or (not leased and encoded(QUEUE, work) != encoded(QUEUE, waits))


def missing(rows: Sequence[Row], there: Sequence[Row]) -> list[Row]:
    """Give the earlier labels that aren't there; one that came twice has to be there twice."""
    known = Counter(encoded(HISTORY, row) for row in there)
    new: list[Row] = []
    for row in rows:
        key = encoded(HISTORY, row)
        if known[key]:
            known[key] -= 1
        else:
            new.append(row)
    return new


def _rank(label: Row) -> tuple[bool, int]:
    return label[EVALUATED_BY] == "human", moment_of(label[EVALUATED_AT])


def _earlier(source: Page, standing: Standing, id: str) -> list[Row]:
    rows = source.rows["voice_evaluation_history"].get(id)
    return missing(rows, standing.page.rows["voice_evaluation_history"].get(id, [])) if rows else []


def _given_way(label: Row, stands: Row | None, known: Sequence[Row]) -> list[Row]:
    """Give the label that gives way to another one, unless it is among the earlier ones already or says the same."""
    if stands is None:
        return []
    told = tuple(stands[place] for place in SAID)
    return missing([stands], known) if gives_way(told, verdict_of(label)) else []


def _agree(label: Row | None, stands: Row | None) -> bool:
    if label is None or stands is None:
        return label is stands
    return encoded(EVALUATIONS, label) == encoded(EVALUATIONS, stands)


def _of(source: Page, table: TableName, ids: Sequence[str]) -> list[Row]:
    rows = source.rows[table]
    return [rows[id][0] for id in ids if id in rows]
