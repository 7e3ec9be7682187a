"""How good the automatic labels are: held against people's, or a reference's, and against what shoppers did next."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import LABELS, Label, Verdict
from aura_analytics.projection import Question
from aura_analytics.projection.measures import merged
from aura_analytics.stats.agreement import Confusion, Kappa, accuracy, confusion, kappa, sampling_p
from aura_analytics.stats.calibration import Calibration, calibration
from aura_analytics.stats.correction import Corrected, Counts, corrected
from aura_analytics.stats.proportion import Share, share
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.strata import Stratified, Stratum, stratified

Truth = Literal["human", "reference"]
Reference = Mapping[str, Label]

# How many interactions the row database is asked about at once.
BATCH = 5_000
BAD = LABELS.index("BAD")

# By the label that stands: the ids of those whose truth is known, and how many others were labelled automatically. Ids
# are only read where they are wanted: of ten million, that is most of the time.
SAMPLED = """
SELECT label, list(id), 0 FROM {rows} WHERE {known} GROUP BY label
UNION ALL
SELECT label, [], count(*) FROM {rows} WHERE NOT ({known}) AND evaluated_by IS DISTINCT FROM 'human' GROUP BY label
"""
BY_PEOPLE = "coalesce(evaluated_by = 'human', false) AND label IS NOT NULL"
BY_REFERENCE = "id IN (SELECT unnest($ids::VARCHAR[]))"

# How often queries were said again, by the label that stands.
SAID_AGAIN = f"""
SELECT label, {merged("queries")}, {merged("rephrased")}, {merged("repeated")} FROM {{cells}}
WHERE label IS NOT NULL GROUP BY label
"""


class Cell(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often an automatic label met a true one."""

    automatic: Label
    truth: Label
    count: int


