"""The metrics' names, and what they are where there is nothing to measure."""

import pytest

from aura_analytics.errors import ParameterError
from aura_analytics.stats.counting import nothing
from aura_analytics.stats.groups import read_split, read_top
from aura_analytics.stats.latency import even, read_bars
from aura_analytics.stats.metrics import METRICS, read_metrics


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (None, ["queries", "success_rate", "latency_avg"]),
        ([], ["queries", "success_rate", "latency_avg"]),
        (["cost", "queries", "cost"], ["cost", "queries"]),
        (["cost,queries", "sessions"], ["cost", "queries", "sessions"]),
    ],
)
def test_each_counts_once_in_the_order_of_asking(names: list[str] | None, found: list[str]) -> None:
    assert [metric.name for metric in read_metrics(names)] == found


@pytest.mark.parametrize("name", ["", "sum", "latency_p42", "queries, cost", "QUERIES"])
def test_one_that_there_is_not_is_told_those_that_there_are(name: str) -> None:
    with pytest.raises(ParameterError, match=r"^metric is one or more of queries, successes, "):
        read_metrics([name])


def test_nothing_is_a_count_of_0_and_no_rate() -> None:
    found = nothing(list(METRICS.values()))
    assert found.keys() == METRICS.keys()
    assert found["revenue"] == {}
    assert {name for name, value in found.items() if value is None} == {
        name for name in METRICS if METRICS[name].over or name.startswith("latency_")
    }


@pytest.mark.parametrize("text", ["0", "51", "-1", "1.5", "", "five", "٣", "1_0"])
def test_top_is_1_to_50(text: str) -> None:
    with pytest.raises(ParameterError, match=r"^top is a whole number from 1 to 50$"):
        read_top(text)
    assert (read_top(None), read_top("1"), read_top("50")) == (5, 1, 50)


@pytest.mark.parametrize("text", ["0", "1001", "-1", "", "9999999"])
def test_buckets_are_1_to_1000(text: str) -> None:
    with pytest.raises(ParameterError, match=r"^buckets is a whole number from 1 to 1,000$"):
        read_bars(text)
    assert (read_bars(None), read_bars("1000")) == (None, 1000)


def test_a_split_is_by_what_there_is() -> None:
    assert (read_split(None), read_split("store")) == (None, "store")
    with pytest.raises(ParameterError, match=r"^split is one of store, intent, model, source, label, action$"):
        read_split("user")


def test_bars_of_equal_width_begin_with_the_least() -> None:
    assert even(10, 30, 2) == [10, 20]
    assert even(10, 10, 3) == [10]
