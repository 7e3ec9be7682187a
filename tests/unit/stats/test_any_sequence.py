"""Whatever comes to a store and its columns, in whatever order, the figures are those of a plain count of what was told."""

import asyncio
import operator
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.events.records import Event, Verdict, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.projection import Projection
from aura_analytics.stats.causes import Asked as AskedCauses
from aura_analytics.stats.causes import causes
from aura_analytics.stats.conversions import IntentConversions, conversions
from aura_analytics.stats.metrics import METRICS
from aura_analytics.stats.reader import ColumnReader
from aura_analytics.stats.rephrasings import rephrasings
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.summary import Labels, summary
from aura_analytics.stats.timeseries import Asked, timeseries
from aura_analytics.store import Store
from aura_analytics.store.port import Claim
from contract.making import GRACE_MS, LATER, LEASE_MS, NOW, conversion, conversion_row, outcome, query, verdict, wide
from trying import tried
from unit.projection.running import AT_MOST_S, Projections, Stores, assert_equal
from unit.stats import test_recount as plain
from unit.stats import test_recount_series as series
from unit.stats.conftest import settle
from unit.stats.held import HOUR, Row, _asked, _done, _labelled, filters, within
from unit.stats.held import windows as ends
from unit.stats.test_causes import counted
from unit.stats.test_conversions import bought, owed_to, revenue, without_owner
from unit.stats.test_rephrasings import pair, rates

BERLIN = ZoneInfo("Europe/Berlin")
SHOWN = ["queries", "failures", "unanswered_rate", "latency_p95", "sessions", "quality", "conversion_rate", "revenue"]
FEW = 2


class Told:
    """What the service was told, and what of it counts: of an id, the first that came; of verdicts, the last."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.queries: dict[str, VoiceQuery] = {}
        self.outcomes: dict[str, VoiceOutcome] = {}
        self.conversions: dict[str, VoiceConversion] = {}
        self.verdicts: dict[str, Verdict] = {}
        # What waits to be labelled, each with the lease under which it may be.
        self.work: dict[str, str | None] = {}

    def take(self, events: list[Event]) -> list[bool]:
        """Note events; tell for each whether it is new."""
        self.events += events
        return [self._is_new(one) for one in events]

    def _is_new(self, told: Event) -> bool:
        if isinstance(told, VoiceConversion):
            return self.conversions.setdefault(told.id, told) is told
        if isinstance(told, VoiceQuery):
            id, is_new = told.id, self.queries.setdefault(told.id, told) is told
        else:
            id, is_new = told.query_id, self.outcomes.setdefault(told.query_id, told) is told
        if is_new and id in self.queries:
            self.work[id] = None
        return is_new

    def judge(self, claim: Claim, given: Verdict) -> bool:
        """Note a verdict; tell whether it stands: its claim must hold, and it mustn't overrule a person."""
        if claim.query_id not in self.work or self.work[claim.query_id] != claim.lease:
            return False
        del self.work[claim.query_id]
        standing = self.verdicts.get(claim.query_id)
        if standing is not None and standing.evaluated_by == "human" and given.evaluated_by != "human":
            return False
        self.verdicts[claim.query_id] = given
        return True

    def rows(self) -> list[Row]:
        return [wide(one, self.outcomes.get(id), self.verdicts.get(id)) for id, one in self.queries.items()]