class Method(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How good one way of labelling is: `rules`, or a model's name and its instructions; None where it wasn't noted."""

    method: str | None
    rubric: str | None
    pairs: int
    accuracy: Share
    kappa: Kappa | None


class BadRate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How much is BAD: by the automatic labels of all, by the true ones of some, and by both together in two ways.

    `sampling_p`: how likely automatic labels would differ as much between those whose truth is known and all others, had
    they been drawn at random. Where it is small they weren't, and neither `plain` nor `corrected` is about all;
    `stratified` still is, if they were chosen by the automatic label only.
    """

    automatic: float | None
    plain: Share | None
    corrected: Corrected | None
    stratified: Stratified | None
    sampling_p: float | None


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How often interactions of one label were said again next, `rephrased` in other words or `repeated` in the same."""

    label: Label
    queries: int
    rephrased: int
    repeated: int
    said_again: Share


class Agreement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How good the automatic labels of a scope are.

    `truth` says whose labels are taken for true: people's, or a reference's. `known` counts them, `pairs` those that there
    is an automatic label for, and `others` the automatic labels of which the truth isn't known. What nothing can be said
    of is None. `behaviour` goes by the label that stands, whoever gave it.
    """

    store_id: str
    period: str
    truth: Truth
    known: int
    pairs: int
    others: int
    confusion: list[Cell] | None
    accuracy: Share | None
    kappa: Kappa | None
    calibration: Calibration | None
    methods: list[Method]
    bad_rate: BadRate
    behaviour: list[Behaviour]


class Rows(Protocol):
    """What is asked of the row database."""

    async def automatic_verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        """Give the last automatic verdict of each of these interactions, whether it stands or gave way."""


class Sample(msgspec.Struct, frozen=True):
    """What is known of a scope: the truth by id, and the automatic labels of all others, in the order of LABELS."""

    truth: dict[str, Label]
    others: list[int]


async def agreement(rows: Rows, reader: Reader, scope: Scope, reference: Reference | None = None) -> Agreement:
    """Tell how good the automatic labels of a scope are.

    Args:
        rows: has the labels that gave way to people's.
        reader: what to ask.
        scope: which interactions.
        reference: what is true of some of them; without it, what people said.

    Raises:
        ParameterError: the scope chooses by label, which is what is held against the truth here.
    """
    if scope.filters & {"labels", "reasons"}:
        raise ParameterError("label and reason choose by what is compared here; leave them out")
    sample = await _sample(reader, scope, reference)
    verdicts = await _automatic(rows, sorted(sample.truth))
    matrix = confusion((one.label, sample.truth[one.query_id]) for one in verdicts)
    return Agreement(
        store_id=scope.store_id,
        period=scope.period,
        truth="human" if reference is None else "reference",
        known=len(sample.truth),
        pairs=matrix.pairs,
        others=sum(sample.others),
        confusion=_cells(matrix) if matrix.pairs else None,
        accuracy=accuracy(matrix),
        kappa=kappa(matrix),
        calibration=_calibration(verdicts, sample.truth),
        methods=_methods(verdicts, sample.truth),
        bad_rate=_bad_rate(matrix, sample),
        behaviour=await _behaviour(reader, scope),
    )


async def _sample(reader: Reader, scope: Scope, reference: Reference | None) -> Sample:
    """Ask once, so that each interaction is on one side or the other."""
    known = BY_PEOPLE if reference is None else BY_REFERENCE
    parameters = {} if reference is None else {"ids": list(reference)}
    question = Question(sql=SAMPLED.replace("{known}", known), parameters=parameters, about=scope)
    truth: dict[str, Label] = {}
    others = [0] * len(LABELS)
    for label, ids, count in await reader.ask(question):
        truth |= {id: label if reference is None else reference[id] for id in ids}
        if label in LABELS:
            others[LABELS.index(label)] += count
    return Sample(truth, others)


async def _automatic(rows: Rows, ids: Sequence[str]) -> list[Verdict]:
    """Give the automatic verdicts of some interactions; a label that isn't one of ours was written by somebody else."""
    found: list[Verdict] = []
    for start in range(0, len(ids), BATCH):
        found += await rows.automatic_verdicts(ids[start : start + BATCH])
    return [one for one in found if one.label in LABELS]


def _cells(matrix: Confusion) -> list[Cell]:
    return [
        Cell(automatic=automatic, truth=true, count=count)
        for automatic, row in zip(LABELS, matrix.rows, strict=True)
        for true, count in zip(LABELS, row, strict=True)
    ]


def _calibration(verdicts: Sequence[Verdict], truth: Mapping[str, Label]) -> Calibration | None:
    """Leave out confidences that weren't noted, which read as 0, and what others wrote that is none."""
    usable = [one for one in verdicts if 0 < one.confidence <= 1]
    return calibration([(one.confidence, one.label == truth[one.query_id]) for one in usable])


def _methods(verdicts: Sequence[Verdict], truth: Mapping[str, Label]) -> list[Method]:
    """Give the agreement of each way of labelling, the most used first; with new instructions a model is another judge."""
    pairs: dict[tuple[str, str], list[tuple[Label, Label]]] = {}
    for one in verdicts:
        pairs.setdefault((one.method, one.rubric or ""), []).append((one.label, truth[one.query_id]))
    found = []
    for (method, rubric), of_method in sorted(pairs.items(), key=lambda item: (-len(item[1]), item[0])):
        matrix = confusion(of_method)
        if (right := accuracy(matrix)) is not None:
            named = Method(
                method=method or None, rubric=rubric or None, pairs=matrix.pairs, accuracy=right, kappa=kappa(matrix)
            )
            found.append(named)
    return found


def _bad_rate(matrix: Confusion, sample: Sample) -> BadRate:
    automatic = [one + other for one, other in zip(matrix.automatic, sample.others, strict=True)]
    counts = Counts(
        pairs=matrix.pairs,
        true=matrix.truth[BAD],
        automatic=matrix.automatic[BAD],
        both=matrix.rows[BAD][BAD],
        others=sum(sample.others),
        others_automatic=sample.others[BAD],
    )
    return BadRate(
        automatic=automatic[BAD] / sum(automatic) if sum(automatic) else None,
        plain=share(sum(label == "BAD" for label in sample.truth.values()), len(sample.truth)),
        corrected=corrected(counts),
        stratified=stratified(
            [
                Stratum(pairs=sum(row), true=row[BAD], others=others)
                for row, others in zip(matrix.rows, sample.others, strict=True)
            ]
        ),
        sampling_p=sampling_p(matrix.automatic, sample.others),
    )


async def _behaviour(reader: Reader, scope: Scope) -> list[Behaviour]:
    question = Question(
        sql=SAID_AGAIN,
        about=scope,
        answered_until=reader.answered_until,
        measures=("queries", "rephrased", "repeated"),
        split="label",
    )
    by_label: dict[str, Any] = {row[0]: row[1:] for row in await reader.ask(question)}  # Any: whole numbers
    found = []
    for label in LABELS:
        queries, rephrased, repeated = by_label.get(label, (0, 0, 0))
        if (again := share(rephrased + repeated, queries)) is not None:
            witness = Behaviour(label=label, queries=queries, rephrased=rephrased, repeated=repeated, said_again=again)
            found.append(witness)
    return found
