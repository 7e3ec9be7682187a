"""A judge's name: a model, a rubric, or both, and what of the settings goes with it."""

from pathlib import Path

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings
from aura_analytics.terminal.naming import named

SETTINGS = Settings(
    eval_model="google:small", eval_base_url="http://proxy", eval_price="1/2", eval_rubric="ours.md", gemini_api_key="k"
)
TWO = Settings(eval_model="google:small,own:large", eval_base_url="http://g,http://o", eval_price="1/2,3/4")


def said(settings: Settings) -> tuple[str, str, str, str]:
    return settings.eval_model, settings.eval_rubric, settings.eval_base_url, settings.eval_price


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("google:small", ("google:small", "ours.md", "http://proxy", "1/2")),
        ("google:large", ("google:large", "ours.md", "http://proxy", "")),
        ("openai:gpt", ("openai:gpt", "ours.md", "", "")),
        ("strict.md", ("google:small", "strict.md", "http://proxy", "1/2")),
        ("folder/strict.md", ("google:small", "folder/strict.md", "http://proxy", "1/2")),
        ("@strict.md", ("google:small", "strict.md", "http://proxy", "1/2")),
        ("openai:gpt@strict.md", ("openai:gpt", "strict.md", "", "")),
        ("google:small,openai:gpt", ("google:small,openai:gpt", "ours.md", "http://proxy,", "1/2,")),
    ],
)
def test_what_is_not_named_is_as_the_settings_say(name: str, found: tuple[str, str, str, str]) -> None:
    candidate = named(SETTINGS, name)
    assert said(candidate) == found
    assert candidate.gemini_api_key == "k"


@pytest.mark.parametrize(
    ("name", "url", "price"),
    [
        ("own:large", "http://o", "3/4"),
        ("own:other", "http://o", ""),
        ("own:large,google:small", "http://o,http://g", "3/4,1/2"),
        ("google:small", "http://g", "1/2"),
    ],
)
def test_of_two_models_each_has_its_own_address_and_price(name: str, url: str, price: str) -> None:
    assert said(named(TWO, name))[2:] == (url, price)


def test_one_address_is_that_of_all_models_and_one_price_that_of_the_first() -> None:
    one = Settings(eval_model="google:small,google:large", eval_base_url="http://g", eval_price="1/2")
    assert said(named(one, "google:large"))[2:] == ("http://g", "")
    assert said(named(one, "google:small"))[2:] == ("http://g", "1/2")


def test_a_file_is_a_file_whatever_its_name_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("google:small").write_text("GOOD REVIEW BAD")
    assert said(named(SETTINGS, "google:small"))[:2] == ("google:small", "google:small")
    assert named(SETTINGS, "google:small").eval_price == "1/2"


@pytest.mark.parametrize("name", ["", " ", "google:small@", "no model@strict.md", " google:small"])
def test_what_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="is no judge"):
        named(SETTINGS, name)