class Service:
    """A store and its columns on files, and beside them what they were told."""

    def __init__(self, folder: Path) -> None:
        self.told = Told()
        self._file, self._columns = folder / "aura.db", folder / "aura.columns.duckdb"
        self._stores, self._projections = Stores(), Projections()
        self._claims: list[Claim] = []
        self._rounds = 0
        self.store: Store
        self.projection: Projection

    async def start(self) -> None:
        self.store = await self._stores.open(self._file)
        self.projection = await self._projections.built(self.store, self._columns)

    async def stop(self) -> None:
        await self._projections.stop_all()
        await self._stores.close_all()

    @property
    def reader(self) -> ColumnReader:
        return ColumnReader(self.projection, grace_ms=GRACE_MS, clock=lambda: NOW)

    # What can happen.

    async def tell(self, events: list[Event]) -> None:
        assert await self.store.append(events) == self.told.take(events)

    async def tell_again(self, places: list[int]) -> None:
        """Tell what was told before, be it the first of its id or not."""
        known = self.told.events
        if known:
            # Copies, as from the wire: that they are equal doesn't make them the same.
            await self.tell([msgspec.structs.replace(known[place % len(known)]) for place in places])

    async def label(self, asked: tuple[bool, list[tuple[int, dict[str, Any]]]]) -> None:
        """Label some of what was ever claimed, the latest first; what is due may be claimed before."""
        anew, given = asked
        if anew:
            await self._claim()
        if not self._claims:
            return
        pairs = []
        for place, fields in given:
            claim = self._claims[-1 - place % len(self._claims)]
            pairs.append((claim, verdict(claim.query_id, **fields)))
        assert await self.store.settle(pairs) == sum([self.told.judge(*one) for one in pairs])

    async def _claim(self) -> None:
        self._rounds += 1  # each a lease later, so that those before have run out
        claims = await self.store.claim_due(1_000, now=LATER + self._rounds * LEASE_MS, lease_ms=LEASE_MS)
        assert {claim.query_id for claim in claims} == self.told.work.keys()
        self.told.work = {claim.query_id: claim.lease for claim in claims}
        self._claims += claims

    async def compute_cubes(self, _: None) -> None:
        await settle(self.reader)

    async def start_again(self, meanwhile: list[Event]) -> None:
        """Stop the columns wherever they stand, and take the file up again."""
        follower = self.projection._follower
        await self._projections.stop(self.projection)
        await self.tell(meanwhile)
        self.projection = await self._projections.built(self.store, self._columns)
        assert (
            self.projection._follower == follower
        )  # else the file would have been filled anew, which hides everything

    async def rebuild(self, meanwhile: list[Event]) -> None:
        """Fill the columns anew while events come."""
        await self.projection.rebuild()
        await self.tell(meanwhile)
        async with asyncio.timeout(AT_MOST_S):
            await self.projection.built()

    async def ask(self, scope: Scope) -> None:
        await compare_summary(self.reader, self.history(scope))

    # What must be so, whatever has happened.

    def history(self, scope: Scope) -> series.Told:
        """What was told, and what was bought after which of it, as the plain counts want it."""
        rows = self.told.rows()
        owners = [(one, owed_to(one, rows)) for one in self.told.conversions.values()]
        owed = [
            conversion_row(msgspec.structs.replace(one, query_id=owner["id"]))
            for one, owner in owners
            if owner is not None
        ]
        return series.Told(rows, owed, scope)

    async def compare(self, scope: Scope) -> None:
        reader, history = self.reader, self.history(scope)
        await compare_summary(reader, history)
        await self._compare_lists(scope, {row["id"] for row in history.counted})
        await compare_days(reader, history)
        await compare_conversions(reader, history, list(self.told.conversions.values()))
        await compare_turns(reader, history)
        assert await assert_equal(self.store, self.projection) == len(history.rows)

    async def _compare_lists(self, scope: Scope, ids: set[str]) -> None:
        told = [
            plain.Told(one, self.told.outcomes.get(id), self.told.verdicts.get(id))
            for id, one in self.told.queries.items()
            if id in ids
        ]
        await plain.compare_hourly(self.reader, scope, told, FEW)
        await plain.compare_top_queries(self.reader, scope, told, FEW)
        await plain.compare_unanswered(self.reader, scope, told, FEW)


# The comparisons that aren't elsewhere.


