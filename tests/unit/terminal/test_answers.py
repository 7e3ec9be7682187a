"""Composed answers: series, what is to be mended, one interaction; and nothing that people said does anything."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import RenderableType

from aura_analytics.terminal.figures import conversions_table, latency_table, quality_table, sessions_table
from aura_analytics.terminal.insights import (
    causes_table,
    demand_table,
    key_terms_table,
    rephrasings_table,
    synonyms_table,
)
from aura_analytics.terminal.interaction import interaction_table
from aura_analytics.terminal.series import timeseries_table
from aura_analytics.terminal.tables import dataset_table, intents_table, interactions_table
from unit.terminal.answers import (
    CAUSES,
    CONVERSIONS,
    DATASET,
    DEMAND,
    DETAILS,
    GROUP,
    HOSTILE,
    INTERACTION,
    LATENCY,
    POINTS,
    QUALITY,
    REPHRASINGS,
    SESSIONS,
    SYNONYM,
    TERM,
    TIMESERIES,
    VERDICT,
    Row,
    cells,
    shown,
)

# Any, throughout: the endpoints' JSON.
Show = Callable[[Any], RenderableType]

SPLIT: Row = TIMESERIES | {
    "series": [{"split": "shop", "other": False, "points": POINTS}, {"split": None, "other": True, "points": POINTS}]
}
WHOLE: list[tuple[Show, Any]] = [
    (timeseries_table, SPLIT),
    (causes_table, CAUSES),
    (rephrasings_table, REPHRASINGS),
    (demand_table, DEMAND),
    (key_terms_table, [TERM]),
    (synonyms_table, [SYNONYM]),
    (interaction_table, DETAILS),
    (interactions_table, {"interactions": [INTERACTION], "nextCursor": None}),
    (dataset_table, [DATASET]),
    (intents_table, [GROUP]),
    (conversions_table, CONVERSIONS),
    (quality_table, QUALITY),
    (latency_table, LATENCY),
    (sessions_table, SESSIONS),
]
MARK = "what nobody says"
# What is shown as JSON, where some characters look otherwise.
JSON = {"extra", "toolCalls"}
# What we say ourselves; all other texts are somebody else's.
OURS = {"period", "step", "tz", "metrics", "at", "start", "cause", "split"}


class TestSeries:
    def test_each_metric_is_a_line_and_its_last_points_are_numbers(self) -> None:
        text = shown(timeseries_table(TIMESERIES))

        assert "Each day (UTC) · 2024-01-01 to 2024-01-02" in text
        assert "▃█" in text
        assert cells(timeseries_table(TIMESERIES))[-1] == ["2024-01-02", "8", "–", "–", "–"]

    def test_revenue_is_a_line_for_each_currency(self) -> None:
        assert all(name in shown(timeseries_table(TIMESERIES)) for name in ("revenue EUR", "revenue USD"))

    def test_of_many_series_the_last_points_are_left_out(self) -> None:
        text = shown(timeseries_table(SPLIT))

        assert all(part in text for part in ("shop", "all others"))
        assert "The last of them" not in text

    def test_beside_the_window_before(self) -> None:
        before = POINTS[0] | {"queries": 1, "success_rate": 0.25}
        points = [POINTS[0] | {"previous": before, "change": {}}, POINTS[1] | {"previous": None, "change": None}]
        compared = TIMESERIES | {"series": [{"split": None, "other": False, "points": points}]}
        compared["series"][0]["points"] = [
            {name: point[name] for name in point if name != "revenue"} for point in points
        ]

        text = shown(timeseries_table(compared))

        assert "before" in text
        assert ["2024-01-01", "2", "+100.0", "%", "50.0", "%", "+25.0", "points"] in cells(timeseries_table(compared))
        assert ["2024-01-02", "8", "–", "–", "–"] in cells(timeseries_table(compared))

    @pytest.mark.parametrize("series", [[], [{"split": None, "other": False, "points": []}]])
    def test_of_nothing_there_is_nothing(self, series: list[Row]) -> None:
        assert "The last of them" not in shown(timeseries_table(TIMESERIES | {"series": series}))


class TestInsights:
    def test_causes_with_all_that_may_be_asked_for(self) -> None:
        text = shown(causes_table(CAUSES))

        assert "Where it broke: 30 of 100 (30.0 %)" in text
        assert all(part in text for part in ("heard wrong", "66.7 %", "By store", "Over time", "rad apples"))

    def test_causes_alone(self) -> None:
        text = shown(causes_table(CAUSES | {"parts": [], "steps": [], "examples": []}))

        assert not any(part in text for part in ("By store", "Over time", "The newest"))

    def test_rephrasings(self) -> None:
        text = shown(rephrasings_table(REPHRASINGS))

        assert all(part in text for part in ("2.0 %", "1.0 %", "5.0 %", "apples that are red", "12 s"))
        assert "What they said" not in shown(rephrasings_table(REPHRASINGS | {"intents": [], "examples": []}))

    def test_demand(self) -> None:
        text = shown(demand_table(DEMAND))

        assert all(part in text for part in ("40 queries", "gift wrapping", "+50 %", "71.50 EUR", "wrap it as a gift"))

    def test_demand_that_is_new_and_of_unknown_worth(self) -> None:
        new = DEMAND["topics"][0] | {"trend": None, "moneyAtStake": None, "stores": []}

        assert all(part in shown(demand_table(DEMAND | {"topics": [new]})) for part in ("new", "–"))

    def test_words(self) -> None:
        assert cells(key_terms_table([TERM]))[-1] == ["gift", "12", "32.0", "×"]
        assert cells(synonyms_table([SYNONYM]))[-1] == ["sneakers", "trainers", "3", "9"]


class TestOneInteraction:
    def test_it_is_shown_whole(self) -> None:
        text = shown(interaction_table(DETAILS))

        for part in (
            "red apples", "voice, confidence 0.90, 1,200 ms", "Aisle 3.", "FIND, failed", "no such aisle", "did wrong",
            '{"device": "kiosk"}', 'search, {"name": "open"}', "apples that are red", "REVIEW", "89.90 EUR", "▸",
            "What its labels took", "voice-shopping@0123456789ab", "1,234", "$0.000146", "734 ms",
        ):  # fmt: skip
            assert part in text

    def test_where_only_rules_labelled_nothing_was_taken(self) -> None:
        assert "took" not in shown(interaction_table(DETAILS | {"history": [VERDICT]}))

    def test_without_an_outcome_and_a_label(self) -> None:
        empty: Row = {
            "outcome": None,
            "verdict": None,
            "history": [],
            "conversions": [],
            "saidAgain": None,
            "cause": None,
        }

        text = shown(interaction_table(DETAILS | empty))

        assert "no outcome" in text
        assert not any(part in text for part in ("Its labels", "What was bought", "broke"))


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all texts that somebody else wrote."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for name, part in value.items():
            if name not in OURS:
                yield from texts(part, (*path, name))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from texts(part, (*path, place))


def put(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """The value with another text."""
    changed = copy.deepcopy(value)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    return changed


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("show", "answer"), WHOLE, ids=[show.__name__ for show, _ in WHOLE])
def test_a_text_is_shown_as_it_is_and_does_nothing(show: Show, answer: Any, text: str) -> None:
    visible = "".join(character if character.isprintable() else "\ufffd" for character in text)
    for path in texts(answer):
        table = shown(show(put(answer, path, text)))
        assert all(character.isprintable() for character in table.replace("\n", "")), path
        if not JSON & set(path) and MARK in shown(show(put(answer, path, MARK))):
            assert visible in table, path


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(("show", "answer"), WHOLE, ids=[show.__name__ for show, _ in WHOLE])
def test_each_fits_a_terminal(show: Show, answer: Any, width: int) -> None:
    assert all(len(line) <= width for line in shown(show(answer), width=width).splitlines())
