"""What is shown of the judge: how good it is, what it cost; and the files that say what is true."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.errors import LoadError
from aura_analytics.terminal.judge import read_reference
from aura_analytics.terminal.judge_tables import agreement_table, cost_table
from unit.terminal.answers import HOSTILE, MOMENT, Row, cells, shown

SPENDING: dict[str, Any] = {
    "calls": 1_200,
    "answered": 1_170,
    "failures": {"rate_limited": 20, "timed_out": 10},
    "failureRate": 0.025,
    "tokensPrompt": 1_234_567,
    "tokensCompletion": 60_000,
    "costUsd": 0.23447,
    "unpricedCalls": 0,
    "costPerLabelUsd": 0.0002004,
    "latencyMs": {"p50": 412.0, "p95": 1_290.0, "p99": 3_000.0, "mean": 500.0},
}
UNPRICED: dict[str, Any] = {
    "costUsd": None,
    "unpricedCalls": 30,
    "costPerLabelUsd": None,
    "failures": {},
    "failureRate": 0.0,
    "calls": 30,
}
COST: dict[str, Any] = {
    "storeId": "all",
    "period": "24h",
    "from": MOMENT,
    "to": None,
    **SPENDING,
    "calls": 1_230,
    "failures": {"rate_limited": 820, "timed_out": 410},
    "unpricedCalls": 30,
    "costPerLabelUsd": None,
    "byModel": [
        {"model": "google:small", "rubric": "voice@1", **SPENDING},
        {"model": "own:large", "rubric": "voice@1", **SPENDING, **UNPRICED},
    ],
    "queue": {"due": 5, "waiting": 2, "failed": 1, "oldestAgeMs": 120_000},
    "today": {"spentUsd": 1.5, "budgetUsd": 4.0, "resetsAt": 1_704_153_600_000},
}

LABELS = ("GOOD", "REVIEW", "BAD")


def share(value: float, of: int) -> Row:
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "of": of}


# Any: the endpoint's JSON.
ANSWER: dict[str, Any] = {
    "storeId": "shop",
    "period": "30d",
    "truth": "human",
    "known": 210,
    "pairs": 200,
    "others": 12_345,
    "confusion": [
        {"automatic": automatic, "truth": truth, "count": 10 * a + t}
        for a, automatic in enumerate(LABELS)
        for t, truth in enumerate(LABELS)
    ],
    "accuracy": share(0.8, 200),
    "kappa": {"value": 0.6123, "low": 0.5, "high": 0.7},
    "calibration": {
        "labels": 200,
        "ece": 0.0712,
        "brier": 0.1423,
        "bins": [{"low": 0.8, "high": 0.9, "count": 200, "confidence": 0.85, "accuracy": 0.8}],
    },
    "methods": [
        {"method": "rules", "rubric": None, "pairs": 150, "accuracy": share(0.7, 150), "kappa": None},
        {
            "method": "google:gemini", "rubric": "voice-shopping@0123456789ab", "pairs": 50, "accuracy": share(0.9, 50),
            "kappa": {"value": 0.8, "low": None, "high": None},
        },
    ],
    "badRate": {
        "automatic": 0.2,
        "plain": share(0.15, 210),
        "corrected": {**share(0.14, 200), "pairs": 200, "others": 12_345, "weight": 0.7, "worth": 448.4},
        "stratified": {**share(0.13, 200), "pairs": 200, "others": 12_345},
        "samplingP": 0.5,
    },
    "behaviour": [{"label": "GOOD", "queries": 9_000, "rephrased": 30, "repeated": 15, "saidAgain": share(0.05, 9_000)}],
}  # fmt: skip
NOTHING = ANSWER | {
    "known": 0,
    "pairs": 0,
    "others": 0,
    "confusion": None,
    "accuracy": None,
    "kappa": None,
    "calibration": None,
    "methods": [],
    "badRate": dict.fromkeys(("automatic", "plain", "corrected", "stratified", "samplingP")),
    "behaviour": [],
}


class TestTables:
    def test_all_that_is_known_is_shown(self) -> None:
        text = shown(agreement_table(ANSWER))
        for part in (
            "shop · 30d", "labelled by people", "12,345", "80.0 %", "75.0 to 85.0 %", "0.612", "0.500 to 0.700", "0.071",
            "0.142", "met those of people", "by both, corrected", "14.0 %", "448", "google:gemini",
            "by both, label by label", "13.0 %", "8.0 to 18.0 %", "voice-shopping@0123456789ab",
            "0.8 to 0.9", "said again", "45",
        ):  # fmt: skip
            assert part in text, part
        assert "random sample" not in text

    def test_a_line_of_the_matrix_is_an_automatic_label(self) -> None:
        assert ["BAD", "20", "21", "22", "34.9", "%"] in cells(agreement_table(ANSWER))

    def test_of_nothing_dashes_are_shown(self) -> None:
        rows = cells(agreement_table(NOTHING))
        assert ["accuracy", "–", "–"] in rows
        assert ["by", "both,", "corrected", "–", "–"] in rows
        assert ["by", "both,", "label", "by", "label", "–", "–"] in rows

    def test_a_reference_is_called_so(self) -> None:
        text = shown(agreement_table(ANSWER | {"truth": "reference"}))
        assert "labelled by the reference" in text
        assert "people" not in text

    def test_a_sample_that_is_not_random_is_told_of(self) -> None:
        skewed = ANSWER | {"badRate": ANSWER["badRate"] | {"samplingP": 0.0001}}
        assert "they aren't a random sample" in shown(agreement_table(skewed), width=300)

    @pytest.mark.parametrize("width", [80, 100])
    def test_it_fits_a_terminal(self, width: int) -> None:
        text = shown(agreement_table(ANSWER), width=width)
        assert all(len(line) <= width for line in text.splitlines())
        assert all(label in text for label in LABELS)

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_text_is_shown_as_it_is_and_does_nothing(self, text: str) -> None:
        methods = [ANSWER["methods"][0] | {"method": text}, ANSWER["methods"][1] | {"rubric": text}]
        table = shown(agreement_table(ANSWER | {"methods": methods, "storeId": text}))
        assert all(character.isprintable() for character in table.replace("\n", ""))


class TestCost:
    def test_each_model_is_shown_and_all_of_them(self) -> None:
        rows = cells(cost_table(COST))
        for row in (
            "google:small 1,200 2.5 % $0.2345 $0.2004",
            "own:large 30 0.0 % – –",
            "all 1,230 2.5 % $0.2345 –",
            "own:large 1,234,567 60,000 412 ms 1,290 ms",
        ):
            assert row.split() in rows, row
        assert rows.count(["voice@1"]) == 4
        assert "price of 30 requests isn't known" in shown(cost_table(COST))

    def test_failures_the_day_and_what_waits_are_shown(self) -> None:
        text = shown(cost_table(COST))
        for part in ("rate limited", "66.7", "$1.5000", "$4.0000", "$2.5000", "until 2024-01-02 00:00", "2 min"):
            assert part in text, part

    def test_without_a_budget_there_is_no_limit(self) -> None:
        text = shown(cost_table(COST | {"today": COST["today"] | {"budgetUsd": None}}))
        assert "no limit" in text
        assert "until" not in text

    def test_of_one_store_there_is_neither_a_day_nor_a_queue(self) -> None:
        text = shown(cost_table(COST | {"today": None, "queue": None}))
        assert "Today" not in text
        assert "What waits" not in text

    def test_one_model_alone_is_all(self) -> None:
        alone = COST | {"byModel": COST["byModel"][:1], "unpricedCalls": 0}
        assert not any(row[0] == "all" for row in cells(cost_table(alone)))

    def test_of_nothing_dashes_are_shown(self) -> None:
        none = dict.fromkeys(("failureRate", "costPerLabelUsd", "latencyMs"))
        counts = dict.fromkeys(("calls", "answered", "tokensPrompt", "tokensCompletion", "costUsd", "unpricedCalls"), 0)
        rows = cells(cost_table(COST | none | counts | {"byModel": [], "failures": {}}))
        assert ["all", "0", "–", "$0.0000", "–"] in rows

    @pytest.mark.parametrize("width", [80, 100])
    def test_it_fits_a_terminal(self, width: int) -> None:
        text = shown(cost_table(COST), width=width)
        assert all(len(line) <= width for line in text.splitlines())
        assert all(part in text for part in ("google:small", "per 1,000 labels", "1,290 ms"))

    @pytest.mark.parametrize("text", HOSTILE)
    def test_a_text_is_shown_as_it_is_and_does_nothing(self, text: str) -> None:
        models = [COST["byModel"][0] | {"model": text, "rubric": text}]
        table = shown(cost_table(COST | {"byModel": models, "storeId": text}))
        assert all(character.isprintable() for character in table.replace("\n", ""))


class TestReference:
    def test_a_label_is_taken_and_else_whether_the_intent_was_meant(self, tmp_path: Path) -> None:
        file = tmp_path / "reference.ndjson"
        file.write_text(
            '{"query_id": "a", "label": "REVIEW", "intent_correct": true}\n'
            '{"query_id": "b", "intent_correct": true, "reference_text": "red apples"}\n'
            '{"query_id": "c", "intent_correct": false}\n'
            '{"query_id": "a", "label": "GOOD"}\n'
        )
        assert read_reference(str(file)) == {"a": "GOOD", "b": "GOOD", "c": "BAD"}

    def test_packed_too(self, tmp_path: Path) -> None:
        file = tmp_path / "reference.ndjson.gz"
        file.write_bytes(gzip.compress(b'{"query_id": "a", "label": "BAD"}\n'))
        assert read_reference(str(file)) == {"a": "BAD"}

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('{"query_id": "a"}', "neither label nor intent_correct"),
            ('{"label": "BAD"}', "query_id"),
            ('{"query_id": "a", "label": "FINE"}', "FINE"),
            ('{"query_id": 1, "label": "BAD"}', "query_id"),
            ('{"query_id": ', ""),
        ],
    )
    def test_what_says_something_else_is_named_with_its_place(self, tmp_path: Path, line: str, words: str) -> None:
        file = tmp_path / "reference.ndjson"
        file.write_text('{"query_id": "z", "label": "BAD"}\n' + line + "\n")
        with pytest.raises(LoadError, match=f"reference.ndjson:2: .*{words}"):
            read_reference(str(file))

    def test_a_file_that_is_not_there_is_told_of(self, tmp_path: Path) -> None:
        with pytest.raises(LoadError, match="can't be read"):
            read_reference(str(tmp_path / "nothing"))
