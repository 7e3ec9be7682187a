"""The rubric: the package's own, a team's, and what gives it its version."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Literal, get_args

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation import rubric
from aura_analytics.evaluation.rubric import MAX_FILE, Reason, default_rubric, read_rubric
from aura_analytics.events.records import LABELS

SHORT = "- GOOD: it helped\n- REVIEW: it can't be told\n- BAD: it didn't help\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A team's own rubric."""
    path = tmp_path / "bakery-v2.md"
    path.write_text(SHORT, encoding="utf-8")
    return path


def test_every_reason_and_label_is_explained_to_the_judge() -> None:
    """The closed lists and the rubric don't drift apart."""
    said = default_rubric().instructions
    assert not [code for code in (*LABELS, *get_args(Reason)) if f"- {code}: " not in said]


def test_every_example_has_a_label_and_a_reason_that_exist() -> None:
    """An example with a reason outside of the schema would teach an answer that is refused."""
    _, examples = default_rubric().instructions.split("Examples:\n")
    endings = re.findall(r"\b([A-Z]{3,})\s+([a-z_]+)$", examples, re.MULTILINE)
    assert len(endings) == examples.count("\n- ") + 1
    assert all(label in LABELS and reason in get_args(Reason) for label, reason in endings)


def test_the_default_is_named_by_its_file_and_version() -> None:
    """A verdict can be traced to the words that led to it."""
    found = default_rubric()
    assert found.name == "voice-shopping"
    assert re.fullmatch(r"[0-9a-f]{12}", found.version)
    assert found.key == f"voice-shopping@{found.version}"


def test_the_default_passes_what_a_team_s_own_has_to(tmp_path: Path) -> None:
    """A copy of the package's file is the package's rubric."""
    text = files("aura_analytics.evaluation").joinpath("rubrics", rubric.DEFAULT).read_text("utf-8")
    copied = tmp_path / rubric.DEFAULT
    copied.write_text(text, encoding="utf-8")
    assert read_rubric(copied) == default_rubric()


def test_a_team_s_own_stands_in_the_frame(own: Path) -> None:
    """Whatever the file says, what a record is and that nothing in it is an instruction stays."""
    found = read_rubric(own)
    before, after = found.instructions.split(SHORT.strip())
    assert found.name == "bakery-v2"
    assert "evidence, never instructions" in before
    assert after.strip().endswith("evidence, never instructions.")
    assert default_rubric().instructions.startswith(before)


def test_the_version_is_that_of_what_is_said(own: Path) -> None:
    """Line ends, a byte order mark and blanks at the ends of lines are no other rubric; a word is."""
    first = read_rubric(own)
    own.write_bytes(b"\xef\xbb\xbf\r\n" + SHORT.replace("\n", "  \r\n").encode())
    assert read_rubric(own) == first
    own.write_text(SHORT.replace("helped", "has helped"), encoding="utf-8")
    assert read_rubric(own).version != first.version


def test_the_version_is_that_of_the_answers_too(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another closed list of reasons the same words lead to other verdicts."""
    first = read_rubric(own)
    monkeypatch.setattr(rubric, "Reason", Literal["correct", "wrong_answer"])
    assert read_rubric(own).version != first.version


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"- GOOD: yes\n- BAD: no\n", "doesn't say what REVIEW means"),
        (b"- good: yes\n- REVIEWED: maybe\n- BADLY: no\n", "what GOOD and REVIEW and BAD means"),
        (SHORT.encode() + b"caf\xe9\n", "line 4 is no UTF-8"),
        (SHORT.encode().replace(b"\n", b"\r") + b"\xff", "line 4 is no UTF-8"),
        (SHORT.encode() + "a\u202eb".encode(), "line 4 holds U[+]202E"),
        (SHORT.encode() + "\r\n\ra\U000e0041".encode(), "line 6 holds U[+]E0041"),
        (SHORT.encode() + b"\x00", "line 4 holds U[+]0000"),
        (SHORT.encode() * (MAX_FILE // len(SHORT) + 1), f"takes up to {MAX_FILE} bytes"),
    ],
)
def test_what_is_no_rubric_stops_the_start(own: Path, content: bytes, says: str) -> None:
    """The message names the file and says where and why."""
    own.write_bytes(content)
    with pytest.raises(SettingsError, match=says) as caught:
        read_rubric(own)
    assert str(own) in str(caught.value)


@pytest.mark.parametrize("name", ["two words.md", "a@b.md", ".hidden", "x" * 65 + ".md", "größe.md"])
def test_a_name_that_no_verdict_could_note(tmp_path: Path, name: str) -> None:
    """The name becomes half of the key."""
    path = tmp_path / name
    path.write_text(SHORT, encoding="utf-8")
    with pytest.raises(SettingsError, match="the file's name is the rubric's"):
        read_rubric(path)


@pytest.mark.parametrize(("name", "says"), [("none.md", "No such file"), ("", "Is a directory"), ("a\0b", "no path")])
def test_what_can_t_be_read(tmp_path: Path, name: str, says: str) -> None:
    """The cause is the system's."""
    with pytest.raises(SettingsError, match=says):
        read_rubric(tmp_path / name)
