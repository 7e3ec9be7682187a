"""What is most worth a person's minute: labels that may be wrong, and that many shoppers' words hang on."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import msgspec

from aura_analytics.events.records import Verdict
from aura_analytics.projection import Question
from aura_analytics.projection.spelling import folded_sql
from aura_analytics.stats.details import Judgement, judgement
from aura_analytics.stats.interactions import COLUMNS, Interaction, interaction_of
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Order = Literal["value", "random"]
Why = Literal["review", "unsure", "disputed", "frequent"]

ORDERS: tuple[Order, ...] = get_args(Order)
DEFAULT_ROWS, MOST_ROWS = 20, 500
LEASE_MS = 600_000
# More than are wanted are looked at, for others may take some of them in the same moment; then it is looked again.
SPARE = 50
LOOKS = 5

# How likely a label is to be wrong that says so itself, or that the shopper contradicts: as good as a coin's toss.
TOSS = 0.5
UNSURE_BELOW = 0.7
FREQUENT_FROM = 3

# How likely the label is to be wrong, 0…1. It is right only if the judge is (its confidence; REVIEW is never more than a
# toss), and if the shopper didn't contradict: after what was called GOOD they said the same again.
_UNSURE = (
    f"greatest(1 - least(greatest(coalesce(confidence, 0), 0), 1), CASE WHEN label = 'REVIEW' THEN {TOSS} ELSE 0 END)"
)
_DISPUTED = "label = 'GOOD' AND (rephrased OR repeated)"
DOUBT = f"1 - (1 - {_UNSURE}) * (1 - CASE WHEN {_DISPUTED} THEN {TOSS} ELSE 0 END)"
# What a person's label is worth: that doubt, by how often the text was said; the first look at a text says most about it.
SCORE = "doubt * (1 + log2(occurrences / place))"

# What a machine labelled and no person has looked at, with what it is worth, the first ones; and how many there are.
# Those of a text that somebody has looked at, or is looking at, take its first places.
QUEUE = f"""
WITH spelled AS (
    SELECT said.query_text, said.queries, {folded_sql("said.query_text", "foldings.folded")} AS spelling
    FROM (SELECT query_text, sum(queries)::BIGINT AS queries FROM {{texts}} GROUP BY query_text) AS said
    LEFT JOIN foldings ON foldings.key = hash(said.query_text) AND foldings.query_text = said.query_text
),
heard AS (
    SELECT query_text, spelling, sum(queries) OVER (PARTITION BY spelling)::BIGINT AS occurrences FROM spelled
),
doubted AS (
    SELECT turns.*, heard.spelling, heard.occurrences, {_DISPUTED} AS disputed, {DOUBT} AS doubt,
           evaluated_by IS NOT DISTINCT FROM 'human' OR list_contains($leased::VARCHAR[], id) AS taken
    FROM {{turns}} AS turns JOIN heard ON heard.query_text = turns.query_text WHERE label IS NOT NULL
),
placed AS (
    SELECT *, row_number() OVER (
        PARTITION BY spelling ORDER BY taken DESC, doubt DESC, created_at DESC, id DESC
    ) AS place FROM doubted
)
SELECT {COLUMNS}, {SCORE} AS score, doubt, disputed, occurrences, place, count(*) OVER () AS waiting
FROM placed WHERE NOT taken ORDER BY {{order}} LIMIT $limit
"""
# By the hash of its id every interaction is as likely to be early as every other one, whatever it is.
ORDERED: dict[Order, str] = {"value": "score DESC, created_at DESC, id DESC", "random": "md5(id), id"}


class Item(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An interaction with the label that stands, and why it is worth a look.

    `score` = `doubt` · (1 + log₂(`occurrences` / `place`)). `doubt` is how likely the label is to be wrong,
    1 − (1 − u)(1 − d): u is 1 − its confidence, at least 0.5 for REVIEW; d is 0.5 where GOOD was followed by the same wish
    said again, else 0. `occurrences`: how often the text was said in the window, in any spelling. `place`: the how
    many-th of them it is that somebody looks at.
    """

    interaction: Interaction
    verdict: Judgement
    score: float
    doubt: float
    occurrences: int
    place: int
    why: list[Why]


