"""Series, groups and distributions are what a plain count in Python gives, whatever the clocks do and the cubes hold."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.stats import comparison
from aura_analytics.stats.breakdown import ASKED, SPLITS, IntentFigures, ModelFigures, StoreFigures, breakdown
from aura_analytics.stats.groups import COLUMNS, Split
from aura_analytics.stats.hourly import hourly, hourly_in
from aura_analytics.stats.latency import EDGES, latency
from aura_analytics.stats.metrics import METRICS
from aura_analytics.stats.quality import quality
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import STEPS, StepName
from aura_analytics.stats.summary import summary
from aura_analytics.stats.timeseries import Asked, Point, timeseries
from aura_analytics.stats.visits import visits
from aura_analytics.store.port import ConversionRow
from contract.making import GRACE_MS, NOW, conversion, conversion_row
from trying import tried
from unit.stats.held import HOUR, MOMENTS, SETTLED, Held, Row, Settled, filters, histories, reasons, turns, within

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"]
# What the histories' hour is moved to: clocks that change in Berlin and in St. John's, forward and back, and midnights.
CHANGES = [
    datetime(2025, 3, 30, 1, tzinfo=UTC),
    datetime(2024, 10, 27, 1, tzinfo=UTC),
    datetime(2025, 3, 9, 5, 30, tzinfo=UTC),
    datetime(2024, 11, 3, 4, 30, tzinfo=UTC),
    datetime(2025, 8, 31, 18, 15, tzinfo=UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
]
moves = st.sampled_from([0, *(round(change.timestamp() * 1000) - HOUR for change in CHANGES)])
zones = st.sampled_from(ZONES).map(ZoneInfo)
ends = st.none() | st.sampled_from(MOMENTS)
owed = st.lists(
    st.tuples(st.integers(0, 24), st.sampled_from([None, 1.5, 20.0]), st.sampled_from([None, "EUR", "USD"])), max_size=6
)
several = tried(20)


class Told(msgspec.Struct, frozen=True):
    """A history whose hour was moved, what was bought after it, and a window of it."""

    rows: list[Row]
    bought: list[ConversionRow]
    scope: Scope

    @property
    def counted(self) -> list[Row]:
        return [row for row in turns(self.rows) if within(row, self.scope)]

    def amounts(self, rows: Iterable[Row]) -> list[ConversionRow]:
        ids = {row["id"] for row in rows}
        return [one for one in self.bought if one[1] in ids]


@st.composite
def told(draw: st.DrawFn, among: st.SearchStrategy[dict[str, Any]] = filters) -> Told:
    by = draw(moves)
    rows = [{**row, "created_at": row["created_at"] + by} for row in draw(histories())]
    window = [None if end is None else end + by for end in (draw(ends), draw(ends))]
    if None not in window:
        window.sort()
    bought = [
        conversion_row(conversion(f"c{n}", query_id=f"q{place:02}", value=value, currency=currency))
        for n, (place, value, currency) in enumerate(draw(owed))
    ]
    return Told(rows, bought, Scope(start=window[0], end=window[1], **draw(among)))


# The plain count.


def shown(moment: int, step: StepName, zone: ZoneInfo) -> str:
    """What the clocks and calendars of a zone show at the start of a step."""
    local = datetime.fromtimestamp(moment // 1000, zone)
    if step in ("minute", "hour"):
        start = local.replace(second=0, minute=local.minute if step == "minute" else 0)
    else:
        day = local.date()
        day -= timedelta(days={"day": 0, "week": day.weekday(), "month": day.day - 1}[step])
        start = datetime.combine(day, time(), zone)
    return start.isoformat().replace("+00:00", "Z") if zone.key == "UTC" else start.isoformat()


def all_shown(scope: Scope, rows: list[Row], step: StepName, zone: ZoneInfo) -> list[str]:
    """The steps from the first to the last, by looking at the clock again and again."""
    moments = [row["created_at"] for row in rows]
    low = scope.start if scope.start is not None else min(moments, default=None)
    present = [] if scope.start is None else [NOW]
    high = scope.end if scope.end is not None else max([*moments, *present], default=None)
    if low is None or high is None:
        return []
    pace = 60_000 if step == "minute" else 15 * 60_000
    seen = {shown(moment, step, zone): None for moment in [*range(low, high + 1, pace), high]}
    return list(seen)


def share(part: float, whole: float) -> Any:
    return pytest.approx(part / whole) if whole else None


def or_0(value: Any) -> Any:
    return 0 if value is None else value


def rank(values: Sequence[float], percent: int) -> float | None:
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else None


def present(rows: list[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row.get(column) is not None]


def tokens(row: Row) -> int:
    total = row.get("tokens_total")
    return int(total if total is not None else (row.get("tokens_prompt") or 0) + (row.get("tokens_completion") or 0))


def successes(rows: list[Row]) -> int:
    return sum(row.get("action_success") is True for row in rows)


def failures(rows: list[Row]) -> int:
    return sum(row.get("action_success") is False or row.get("error_flag") is True for row in rows)


def unanswered(rows: list[Row]) -> int:
    return sum(bool(set(reasons(row)) - {"slow_response"}) for row in rows)


def labelled(rows: list[Row], *labels: str) -> int:
    return sum(row.get("label") in (labels or ("GOOD", "REVIEW", "BAD")) for row in rows)


def revenue(bought: list[ConversionRow]) -> dict[str, float]:
    found: Counter[str] = Counter()
    for one in bought:
        if one[5] is not None:
            found[one[6] or "(none)"] += one[5]
    return dict(found)


def figures(rows: list[Row], bought: list[ConversionRow]) -> dict[str, Any]:
    """Every metric by the meaning of its name."""
    count, latencies = len(rows), present(rows, "latency_ms")
    cost = math.fsum(present(rows, "cost_usd"))
    converted = len({one[1] for one in bought})
    causes = Counter(row["cause"] for row in rows)
    return {
        "queries": count,
        "successes": successes(rows),
        "failures": failures(rows),
        "unanswered": unanswered(rows),
        "success_rate": share(successes(rows), count),
        "failure_rate": share(failures(rows), count),
        "unanswered_rate": share(unanswered(rows), count),
        "latency_avg": share(math.fsum(latencies), len(latencies)),
        **{f"latency_p{percent}": rank(latencies, percent) for percent in (50, 75, 90, 95, 99)},
        "cost": pytest.approx(cost, abs=1e-9),
        "cost_per_success": share(cost, successes(rows)),
        "tokens": sum(map(tokens, rows)),
        "sessions": len(set(present(rows, "session_id"))),
        "good": labelled(rows, "GOOD"),
        "review": labelled(rows, "REVIEW"),
        "bad": labelled(rows, "BAD"),
        "quality": share(labelled(rows, "GOOD"), labelled(rows)),
        "confidence_avg": share(
            math.fsum(present(rows, "transcription_conf")), len(present(rows, "transcription_conf"))
        ),
        "fast_path_rate": share(sum(row["fast_path"] for row in rows), count),
        "rephrased": sum(row["rephrased"] for row in rows),
        "rephrased_rate": share(sum(row["rephrased"] for row in rows), count),
        "repeated": sum(row["repeated"] for row in rows),
        "conversions": converted,
        "conversion_rate": share(converted, count),
        "revenue": revenue(bought),
        **{name: causes[name] for name in METRICS if name in (
            "heard_wrong", "understood_wrong", "did_wrong", "too_slow", "no_answer", "answered_badly"
        )},
    }  # fmt: skip


def groups(rows: list[Row], column: str) -> dict[str | None, list[Row]]:
    """The rows by the value of a column, the largest group first."""
    found = defaultdict(list)
    for row in rows:
        found[row.get(column)].append(row)
    order = sorted(found, key=lambda value: (-len(found[value]), value is not None, value or ""))
    return {value: found[value] for value in order}


# The comparisons.


def points(
    history: Told, rows: list[Row], labels: list[str], label: Callable[[Row], str], names: list[str]
) -> list[Point]:
    by_label = defaultdict(list)
    for row in rows:
        by_label[label(row)].append(row)
    expected = []
    for at in labels:
        of_step = by_label.pop(at, [])
        counted = figures(of_step, history.amounts(of_step))
        expected.append({"at": at, **{name: counted[name] for name in names}})
    assert not by_label
    return expected


@several
@given(
    history=told(),
    settled=st.sampled_from(SETTLED),
    zone=zones,
    step=st.sampled_from(STEPS),
    split=st.sampled_from([None, None, *COLUMNS]),
    top=st.integers(1, 3),
    names=st.lists(st.sampled_from(list(METRICS)), min_size=1, max_size=4, unique=True) | st.just(list(METRICS)),
)
async def test_series_are_those_of_a_plain_count(
    *, history: Told, settled: Settled, zone: ZoneInfo, step: StepName, split: Split | None, top: int, names: list[str]
) -> None:
    if step in ("minute", "hour") and history.scope.end is None and history.scope.start is not None:
        step = "day"  # up to the present these would be too many to look at one by one
    asked = Asked(metrics=[METRICS[name] for name in names], step=step, zone=zone, split=split, top=top)
    with Held() as held:
        held.fill(history.rows, history.bought).settle(settled)
        found = await timeseries(held, history.scope, asked)
    rows = history.counted
    event(f"interactions: {len(rows) // 5 * 5}+, {step}, {split}")
    labels = all_shown(history.scope, rows, step, zone)

    def expected(some: list[Row]) -> list[Point]:
        return points(history, some, labels, lambda row: shown(row["created_at"], step, zone), names)

    assert (found.step, found.tz, found.metrics) == (step, zone.key, names)
    if split is None:
        assert [(one.split, one.other, one.points) for one in found.series] == [(None, False, expected(rows))]
        return
    every = list(groups(rows, COLUMNS[split]).items())
    wanted = [(value, False, expected(some)) for value, some in every[:top]]
    if every[top:]:
        wanted.append((None, True, expected([row for _, some in every[top:] for row in some])))
    assert [(one.split, one.other, one.points) for one in found.series] == wanted


@several
@given(history=told(), settled=st.sampled_from(SETTLED), zone=zones, limit=st.sampled_from([2, 100_000]))
async def test_hours_of_a_zone_are_those_of_a_plain_count(
    history: Told, settled: Settled, zone: ZoneInfo, limit: int
) -> None:
    with Held() as held:
        held.fill(history.rows, history.bought).settle(settled)
        found = await hourly_in(held, history.scope, zone, limit)
        if zone.key == "UTC":
            assert found == await hourly(held, history.scope, limit)
    by_hour = defaultdict(list)
    for row in sorted(history.counted, key=lambda row: -row["created_at"]):
        by_hour[shown(row["created_at"], "hour", zone)].append(row)
    expected = []
    for hour, rows in list(by_hour.items())[:limit]:
        counted = figures(rows, [])
        names = ("queries", "successes", "failures", "latency_avg", "cost", "sessions")
        expected.append((hour, *(counted[name] for name in names)))
    assert [msgspec.structs.astuple(row) for row in found] == expected


@several
@given(
    history=told(),
    settled=st.sampled_from(SETTLED),
    kind=st.sampled_from([IntentFigures, ModelFigures, StoreFigures]),
    limit=st.sampled_from([1, 2, 100]),
)
async def test_groups_are_those_of_a_plain_count(history: Told, settled: Settled, kind: Any, limit: int) -> None:
    with Held() as held:
        held.fill(history.rows, history.bought).settle(settled)
        found = await breakdown(held, history.scope, kind, limit)
    expected = []
    for value, rows in list(groups(history.counted, COLUMNS[SPLITS[kind]]).items())[:limit]:
        counted = figures(rows, history.amounts(rows))
        named = {name: counted[metric.name] for name, metric in ASKED.items()}
        expected.append({"value": value, **named, "success_rate": pytest.approx(100 * successes(rows) / len(rows))})
    assert [msgspec.structs.asdict(row) for row in found] == expected


@several
@given(history=told(), settled=st.sampled_from(SETTLED))
async def test_a_summary_of_a_part_is_that_of_a_plain_count(history: Told, settled: Settled) -> None:
    with Held() as held:
        found = await summary(held.fill(history.rows, history.bought).settle(settled), history.scope)
    counted = figures(history.counted, history.amounts(history.counted))
    assert found.store_id == (",".join(history.scope.stores) or "all")
    assert found.total_queries == counted["queries"]
    assert found.average_latency_ms == counted["latency_avg"]
    assert (found.p50_latency_ms, found.p99_latency_ms) == (counted["latency_p50"], counted["latency_p99"])
    assert found.cost_per_successful_query_usd == counted["cost_per_success"]
    assert found.total_tokens == counted["tokens"]
    assert found.unique_sessions == counted["sessions"]
    assert found.conversion_rate == or_0(counted["conversion_rate"])
    assert found.unanswered_rate == or_0(counted["unanswered_rate"])
    assert (found.labels.good, found.labels.unlabelled) == (
        counted["good"],
        len(history.counted) - labelled(history.counted),
    )


@several
@given(history=told(), settled=st.sampled_from(SETTLED), bars=st.none() | st.integers(1, 5))
async def test_latencies_are_those_of_a_plain_count(history: Told, settled: Settled, bars: int | None) -> None:
    with Held() as held:
        found = await latency(held.fill(history.rows).settle(settled), history.scope, bars)
    values = present(history.counted, "latency_ms")
    assert found.count == len(values)
    assert found.average_latency_ms == share(math.fsum(values), len(values))
    assert (found.min_latency_ms, found.max_latency_ms) == (min(values, default=None), max(values, default=None))
    assert [
        found.p50_latency_ms,
        found.p75_latency_ms,
        found.p90_latency_ms,
        found.p95_latency_ms,
        found.p99_latency_ms,
    ] == [rank(values, percent) for percent in (50, 75, 90, 95, 99)]
    for bar in found.histogram:
        assert bar.count == sum(bar.least <= value and (bar.below is None or value < bar.below) for value in values)
    assert sum(bar.count for bar in found.histogram) == len(values)
    if bars is None:
        assert {bar.least for bar in found.histogram} <= set(EDGES)
        assert all(found.histogram[end].count for end in (0, -1) if values)
    elif values:
        assert len(found.histogram) == (bars if min(values) < max(values) else 1)


@several
@given(history=told(), settled=st.sampled_from(SETTLED), zone=zones)
async def test_labels_are_those_of_a_plain_count(history: Told, settled: Settled, zone: ZoneInfo) -> None:
    with Held() as held:
        found = await quality(held.fill(history.rows).settle(settled), history.scope, "day", zone)
    rows = history.counted
    assert found.quality == share(labelled(rows, "GOOD"), labelled(rows))
    assert found.labels.unlabelled == len(rows) - labelled(rows)
    counts = Counter((row["label"], row["reason"], row["evaluated_by"]) for row in rows if row.get("label"))
    assert {(one.label, one.reason, one.evaluated_by): one.count for one in found.reasons} == counts
    assert len(found.reasons) == len(counts)
    assert sum(one.share for one in found.reasons) == pytest.approx(1 if counts else 0)
    names = ["queries", "good", "review", "bad", "quality"]
    labels = all_shown(history.scope, rows, "day", zone)
    assert found.series == points(history, rows, labels, lambda row: shown(row["created_at"], "day", zone), names)


def is_abandoned(said: list[Row]) -> bool:
    """Whether a turn at the last moment of a session wasn't answered."""
    last = max(row["created_at"] for row in said)
    return any(
        set(reasons(row)) - {"slow_response", "no_response"} if row["has_outcome"] else last <= NOW - GRACE_MS
        for row in said
        if row["created_at"] == last
    )