async def compare_summary(reader: ColumnReader, history: series.Told) -> None:
    scope, rows = history.scope, history.counted
    figures = series.figures(rows, history.amounts(rows))
    good, review, bad = (figures[name] for name in ("good", "review", "bad"))
    assert msgspec.structs.asdict(await summary(reader, scope)) == {
        "store_id": ",".join(scope.stores) or "all",
        "period": "all",
        "total_queries": len(rows),
        "successful_queries": figures["successes"],
        "failed_queries": figures["failures"],
        "average_latency_ms": figures["latency_avg"],
        "p50_latency_ms": figures["latency_p50"],
        "p95_latency_ms": figures["latency_p95"],
        "p99_latency_ms": figures["latency_p99"],
        "total_cost_usd": figures["cost"],
        "cost_per_successful_query_usd": figures["cost_per_success"],
        "total_tokens": figures["tokens"],
        "prompt_tokens": sum(series.present(rows, "tokens_prompt")),
        "completion_tokens": sum(series.present(rows, "tokens_completion")),
        "unique_sessions": figures["sessions"],
        "conversion_rate": series.or_0(figures["conversion_rate"]),
        "unanswered_rate": series.or_0(figures["unanswered_rate"]),
        "labels": Labels(good=good, review=review, bad=bad, unlabelled=len(rows) - good - review - bad),
        "evaluation_queue": None,
        "start": scope.start,
        "end": scope.end,
    }


async def compare_days(reader: ColumnReader, history: series.Told) -> None:
    asked = Asked(metrics=[METRICS[name] for name in SHOWN], step="day", zone=BERLIN)
    [found] = (await timeseries(reader, history.scope, asked)).series
    rows = history.counted
    days = series.all_shown(history.scope, rows, "day", BERLIN)
    expected = series.points(history, rows, days, lambda row: series.shown(row["created_at"], "day", BERLIN), SHOWN)
    assert found.points == [{**point, "revenue": pytest.approx(point["revenue"])} for point in expected]


async def compare_conversions(reader: ColumnReader, history: series.Told, told: list[VoiceConversion]) -> None:
    scope, rows = history.scope, history.rows
    answer = await conversions(reader, scope)
    owners = [(one, owner) for one in told if (owner := owed_to(one, rows)) is not None and within(owner, scope)]
    among = [row for row in rows if within(row, scope)]
    assert (answer.queries, answer.conversions) == (len(among), len(owners))
    assert answer.converted_queries == len({owner["id"] for _, owner in owners})
    assert answer.revenue == revenue([one for one, _ in owners])
    assert answer.unattributed == (without_owner(told, rows, scope) if scope.filters <= {"stores"} else None)
    expected = {}
    for intent, asked in series.groups(among, "intent").items():
        had = [(one, owner) for one, owner in owners if owner["intent"] == intent]
        converted = len({owner["id"] for _, owner in had})
        expected[intent] = IntentConversions(
            intent=intent,
            queries=len(asked),
            conversions=len(had),
            converted_queries=converted,
            conversion_rate=converted / len(asked),
            revenue=revenue([one for one, _ in had]),
        )
    assert {one.intent: one for one in answer.by_intent} == expected


async def compare_turns(reader: ColumnReader, history: series.Told) -> None:
    """What was said again, and where it broke."""
    found = history.counted
    again = sorted((turn for turn in found if turn["rephrased"]), key=lambda turn: (-turn["created_at"], turn["id"]))
    said = await rephrasings(reader, history.scope, limit=100, least=1)
    repeated = sum(turn["repeated"] for turn in found)
    assert (said.queries, said.rephrased, said.repeated) == (len(found), len(again), repeated)
    assert said.intents == rates(found, 1)
    assert sorted(said.examples, key=lambda one: (-one.created_at, one.id)) == [pair(turn) for turn in again]
    broke = await causes(reader, history.scope, AskedCauses(examples=0))
    assert {"queries": broke.queries, "broken": broke.broken, **{one.cause: one.count for one in broke.causes}} == (
        counted(found)
    )


# What is told.


def answered(id: str, fields: dict[str, Any], called: list[Any] | None) -> VoiceOutcome:
    known = {name: value for name, value in fields.items() if name in VoiceOutcome.__struct_fields__}
    return outcome(id, **known | {"tool_calls": called})


def asked(id: str, fields: dict[str, Any]) -> VoiceQuery:
    return query(id, **fields)