class Queue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a person may look at until `leased_until`; nobody else is given it meanwhile.

    `waiting`: how many there are that no person has labelled and nobody else is looking at, these included.
    """

    store_id: str
    period: str
    order: Order
    reviewer: str
    leased_until: int
    waiting: int
    items: list[Item]


class Rows(Protocol):
    """What is asked of the row database."""

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the verdicts that stand for these interactions."""

    async def lease_reviews(
        self, query_ids: Sequence[str], *, reviewer: str, limit: int, now: int, until: int
    ) -> list[str]:
        """Lease the first of these that nobody else has; give them, in their order."""

    async def leased_reviews(self, *, now: int) -> dict[str, str]:
        """Give who has what: the person's name by the query's id."""


async def review_queue(
    reader: Reader, rows: Rows, scope: Scope, *, reviewer: str, order: Order, limit: int, now: int
) -> Queue:
    """Lease the first interactions of a scope to a person, for ten minutes.

    Args:
        reader: what to ask.
        rows: where it is noted who looks at what.
        scope: which interactions.
        reviewer: the person; what they have already comes again.
        order: `value`, what is worth most first; or `random`, in which each is as likely to come as every other one.
        limit: how many.
        now: the moment, epoch milliseconds.
    """
    found: list[Item] = []
    waiting, until = 0, now + LEASE_MS
    for _ in range(LOOKS):
        leased = await rows.leased_reviews(now=now)
        others = [id for id, name in leased.items() if name != reviewer]
        candidates, waiting = await _candidates(reader, rows, scope, order=order, limit=limit + SPARE, leased=others)
        mine = await rows.lease_reviews(list(candidates), reviewer=reviewer, limit=limit, now=now, until=until)
        found = [candidates[id] for id in mine]
        if len(found) == limit or len(candidates) < limit + SPARE:
            break
    return Queue(
        store_id=scope.store_id,
        period=scope.period,
        order=order,
        reviewer=reviewer,
        leased_until=until,
        waiting=waiting,
        items=found,
    )


async def _candidates(
    reader: Reader, rows: Rows, scope: Scope, *, order: Order, limit: int, leased: Sequence[str]
) -> tuple[dict[str, Item], int]:
    """Give the first that nobody else has, by their ids, and how many there are; the columns may be a little behind."""
    question = Question(
        sql=QUEUE.replace("{order}", ORDERED[order]),
        parameters={"limit": limit, "leased": list(leased)},
        about=scope,
        answered_until=reader.answered_until,
    )
    found = await reader.ask(question)
    ids = [row[0] for row in found]
    standing = {one.query_id: one for one in await rows.verdicts(ids)} if ids else {}
    shown = {
        row[0]: _item(row, standing[row[0]])
        for row in found
        if row[0] in standing and standing[row[0]].evaluated_by != "human"
    }
    return shown, found[0][-1] if found else 0


def _item(row: Sequence[Any], verdict: Verdict) -> Item:  # Any: cells in the order of QUEUE
    *cells, score, doubt, disputed, occurrences, place, _ = row
    return Item(
        interaction=interaction_of(cells),
        verdict=judgement(verdict),
        score=score,
        doubt=doubt,
        occurrences=occurrences,
        place=place,
        why=_why(verdict, disputed=disputed, occurrences=occurrences),
    )


def _why(verdict: Verdict, *, disputed: bool, occurrences: int) -> list[Why]:
    reasons: dict[Why, bool] = {
        "review": verdict.label == "REVIEW",
        "unsure": verdict.confidence < UNSURE_BELOW,
        "disputed": disputed,
        "frequent": occurrences >= FREQUENT_FROM,
    }
    return [reason for reason, fits in reasons.items() if fits]