@several
@given(history=told(), settled=st.sampled_from(SETTLED))
async def test_sessions_are_those_of_a_plain_count(history: Told, settled: Settled) -> None:
    with Held() as held:
        found = await visits(held.fill(history.rows).settle(settled), history.scope)
    by_session = defaultdict(list)
    for row in history.rows:
        if row["session_id"] is not None:
            by_session[row["store_id"], row["session_id"]].append(row)
    window = Scope(start=history.scope.start, end=history.scope.end)
    whole = [
        said
        for said in by_session.values()
        if within(min(said, key=lambda row: row["created_at"]), window)
        and any(within(row, history.scope) for row in said)
    ]
    gone = [said for said in whole if is_abandoned(said)]
    lengths = [max(row["created_at"] for row in said) - min(row["created_at"] for row in said) for said in whole]
    sizes = list(map(len, whole))
    assert found.sessions == len(whole)
    assert found.abandoned_sessions == len(gone)
    assert found.successful_sessions == sum(successes(said) > 0 and not is_abandoned(said) for said in whole)
    assert found.abandoned_share == or_0(share(len(gone), len(whole)))
    assert found.single_turn_share == or_0(share(sizes.count(1), len(sizes)))
    assert (found.average_turns, found.max_turns) == (share(sum(sizes), len(sizes)), max(sizes, default=None))
    assert (found.p50_turns, found.p95_turns) == (rank(sizes, 50), rank(sizes, 95))
    assert found.average_length_ms == share(sum(lengths), len(lengths))
    assert (found.p50_length_ms, found.p95_length_ms) == (rank(lengths, 50), rank(lengths, 95))
    assert sum(bar.count for bar in found.turns) == len(whole)
    for bar in found.turns:
        assert bar.count == sum(bar.least <= size and (bar.below is None or size < bar.below) for size in sizes)


