"""Rules tried on stored interactions: who decides, who would, what is left, and which labels would be others."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from aura_analytics.evaluation.rehearsal import Change, Hits, Rehearsal, Standing, rehearse
from aura_analytics.evaluation.rules import parse_rules
from aura_analytics.events.records import Interaction, Label, Verdict, VoiceQuery
from aura_analytics.store import Store
from aura_analytics.store.port import WIDE_COLUMNS, WideRow

RULES = parse_rules(
    """
    [[rule]]
    reason = "unheard"
    label = "BAD"
    confidence = 1
    when.transcription_conf.below = 0.5
    [[rule]]
    reason = "slow"
    label = "REVIEW"
    confidence = 1
    when.latency_ms.above = 100
    [[rule]]
    reason = "badly_unheard"
    label = "REVIEW"
    confidence = 1
    when.transcription_conf.below = 0.2
    """,
    "mine.toml",
)


def asked(confidence: float | None = None) -> Interaction:
    query = VoiceQuery(
        id="q", store_id="s", created_at=0, received_at=0, query_text="red apples", transcription_conf=confidence
    )
    return Interaction(query=query)


def verdict(label: Label, reason: str, **fields: Any) -> Verdict:
    return Verdict(query_id="q", label=label, reason=reason, confidence=1.0, evaluated_at=0, **fields)


def test_the_first_that_fits_decides_and_the_others_are_counted_too() -> None:
    found = Rehearsal(RULES)
    for confidence in (0.1, 0.4, 0.9, None):
        found.add(asked(confidence), None)

    assert (found.interactions, found.left) == (4, 2)
    assert found.hits["unheard"] == Hits(decided=2, fitting=2)
    assert found.hits["slow"] == Hits()
    assert (found.hits["badly_unheard"].decided, found.hits["badly_unheard"].before) == (0, {"unheard": 1})


def test_labels_are_counted_by_who_gave_them() -> None:
    found = Rehearsal(RULES)
    for confidence, standing in (
        (0.1, verdict("BAD", "unheard")),
        (0.1, verdict("GOOD", "fast")),
        (0.9, verdict("GOOD", "fast")),
        (0.9, verdict("REVIEW", "no_judge_configured")),
        (0.1, verdict("REVIEW", "no_judge_configured")),
        (0.1, verdict("GOOD", "correct", method="google:model")),
        (0.9, verdict("GOOD", "correct", method="google:model")),
        (0.1, verdict("BAD", "so_be_it", evaluated_by="human", method="Ada")),
        (0.9, verdict("GOOD", "", method="")),
    ):
        found.add(asked(confidence), standing)

    assert found.standing == {
        "rules": Standing(same=2, differing=2, left_to_judge=1),
        "judge": Standing(differing=1, left_to_judge=1),
        "people": Standing(same=1),
        "unknown": Standing(left_to_judge=1),
    }
    assert found.changes == {
        Change("GOOD", "fast", "BAD", "unheard"): 1,
        Change("GOOD", "fast", None, None): 1,
        Change("REVIEW", "no_judge_configured", "BAD", "unheard"): 1,
    }


def row(**cells: Any) -> WideRow:
    """A joined row. Any: what a cell can be."""
    whole = {"store_id": "s", "created_at": 0, "query_text": "red apples", "query_source": "voice", "has_outcome": 0}
    return tuple((whole | cells).get(name) for name in WIDE_COLUMNS)


class Rows:
    """The part of a store that is read."""

    def __init__(self, *batches: list[WideRow]) -> None:
        self.batches = batches
        self.asked: list[list[str]] = []

    async def snapshot(self, batch: int) -> AsyncIterator[list[WideRow]]:
        assert batch
        for rows in self.batches:
            yield rows

    async def verdicts(self, query_ids: Sequence[str]) -> list[Verdict]:
        self.asked.append(list(query_ids))
        return [verdict("BAD", "slow")] if "q" in query_ids else []


async def test_the_store_is_read_in_batches_and_only_what_is_wanted_counts() -> None:
    rows = Rows(
        [row(id="q", has_outcome=1, latency_ms=101.0), row(id="other", store_id="t")],
        [row(id="r", has_outcome=0, latency_ms=101.0), row(id=b"\0", transcription_conf="high")],
        [row(id="other too", store_id="t")],
    )
    told: list[int] = []

    found = await rehearse(
        cast("Store", rows), RULES, wanted=lambda one: one.query.store_id == "s", on_progress=told.append
    )

    assert (found.interactions, found.left, found.hits["slow"].decided) == (3, 2, 1)
    assert found.standing["rules"] == Standing(differing=1)
    assert (rows.asked, told) == ([["q"], ["r"]], [2, 4, 5])
