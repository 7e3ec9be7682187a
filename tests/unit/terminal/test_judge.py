"""The judge's report: its tables, and the files that say what is true."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from aura_analytics.errors import LoadError
from aura_analytics.terminal.judge import read_reference
from aura_analytics.terminal.judge_tables import agreement_table
from unit.terminal.answers import HOSTILE, Row, cells, shown

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
        {"method": "rules", "pairs": 150, "accuracy": share(0.7, 150), "kappa": None},
        {"method": "google:gemini", "pairs": 50, "accuracy": share(0.9, 50), "kappa": {"value": 0.8, "low": None, "high": None}},
    ],
    "badRate": {
        "automatic": 0.2,
        "plain": share(0.15, 210),
        "corrected": {**share(0.14, 200), "pairs": 200, "others": 12_345, "weight": 0.7, "worth": 448.4},
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
    "badRate": dict.fromkeys(("automatic", "plain", "corrected", "samplingP")),
    "behaviour": [],
}


class TestTables:
    def test_all_that_is_known_is_shown(self) -> None:
        text = shown(agreement_table(ANSWER))
        for part in (
            "shop · 30d", "labelled by people", "12,345", "80.0 %", "75.0 to 85.0 %", "0.612", "0.500 to 0.700", "0.071",
            "0.142", "met those of people", "by both, corrected", "14.0 %", "448", "google:gemini",
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
        methods = [ANSWER["methods"][0] | {"method": text}, ANSWER["methods"][1]]
        table = shown(agreement_table(ANSWER | {"methods": methods, "storeId": text}))
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