@several
@given(history=told(), step=st.sampled_from(["hour", "day"]), zone=zones, split=st.sampled_from([None, "intent"]))
async def test_a_comparison_puts_two_windows_side_by_side(
    history: Told, step: StepName, zone: ZoneInfo, split: Split | None
) -> None:
    scope = history.scope
    if scope.start is None:
        scope = msgspec.structs.replace(scope, start=(scope.end or NOW) - 5 * 3_600_000)
    if scope.end is None:
        scope = msgspec.structs.replace(scope, end=scope.start + 7_200_000)  # type: ignore[operator]
    names = ["queries", "latency_avg"]
    asked = Asked(metrics=[METRICS[name] for name in names], step=step, zone=zone, split=split, top=50)
    with Held() as held:
        held.fill(history.rows, history.bought)
        before = await timeseries(held, comparison.previous(scope, NOW), asked)
        after = await timeseries(held, scope, asked)
        both = await timeseries(held, scope, msgspec.structs.replace(asked, compare=True))
    earlier = {one.split: one.points for one in before.series}
    assert [one.split for one in both.series] == [one.split for one in after.series]
    for one, plain in zip(both.series, after.series, strict=True):
        for n, point in enumerate(one.points):
            base, changed = point.pop("previous"), point.pop("change")
            assert point == plain.points[n]
            if one.split in earlier:
                assert base == (earlier[one.split][n] if n < len(earlier[one.split]) else None)
            if base is not None:
                difference = point["queries"] - base["queries"]
                assert changed["queries"].absolute == difference
                assert changed["queries"].relative == share(difference, base["queries"])
