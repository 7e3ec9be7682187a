"""Conversions: owed to the same interaction in whatever order everything arrives."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from aura_analytics.projection.attribution import COLUMNS
from aura_analytics.projection.coverage import HOUR_MS
from trying import tried
from unit.projection.filled import Filled, filled
from unit.projection.recount import Cells, Change, after, before, interaction, interactions

WINDOW_MS = 2 * HOUR_MS
Conversion = dict[str, Any]
OWED = ("query_id", "query_at", "store_id", "session_id", "intent", "query_text", "value", "currency", "occurred_at")


def conversion(id: str, **fields: Any) -> Conversion:
    return dict.fromkeys(COLUMNS) | {"id": id, "occurred_at": 0} | fields


def line(bought: Conversion) -> tuple[Any, ...]:
    return tuple(bought[name] for name in COLUMNS)


def helpful(cells: Cells) -> bool:
    return cells["action_success"] is True and not cells["error_flag"] and cells["label"] != "BAD"


def owed(bought: Conversion, rows: list[Cells]) -> Cells | None:
    """What a conversion is owed to: what it names in its store, else the last helpful one of its session in the time before."""
    named = [
        cells for cells in rows if cells["id"] == bought["query_id"] and bought["store_id"] in (None, cells["store_id"])
    ]
    if named:
        return named[0]
    within = [
        cells
        for cells in rows
        if bought["session_id"] is not None
        and cells["session_id"] == bought["session_id"]
        and bought["store_id"] in (None, cells["store_id"])
        and bought["occurred_at"] - WINDOW_MS <= cells["created_at"] <= bought["occurred_at"]
        and helpful(cells)
    ]
    return max(within, key=lambda cells: (cells["created_at"], cells["id"]), default=None)


def recounted(conversions: list[Conversion], rows: list[Cells]) -> dict[str, tuple[Any, ...]]:
    found = {}
    for bought in conversions:
        if (cells := owed(bought, rows)) is not None:
            of_query = (cells[name] for name in ("id", "created_at", "store_id", "session_id", "intent", "query_text"))
            found[bought["id"]] = (*of_query, bought["value"], bought["currency"], bought["occurred_at"])
    return found


def attributed(columns: Filled) -> dict[str, tuple[Any, ...]]:
    found = columns.ask(f"SELECT conversion_id, {', '.join(OWED)} FROM attributions")
    kept = {row[0]: row[1:] for row in found}
    assert len(kept) == len(found)
    assert sorted(columns.ask("SELECT query_id, query_at, store_id FROM converted")) == sorted(
        {row[:3] for row in kept.values()}
    )
    return kept


@st.composite
def bought(draw: st.DrawFn, rows: list[Cells]) -> list[Conversion]:
    """Conversions of these interactions, of others, and of nothing; at the edges of the window and within."""
    moments = [
        cells["created_at"] + off for cells in rows for off in (-1, 0, 1, WINDOW_MS, WINDOW_MS + 1, WINDOW_MS - 9)
    ]
    fields = st.fixed_dictionaries(
        {
            "query_id": st.sampled_from([None, None, "nobody", *(cells["id"] for cells in rows)]),
            "session_id": st.sampled_from([None, "s", "s", "t"]),
            "store_id": st.sampled_from([None, None, "a", "b"]),
            "occurred_at": st.sampled_from(moments),
            "value": st.sampled_from([None, 9.5]),
            "currency": st.sampled_from([None, "EUR"]),
        }
    )
    found = draw(st.lists(fields, min_size=1, max_size=5))
    return [conversion(f"c{n}", **one) for n, one in enumerate(found)]


@tried(5, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_order_of_arrival_gives_what_a_recount_gives(data: st.DataObject) -> None:
    rows = data.draw(interactions(8))
    conversions = data.draw(bought(rows))
    events = data.draw(
        st.permutations(
            [*conversions, *((before(cells), cells) for cells in rows), *((cells, cells) for cells in rows)]
        )
    )
    arrived: list[Change] = []
    known: list[Conversion] = []
    with filled(attribution_ms=WINDOW_MS, told=data.draw(st.booleans())) as columns:
        while events:
            together, events = events[:3], events[3:]
            held = {cells["id"] for cells in after(arrived)}
            # The first time that anything of an interaction comes, only its query may be there; the second time, all is.
            news = {cells["id"]: cells if cells["id"] in held else early for early, cells in pairs(together)}
            come = [event for event in together if isinstance(event, dict)]
            arrived.append(Change(list(news.values())))
            known += come
            columns.apply(arrived[-1], [line(one) for one in come])
            assert attributed(columns) == recounted(known, after(arrived))
        in_the_end = attributed(columns)
        columns.apply(arrived[-1], [line(one) for one in known])  # a step of the feed may come twice
        assert attributed(columns) == in_the_end
        now = after(arrived)
    with filled(rows=now, conversions=[line(one) for one in known], attribution_ms=WINDOW_MS) as rebuilt:
        assert attributed(rebuilt) == in_the_end


def pairs(events: list[Any]) -> list[tuple[Cells, Cells]]:
    return [event for event in events if isinstance(event, tuple)]


GOOD = {"session_id": "s", "has_outcome": True, "action_success": True}


@pytest.mark.parametrize(
    ("moment", "owed_to"), [(-1, None), (0, "q"), (WINDOW_MS, "q"), (WINDOW_MS + 1, None), (5, "q")]
)
def test_both_ends_of_the_window_belong_to_it(moment: int, owed_to: str | None) -> None:
    with filled(rows=[interaction("q", **GOOD)], attribution_ms=WINDOW_MS) as columns:
        columns.apply(Change([]), [line(conversion("c", session_id="s", occurred_at=moment))])
        assert [owed[0] for owed in attributed(columns).values()] == ([owed_to] if owed_to else [])


def test_the_one_that_is_named_is_owed_to_however_long_ago_and_bad_it_was() -> None:
    rows = [interaction("named", label="BAD"), interaction("q", created_at=10**12, **GOOD)]
    with filled(rows=rows, attribution_ms=WINDOW_MS) as columns:
        bought = conversion("c", query_id="named", session_id="s", store_id=rows[0]["store_id"], occurred_at=10**12)
        elsewhere = conversion("d", query_id="named", session_id="s", store_id="z", occurred_at=10**12)
        columns.apply(Change([]), [line(bought), line(elsewhere)])
        assert attributed(columns)["c"][0] == "named"
        assert "d" not in attributed(columns)


def test_one_that_names_an_unknown_query_is_owed_to_its_session_until_that_comes() -> None:
    with filled(rows=[interaction("q", **GOOD)], attribution_ms=WINDOW_MS) as columns:
        columns.apply(Change([]), [line(conversion("c", query_id="late", session_id="s"))])
        assert attributed(columns)["c"][0] == "q"
        columns.apply(Change([interaction("late", created_at=10**10)]))
        assert attributed(columns)["c"][0] == "late"
        columns.apply(Change([], ["late"]))
        assert attributed(columns)["c"][0] == "q"


@pytest.mark.parametrize("told", [True, False])
def test_a_query_that_is_named_but_unknown_does_not_narrow_the_look_at_other_sessions(told: bool) -> None:
    """As when its outcome comes first: the conversion that names it is looked at again, and stays whose it was."""
    with filled(rows=[interaction("q", created_at=500, **GOOD)], attribution_ms=WINDOW_MS, told=told) as columns:
        columns.apply(Change([]), [line(conversion("c", query_id="late", session_id="s", occurred_at=2_000))])
        assert attributed(columns)["c"][0] == "q"
        other = interaction("other", session_id="t", created_at=1_000)
        columns.apply(Change([other], ["late"]))
        assert attributed(columns)["c"][0] == "q"


def test_a_label_or_an_error_that_comes_late_moves_what_is_owed() -> None:
    older, newer = interaction("a", **GOOD), interaction("b", created_at=5, **GOOD)
    with filled(rows=[older, newer], attribution_ms=WINDOW_MS) as columns:
        columns.apply(Change([]), [line(conversion("c", session_id="s", occurred_at=9))])
        assert attributed(columns)["c"][0] == "b"
        columns.apply(Change([newer | {"label": "BAD"}]))
        assert attributed(columns)["c"][0] == "a"
        columns.apply(Change([older | {"error_flag": True}]))
        assert attributed(columns) == {}
        columns.apply(Change([newer | {"label": "GOOD"}]))
        assert attributed(columns)["c"][0] == "b"


@pytest.mark.parametrize("how", ["filled", "followed"])
def test_a_conversion_with_cells_of_other_types_stops_neither_the_feed_nor_a_rebuild(how: str) -> None:
    right = line(conversion("c", query_id="q", value=2.5))
    wrong = [
        line(conversion("text", query_id="q", value="abc", occurred_at="yesterday")),
        line(conversion("blob", query_id="q", currency=b"\xff", order_id=7)),
        line(conversion("real", query_id="q", occurred_at=0.5)),
        line(conversion(None, query_id="q")),  # type: ignore[arg-type]
    ]
    rows = [interaction("q")]
    if how == "filled":
        with filled(rows=rows, conversions=[*wrong, right]) as columns:
            assert attributed(columns)["c"][6] == 2.5
    else:
        with filled(rows=rows) as columns:
            columns.apply(Change([]), wrong)
            columns.apply(Change(rows), [right])
            assert attributed(columns)["c"][6] == 2.5
            assert columns.ask("SELECT value FROM conversions WHERE id = 'text'") == [(None,)]
