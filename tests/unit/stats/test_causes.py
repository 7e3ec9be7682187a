"""Where interactions broke is what a plain look at each of them finds, however much of it is settled."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aura_analytics.projection.turns import CAUSES
from aura_analytics.stats.causes import MEASURES, Asked, Broken, Part, Share, Step, causes
from aura_analytics.stats.groups import COLUMNS, SPLITS, Split
from aura_analytics.stats.scope import Scope
from contract.making import NOW
from trying import tried
from unit.stats.held import SETTLED, Held, Row, Settled, filters, histories, turns, windows, within

BERLIN = ZoneInfo("Europe/Berlin")


def counted(found: Iterable[Row]) -> dict[str, int]:
    """The measures of some turns."""
    listed = list(found)
    counts = Counter(turn["cause"] for turn in listed)
    counts.pop(None, None)
    return {"queries": len(listed), "broken": counts.total(), **{cause: counts[cause] for cause in CAUSES}}


def measures(one: Broken) -> dict[str, int]:
    return {name: getattr(one, name) for name in MEASURES}


@tried(8)
@given(
    rows=histories(),
    settled=st.sampled_from(SETTLED),
    window=windows,
    among=filters,
    split=st.sampled_from(SPLITS),
    limit=st.sampled_from([1, 100]),
    examples=st.sampled_from([0, 1, 3]),
)
async def test_every_figure_is_that_of_a_plain_look(
    *,
    rows: list[Row],
    settled: Settled,
    window: list[int | None],
    among: dict[str, Any],
    split: Split,
    limit: int,
    examples: int,
) -> None:
    scope = Scope(start=window[0], end=window[1], **among)
    found = [turn for turn in turns(rows) if within(turn, scope)]
    with Held() as held:
        held.fill(rows).settle(settled)
        answer = await causes(held, scope, Asked(split=split, limit=limit, examples=examples))
    total = counted(found)
    event(f"broken: {min(total['broken'], 5)}")
    assert (answer.queries, answer.broken) == (total["queries"], total["broken"])
    assert answer.rate == (total["broken"] / total["queries"] if found else 0)
    assert answer.causes == [
        Share(
            cause=cause,
            count=total[cause],
            share=total[cause] / total["broken"] if total["broken"] else 0,
            rate=total[cause] / total["queries"] if found else 0,
        )
        for cause in CAUSES
    ]
    assert answer.parts == parts(found, split)[:limit]
    assert [(one.cause, one.id) for one in answer.examples] == newest(found, examples)


def parts(found: list[Row], split: Split) -> list[Part]:
    column = COLUMNS[split]
    listed = [
        Part(value=value, **counted(turn for turn in found if turn.get(column) == value))
        for value in {turn.get(column) for turn in found}
    ]
    return sorted(listed, key=lambda part: (-part.broken, part.value is not None, part.value or ""))


def newest(found: list[Row], most: int) -> list[tuple[str, str]]:
    """The newest of each cause, newest first."""
    left = Counter(dict.fromkeys(CAUSES, most))
    shown = []
    for turn in sorted(found, key=lambda turn: (turn["created_at"], turn["id"]), reverse=True):
        if turn["cause"] is not None and left[turn["cause"]]:
            left[turn["cause"]] -= 1
            shown.append((turn["cause"], turn["id"]))
    return shown


@tried(8)
@given(
    rows=histories(),
    settled=st.sampled_from(SETTLED),
    window=windows,
    step=st.sampled_from(["hour", "day", "week"]),
    zone=st.sampled_from([ZoneInfo("UTC"), BERLIN, ZoneInfo("Asia/Kolkata")]),
)
async def test_steps_hold_each_interaction_once(
    rows: list[Row], settled: Settled, window: list[int | None], step: Any, zone: ZoneInfo
) -> None:
    scope = Scope(start=window[0], end=window[1])
    found = [turn for turn in turns(rows) if within(turn, scope)]
    with Held() as held:
        held.fill(rows).settle(settled)
        answer = await causes(held, scope, Asked(step=step, zone=zone, examples=0))
    starts = [datetime.fromisoformat(one.start) for one in answer.steps]
    assert starts == sorted(starts)
    for one, start, end in zip(answer.steps, starts, [*starts, None][1:], strict=True):
        moments = (start.timestamp() * 1000, end.timestamp() * 1000 if end else float("inf"))
        assert measures(one) == counted(turn for turn in found if moments[0] <= turn["created_at"] < moments[1])
    assert sum(one.queries for one in answer.steps) == len(found)
    whole = {"queries": answer.queries, "broken": answer.broken} | {one.cause: one.count for one in answer.causes}
    assert whole == counted(found)
    assert bool(answer.steps) == (bool(found) or window[0] is not None)


async def test_a_table_has_what_was_asked_for_besides() -> None:
    row: Row = {"id": "a", "store_id": "a", "created_at": NOW, "query_text": "milk", "has_outcome": False}
    with Held() as held:
        held.fill([row])
        kinds = [
            (await causes(held, Scope(), asked)).table[1]
            for asked in (Asked(), Asked(split="store"), Asked(step="hour"), Asked(split="store", step="hour"))
        ]
    assert kinds == [Share, Part, Step, Step]


@pytest.mark.parametrize("asked", [Asked(), Asked(split="intent", step="day")])
async def test_nothing_asked_is_nothing_broken(asked: Asked) -> None:
    with Held() as held:
        answer = await causes(held.fill([]), Scope(), asked)
    assert (answer.queries, answer.broken, answer.rate) == (0, 0, 0)
    assert (answer.parts, answer.steps, answer.examples) == ([], [], [])
    assert [one.cause for one in answer.causes] == list(CAUSES)
