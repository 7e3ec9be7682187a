"""Sessions: a row for each, whatever comes late; and how many a window saw."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from aura_analytics.projection import Question, Slice
from aura_analytics.stats.sessions import distinct_sessions
from aura_analytics.store.port import Surroundings
from trying import tried
from unit.projection import recount
from unit.projection.filled import Filled, filled, point
from unit.projection.recount import MOMENTS, Cells, Change, histories, holds, interaction, row

FIGURES = ("first_at", "last_at", "turns", "successes", "failures", "missed_at", "open_at", "tokens", "cost")
UNTIL_NOBODY_WAITS = 0
ENDS = st.none() | st.builds(lambda at, off: at + off, MOMENTS, st.sampled_from([-1, 0, 1]))
WINDOWS = st.tuples(ENDS, ENDS).filter(lambda ends: None in ends or ends[0] <= ends[1])


def held(columns: Filled) -> dict[tuple[str, str], dict[str, Any]]:
    """The sessions that the columns know, each once."""
    figures = ", ".join(FIGURES)
    found = columns.ask(f"SELECT key = hash(session_id), session_id, store_id, stores, {figures} FROM sessions")
    assert all(line[0] for line in found)
    kept = {line[1:3]: dict(zip(("stores", *FIGURES), line[3:], strict=True)) for line in found}
    assert len(kept) == len(found)
    return kept


def recounted(rows: list[Cells]) -> dict[tuple[str, str], dict[str, Any]]:
    """The same from the rows."""
    asked = [cells for cells in rows if cells["session_id"] is not None]
    stores = recount.grouped(asked, lambda cells: cells["session_id"])
    found = {}
    for key, turns in recount.grouped(asked, lambda cells: (cells["session_id"], cells["store_id"])).items():
        moments = [cells["created_at"] for cells in turns]
        missed = [cells["created_at"] for cells in turns if cells["has_outcome"] and _missed(cells)]
        found[key] = {
            "stores": len({cells["store_id"] for cells in stores[key[0]]}),
            "first_at": min(moments),
            "last_at": max(moments),
            "turns": len(turns),
            "successes": sum(cells["action_success"] is True for cells in turns),
            "failures": sum(cells["action_success"] is False or cells["error_flag"] is True for cells in turns),
            "missed_at": max(missed, default=None),
            "open_at": max((cells["created_at"] for cells in turns if not cells["has_outcome"]), default=None),
            "tokens": sum(map(recount.tokens, turns)),
            "cost": pytest.approx(recount.total(turns, "cost_usd"), abs=1e-9),
        }
    return found


def _missed(cells: Cells) -> bool:
    why = recount.reasons(cells, UNTIL_NOBODY_WAITS)
    return any(fits for reason, fits in why.items() if reason not in ("slow_response", "no_response"))


def seen(columns: Filled, about: Slice) -> int:
    return int(columns.ask(Question(sql=f"SELECT ({distinct_sessions(about)})", about=about))[0][0])


def assert_same(columns: Filled, rows: list[Cells], windows: list[tuple[int | None, int | None]]) -> None:
    assert held(columns) == recounted(rows)
    for start, end in windows:
        for filters in ({}, {"stores": ("a",)}, {"stores": ("b",)}, {"stores": ("a", "b")}, {"intents": ("search",)}):
            about = Slice(start=start, end=end, **filters)
            within = {cells["session_id"] for cells in rows if holds(cells, about)} - {None}
            assert seen(columns, about) == len(within), about


@tried(5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(changes=histories(), windows=st.lists(WINDOWS, min_size=1, max_size=3), told=st.booleans())
def test_any_sequence_of_changes_leaves_the_sessions_of_the_rows(
    changes: list[Change], windows: list[tuple[int | None, int | None]], told: bool
) -> None:
    with filled(rows=changes[0].rows, told=told) as columns:
        for n in range(1, len(changes) + 1):
            assert_same(columns, recount.after(changes[:n]), windows if n in (1, len(changes)) else [])
            if n < len(changes):
                columns.apply(changes[n])


@pytest.mark.parametrize(
    ("window", "count"),
    [((10, 20), 0), ((0, 20), 1), ((10, 100), 1), ((None, 20), 1), ((10, None), 1), ((None, None), 1), ((101, 200), 0)],
)
def test_a_session_that_reaches_over_a_window_without_a_turn_in_it_was_not_seen(
    window: tuple[int | None, int | None], count: int
) -> None:
    with filled(rows=[interaction("a", session_id="s"), interaction("b", session_id="s", created_at=100)]) as columns:
        start, end = window
        for stores in ((), ("a",)):
            assert seen(columns, Slice(start=start, end=end, stores=stores)) == count


def test_an_id_that_several_stores_share_counts_once_over_all_and_once_in_each() -> None:
    rows = [
        interaction(f"{store}{at}", store_id=store, session_id="s", created_at=at) for store in "ab" for at in (0, 9)
    ]
    rows.append(interaction("other", store_id="c", session_id="t", created_at=5))
    with filled(rows=rows) as columns:
        assert seen(columns, Slice()) == 2
        assert seen(columns, Slice(stores=("a",))) == seen(columns, Slice(stores=("b",))) == 1
        assert seen(columns, Slice(start=3, end=6)) == 1
        columns.apply(Change([], ["b0", "b9"]))
        assert held(columns)["s", "a"]["stores"] == 1
        assert seen(columns, Slice()) == 2
        columns.apply(Change([interaction("again", store_id="b", session_id="s", created_at=4)]))
        assert held(columns)["s", "a"]["stores"] == held(columns)["s", "b"]["stores"] == 2
        assert seen(columns, Slice(start=3, end=6)) == 2


def test_a_late_turn_far_from_the_others_joins_its_session() -> None:
    with filled(rows=[interaction("a", session_id="s", created_at=10**9)]) as columns:
        columns.apply(Change([interaction("b", session_id="s", created_at=-(10**9))]))
        columns.apply(Change([interaction("c", session_id="s", created_at=0)]))
        session = held(columns)["s", "a"]
        assert (session["first_at"], session["last_at"], session["turns"]) == (-(10**9), 10**9, 3)


def test_a_session_whose_first_turns_were_deleted_by_hand_is_still_one() -> None:
    """The row database knows of a shorter session then than the columns do."""
    rows = [interaction(f"q{at}", session_id="s", created_at=at) for at in (5, 10**9)]
    with filled(rows=rows) as columns:
        around = Surroundings(spans={"s": (10**9, 10**9 + 1)}, conversion_ids=[])
        more = interaction("more", session_id="s", created_at=10**9 + 1)
        columns.file.apply(["more"], [row(more)], point(9), (), around)
        assert len(held(columns)) == 1
        assert seen(columns, Slice()) == 1


def test_sessions_of_several_ages_follow_together() -> None:
    ages = [0, 10, 10**9, 3 * 10**9]
    rows = [interaction(f"q{at}", session_id=f"s{at}", created_at=at) for at in ages]
    with filled(rows=rows, told=True) as columns:
        now = [interaction(f"now{at}", session_id=f"s{at}", created_at=3 * 10**9 + 5) for at in ages]
        columns.apply(Change(now))
        assert held(columns) == recounted([*rows, *now])
        late = [interaction("late", session_id="s10", created_at=-5), interaction("first", session_id="new")]
        columns.apply(Change(late))
        assert held(columns) == recounted([*rows, *now, *late])


def test_a_session_whose_id_is_no_text_is_known_by_what_it_became() -> None:
    rows = [interaction("a", session_id=b"\xff\x01")]
    with filled(rows=rows) as built, filled() as followed:
        followed.apply(Change(rows))
        assert held(followed) == held(built) != {}