ids = st.integers(0, 15).map("q{:02}".format)
# Half of the queries lie close together in one session at the edge of an hour, and half of the answers help.
close = st.fixed_dictionaries(
    {
        "store_id": st.just("a"),
        "session_id": st.just("s"),
        "created_at": st.sampled_from([HOUR - 1, HOUR - 1, HOUR, HOUR, HOUR + 1]),
    }
)
helpful = st.just({"action_success": True, "error_flag": None})
queries = st.builds(asked, ids, st.builds(operator.or_, _asked, st.just({}) | close))
outcomes = st.builds(
    answered,
    ids,
    st.builds(operator.or_, _done, st.just({}) | helpful),
    st.sampled_from([None, [], ["search"], [{"name": "x"}]]),
)
# Half of what is bought is bought in that session, a minute later.
after = st.just({"query_id": None, "session_id": "s", "store_id": None, "occurred_at": HOUR + 60_000})
purchases = st.builds(
    lambda n, fields: conversion(f"c{n}", **fields),
    st.integers(0, 7),
    st.builds(operator.or_, bought, st.just({}) | after),
)
events = st.one_of(queries, outcomes, purchases)
batches: st.SearchStrategy[list[Event]] = st.lists(events, min_size=4, max_size=20)
openings: st.SearchStrategy[list[Event]] = st.lists(events, min_size=15, max_size=40)
few: st.SearchStrategy[list[Event]] = st.lists(events, max_size=3)
labels = st.builds(
    lambda fields, by: {**fields, "evaluated_by": by}, _labelled, st.sampled_from(["auto", "auto", "auto", "human"])
)
places = st.integers(0, 40)
ranges: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"stores": ("b",)},
        {"intents": ("find",)},
        {"labels": ("BAD", "REVIEW"), "stores": ("a",)},
        {"latency_min": 0.1, "latency_max": 8_000.0},
    ]
)
scopes = st.builds(
    lambda window, among: Scope(start=window[0], end=window[1], **among), ends, st.one_of(filters, ranges)
)

Step = tuple[Callable[[Service, Any], Awaitable[None]], Any]

given_labels = st.lists(st.tuples(places, labels), min_size=2, max_size=10)
labelling = st.tuples(st.just(Service.label), st.tuples(st.sampled_from([True, True, False]), given_labels))
# What happens often stands here more than once; `one_of` would make nothing of that.
kinds: list[st.SearchStrategy[Step]] = [
    *[st.tuples(st.just(Service.tell), batches)] * 3,
    *[labelling] * 3,
    *[st.tuples(st.just(Service.compute_cubes), st.none())] * 2,
    st.tuples(st.just(Service.tell_again), st.lists(places, min_size=1, max_size=4)),
    st.tuples(st.just(Service.start_again), few),
    st.tuples(st.just(Service.ask), scopes),
]
steps = st.lists(st.integers(0, len(kinds) - 1).flatmap(kinds.__getitem__), min_size=8, max_size=18)
# A rebuild starts a process; hence one at most.
rebuilds = st.none() | st.tuples(st.integers(0, 18), few)


# A sequence that fails is made shorter for minutes, and the first one that fails is long.
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@tried(6)
@given(
    opening=openings,
    first_labels=given_labels,
    steps=steps,
    rebuilt=rebuilds,
    looked_at=st.integers(0, 18),
    between=scopes,
    asked_for=st.lists(scopes, min_size=1, max_size=2),
)
async def test_every_figure_is_that_of_a_plain_count_after_any_sequence(
    *,
    opening: list[Event],
    first_labels: list[tuple[int, dict[str, Any]]],
    steps: list[Step],
    rebuilt: tuple[int, list[Event]] | None,
    looked_at: int,
    between: Scope,
    asked_for: list[Scope],
) -> None:
    if rebuilt is not None:
        steps = [*steps[: rebuilt[0]], (Service.rebuild, rebuilt[1]), *steps[rebuilt[0] :]]
    with TemporaryDirectory() as folder:
        service = Service(Path(folder))
        try:
            await service.start()
            await service.tell(opening)
            await service.label((True, first_labels))
            for n, (act, argument) in enumerate(steps):
                if n == min(looked_at, len(steps) - 1):
                    await service.compare(between)
                await act(service, argument)
            for scope in [Scope(), *asked_for]:
                await service.compare(scope)
            told = service.told
            event(f"interactions: {len(told.queries) // 5 * 5}+, conversions: {len(told.conversions) // 3 * 3}+")
            event(f"labelled: {min(len(told.verdicts), 4)}, rebuilt: {rebuilt is not None}")
        finally:
            await service.stop()
