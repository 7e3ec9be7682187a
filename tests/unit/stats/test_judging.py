"""How good the automatic labels are, out of a real store and real columns."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aura_analytics.errors import ParameterError
from aura_analytics.events.records import Event, Label, Verdict
from aura_analytics.stats import judging
from aura_analytics.stats.judging import Agreement, Reference, agreement
from aura_analytics.stats.proportion import share
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.scope import Scope
from aura_analytics.store.sqlite import SqliteStore
from contract.making import LATER, LEASE_MS, NOW, outcome, query, verdict
from unit.stats.conftest import settle, stored

# What a rule or a model said, and what a person said then; None where nobody did.
Labelled = Mapping[str, tuple[Label | None, Label | None]]


class Judged:
    """A store whose interactions were labelled automatically, some then by people, and a reader of its columns."""

    def __init__(self, store: SqliteStore, reader: ColumnReader) -> None:
        self.store = store
        self.reader = reader

    async def label(self, labels: Labelled, **fields: Any) -> None:
        """Label queries that are there already; a person's label comes with the outcome, which makes them due again."""
        await self._settle({id: verdict(id, auto, **fields) for id, (auto, _) in labels.items() if auto})
        by_people = {id: human for id, (_, human) in labels.items() if human}
        await self.store.append([outcome(id) for id in by_people])
        await self._settle({id: verdict(id, label, evaluated_by="human") for id, label in by_people.items()})

    async def _settle(self, verdicts: Mapping[str, Verdict]) -> None:
        if not verdicts:
            return
        claims = await self.store.claim_due(10_000, now=LATER, lease_ms=LEASE_MS)
        wanted = [(claim, verdicts[claim.query_id]) for claim in claims if claim.query_id in verdicts]
        assert await self.store.settle(wanted) == len(verdicts)
        left = [claim for claim in claims if claim.query_id not in verdicts]
        await self.store.release(left, now=NOW)

    async def ask(self, reference: Reference | None = None, **scope: Any) -> Agreement:
        return await agreement(self.store, self.reader, Scope(**scope), reference)


@asynccontextmanager
async def judged(folder: Path, events: Sequence[Event]) -> AsyncIterator[Judged]:
    async with stored(folder / "aura.db", events) as (store, reader):
        yield Judged(store, reader)


def many(count: int, labels: Mapping[int, tuple[Label | None, Label | None]]) -> Labelled:
    """Labels of queries by number: those of the number's remainder."""
    return {f"q{n:03}": labels[n % len(labels)] for n in range(count)}


def counted(found: Agreement) -> dict[tuple[Label, Label], int]:
    """The cells that hold something."""
    return {(cell.automatic, cell.truth): cell.count for cell in found.confusion or [] if cell.count}


async def test_where_nothing_is_known_nothing_is_said(tmp_path: Path) -> None:
    async with judged(tmp_path, []) as here:
        found = await here.ask()
    assert (found.truth, found.known, found.pairs, found.others) == ("human", 0, 0, 0)
    assert found.confusion is found.accuracy is found.kappa is found.calibration is None
    assert (found.methods, found.behaviour) == ([], [])
    assert set(msgspec.structs.astuple(found.bad_rate)) == {None}


async def test_without_people_only_what_is_automatic_is_told(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abcd"]) as here:
        await here.label({"a": ("GOOD", None), "b": ("BAD", None), "c": ("REVIEW", None)})
        found = await here.ask()
    assert (found.known, found.pairs, found.others) == (0, 0, 3)
    assert found.bad_rate.automatic == pytest.approx(1 / 3)
    assert found.bad_rate.plain is found.bad_rate.corrected is found.accuracy is None


async def test_a_person_s_label_is_held_against_the_automatic_one_that_it_took_the_place_of(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abcde"]) as here:
        await here.label(
            {
                "a": ("GOOD", "BAD"),
                "b": ("BAD", "BAD"),
                "c": ("REVIEW", "GOOD"),
                "d": ("GOOD", None),
                "e": (None, "BAD"),
            }
        )
        found = await here.ask()
    assert (found.known, found.pairs, found.others) == (4, 3, 1)
    assert counted(found) == {("GOOD", "BAD"): 1, ("BAD", "BAD"): 1, ("REVIEW", "GOOD"): 1}
    assert len(found.confusion or []) == 9
    assert found.accuracy == share(1, 3)
    assert found.bad_rate.plain == share(3, 4)
    assert found.bad_rate.automatic == 1 / 4
    assert found.bad_rate.corrected is None  # three pairs say nothing


async def test_of_enough_pairs_the_rate_is_corrected(tmp_path: Path) -> None:
    labels = many(
        120,
        {
            0: ("BAD", None),
            1: ("GOOD", "GOOD"),
            2: ("GOOD", None),
            3: ("BAD", "BAD"),
            4: ("GOOD", "BAD"),
            5: ("GOOD", None),
        },
    )
    async with judged(tmp_path, [query(id) for id in labels]) as here:
        await here.label(labels)
        found = await here.ask()
    assert (found.pairs, found.others) == (60, 60)
    rate = found.bad_rate
    assert rate.plain == share(40, 60)
    assert rate.corrected is not None
    assert (rate.corrected.pairs, rate.corrected.others) == (60, 60)
    assert rate.corrected.worth > 60
    assert rate.sampling_p == 1
    assert found.kappa is not None
    assert found.kappa.low is None  # for that, sixty are few


async def test_confidence_is_held_against_the_truth_where_it_was_noted(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abc"]) as here:
        await here.label({"a": ("GOOD", "BAD"), "b": ("GOOD", "GOOD")}, confidence=0.75)
        await here.label({"c": ("GOOD", "GOOD")}, confidence=0.0)
        found = await here.ask()
    assert found.calibration is not None
    assert (found.calibration.labels, found.calibration.ece) == (2, 0.25)


async def test_rules_and_models_are_also_told_apart(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abc"]) as here:
        await here.label({"a": ("GOOD", "BAD"), "b": ("GOOD", "GOOD")}, method="a model")
        await here.label({"c": ("BAD", "BAD")})
        found = await here.ask()
    assert [(one.method, one.pairs, one.accuracy.value) for one in found.methods] == [
        ("a model", 2, 0.5),
        ("rules", 1, 1),
    ]


async def test_with_new_instructions_a_model_is_another_judge(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abcd"]) as here:
        await here.label({"a": ("GOOD", "BAD"), "b": ("GOOD", "GOOD")}, method="a model", rubric="voice@1")
        await here.label({"c": ("BAD", "BAD")}, method="a model", rubric="voice@2")
        await here.label({"d": ("BAD", "BAD")}, method="a model")
        found = await here.ask()
    assert [(one.method, one.rubric, one.pairs, one.accuracy.value) for one in found.methods] == [
        ("a model", "voice@1", 2, 0.5),
        ("a model", None, 1, 1),
        ("a model", "voice@2", 1, 1),
    ]


async def test_of_labels_that_were_looked_at_unevenly_the_rate_is_put_together_label_by_label(tmp_path: Path) -> None:
    unseen: dict[int, tuple[Label | None, Label | None]] = dict.fromkeys(range(10), ("GOOD", None))
    labels = many(200, {**unseen, 0: ("BAD", "BAD"), 1: ("BAD", "GOOD")})
    looked_at: Labelled = {"q002": ("GOOD", "BAD"), **{f"q{n:03}": ("GOOD", "GOOD") for n in (3, 4, 5)}}
    async with judged(tmp_path, [query(id) for id in labels]) as here:
        await here.label({**labels, **looked_at})
        rate = (await here.ask()).bad_rate
    assert rate.stratified is not None
    assert (rate.stratified.pairs, rate.stratified.others) == (44, 156)
    assert rate.stratified.value == pytest.approx(40 / 200 * 20 / 40 + 160 / 200 * 1 / 4)
    assert rate.plain == share(21, 44)


async def test_a_reference_takes_the_place_of_people(tmp_path: Path) -> None:
    async with judged(tmp_path, [query(id) for id in "abcd"]) as here:
        await here.label({"a": ("GOOD", "BAD"), "b": ("BAD", None), "c": ("GOOD", None)})
        found = await here.ask({"a": "GOOD", "b": "GOOD", "d": "BAD", "nobody": "BAD"})
    assert (found.truth, found.known, found.pairs, found.others) == ("reference", 3, 2, 1)
    assert counted(found) == {("GOOD", "GOOD"): 1, ("BAD", "GOOD"): 1}
    assert found.bad_rate.plain == share(1, 3)


async def test_an_empty_reference_says_nothing(tmp_path: Path) -> None:
    async with judged(tmp_path, [query("a")]) as here:
        await here.label({"a": ("GOOD", "BAD")})
        found = await here.ask({})
    assert (found.truth, found.known, found.pairs, found.accuracy) == ("reference", 0, 0, None)


async def test_a_scope_chooses_on_both_sides(tmp_path: Path) -> None:
    events = [query("a", store_id="x"), query("b", store_id="y"), query("c", store_id="x", created_at=NOW - 5_000)]
    async with judged(tmp_path, events) as here:
        await here.label({"a": ("GOOD", "GOOD"), "b": ("BAD", "GOOD"), "c": ("BAD", None)})
        of_store, of_now = await here.ask(stores=("x",)), await here.ask(start=NOW)
        by_reference = await here.ask({"a": "GOOD", "b": "BAD"}, stores=("y",))
    assert (of_store.known, of_store.others, of_store.store_id) == (1, 1, "x")
    assert (of_now.known, of_now.others) == (2, 0)
    assert counted(by_reference) == {("BAD", "BAD"): 1}


@pytest.mark.parametrize("chosen", [{"labels": ("BAD",)}, {"reasons": ("is_bad",)}])
async def test_to_choose_by_the_label_is_refused(tmp_path: Path, chosen: dict[str, Any]) -> None:
    async with judged(tmp_path, []) as here:
        with pytest.raises(ParameterError, match="leave them out"):
            await here.ask(**chosen)


@pytest.mark.parametrize("settled", [False, True])
async def test_what_was_said_again_bears_witness(tmp_path: Path, settled: bool) -> None:
    texts = ["red shoes please", "show me red shoes", "show me red shoes", "blue boots", "thanks"]
    moments = [NOW - 500_000 + n * 5_000 for n in range(len(texts))]
    events = [
        query(id, query_text=text, created_at=at, session_id="s")
        for id, text, at in zip("abcde", texts, moments, strict=True)
    ]
    async with judged(tmp_path, events) as here:
        await here.label({"a": ("GOOD", None), "b": ("BAD", None), "c": ("GOOD", None), "d": (None, None)})
        if settled:
            await settle(here.reader)
        found = await here.ask()
    told = [(one.label, one.queries, one.rephrased, one.repeated, one.said_again) for one in found.behaviour]
    assert told == [("GOOD", 2, 1, 0, share(1, 2)), ("BAD", 1, 0, 1, share(1, 1))]


async def test_many_are_asked_about_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "BATCH", 2)
    labels = many(7, {0: ("GOOD", "GOOD")})
    async with judged(tmp_path, [query(id) for id in labels]) as here:
        await here.label(labels)
        found = await here.ask()
    assert (found.pairs, found.accuracy) == (7, share(7, 7))
