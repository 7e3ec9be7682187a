"""Which models the settings name, with whose key, at which address."""

from typing import Any

import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.candidate import Candidate, candidates
from aura_analytics.settings import Settings

LOCAL = "http://127.0.0.1:11434/v1"
KEYS = {"gemini_api_key": "g", "openai_api_key": "o", "anthropic_api_key": "a", "eval_api_key": "e"}


def named(**given: Any) -> list[tuple[str, str, str]]:
    """Model, key and address of each."""
    return [(one.model, one.api_key, one.base_url) for one in candidates(Settings(**given))]


def test_without_a_key_there_is_no_judge() -> None:
    """Nor with one of somebody else's."""
    assert candidates(Settings()) == ()
    assert candidates(Settings(openai_api_key="o", anthropic_api_key="a")) == ()
    assert candidates(Settings(eval_base_url="http://127.0.0.1:1")) == ()  # Gemini's API has no servers of one's own


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("google:gemini-2.5-flash-lite", "g"),
        ("openai:gpt-4o-mini", "o"),
        ("openai-chat:gpt-4o-mini", "o"),
        ("openai-responses:gpt-4o-mini", "o"),
        ("anthropic:claude-haiku-4-5", "a"),
        ("mistral:mistral-small-latest", "e"),
        ("openrouter:a/b:free", "e"),
    ],
)
def test_each_provider_has_its_own_key(model: str, key: str) -> None:
    """And the one for all others is for it where its own is missing."""
    assert named(eval_model=model, **KEYS) == [(model, key, "")]
    assert named(eval_model=model, eval_api_key="e") == [(model, "e", "")]


def test_the_older_prefix_names_the_same_model() -> None:
    """`google-gla:` is how this provider was called before."""
    assert named(eval_model="google-gla:gemini-2.5-flash", **KEYS) == [("google:gemini-2.5-flash", "g", "")]


@pytest.mark.parametrize("model", ["openai-chat:llama", "openai:llama", "ollama:llama3.2", "vllm:qwen"])
def test_a_server_of_one_s_own_needs_no_key(model: str) -> None:
    """It is a judge because there is an address."""
    [(found, key, url)] = named(eval_model=model, eval_base_url=LOCAL)
    assert (found, url) == (model, LOCAL)
    assert key
    assert named(eval_model=model) == []


def test_two_models_have_what_stands_on_their_side_of_the_comma() -> None:
    """Keys, addresses and prices."""
    settings = Settings(
        eval_model="openai-chat:llama,google:gemini-2.5-pro",
        eval_base_url=f"{LOCAL},",
        eval_price="0/0,1.25/10",
        gemini_api_key="g",
    )
    first, second = candidates(settings)
    assert first == Candidate(model="openai-chat:llama", api_key=first.api_key, base_url=LOCAL, price="0/0")
    assert second == Candidate(model="google:gemini-2.5-pro", api_key="g", price="1.25/10")


def test_one_address_is_that_of_two_models_of_one_provider() -> None:
    """Both are asked there."""
    two = "openai-chat:a,openai:b"
    assert [url for _, _, url in named(eval_model=two, eval_base_url=LOCAL)] == [LOCAL, LOCAL]


def test_one_address_for_two_providers_isn_t_guessed_at() -> None:
    """A key may not go to somebody else."""
    with pytest.raises(SettingsError, match="EVAL_BASE_URL takes two"):
        named(eval_model="google:a,anthropic:b", eval_base_url=LOCAL, **KEYS)


def test_the_second_model_needs_its_key() -> None:
    """It is named, since nobody would find out before it is asked."""
    with pytest.raises(SettingsError, match="EVAL_MODEL names anthropic:b, which needs ANTHROPIC_API_KEY"):
        named(eval_model="google:a,anthropic:b", gemini_api_key="g")
    with pytest.raises(SettingsError, match="needs EVAL_API_KEY"):
        named(eval_model="google:a,mistral:b", gemini_api_key="g")


@pytest.mark.parametrize("setting", ["eval_base_url", "eval_price"])
def test_more_than_there_are_models_is_a_wrong_setting(setting: str) -> None:
    """Something was meant by it."""
    said = {"eval_base_url": f"{LOCAL},{LOCAL}", "eval_price": "1/2,3/4"}[setting]
    with pytest.raises(SettingsError, match=f"{setting.upper()} holds 2"):
        named(gemini_api_key="g", **{setting: said})


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel"])
@pytest.mark.parametrize(("model", "setting"), [("google:a", "gemini_api_key"), ("mistral:a", "eval_api_key")])
def test_a_key_that_can_t_be_one_is_a_wrong_setting(model: str, setting: str, key: str) -> None:
    """It would be quoted by the HTTP client that can't send it."""
    with pytest.raises(SettingsError, match=setting.upper()) as caught:
        named(eval_model=model, **{setting: key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://127.0.0.1:99999", "http://host:port/v1", "http://:80", "http:///v1"]
)
def test_an_address_that_leads_nowhere_stops_the_start(url: str) -> None:
    """No request could be made, which would be taken for an answer that can't be read, and paid for."""
    with pytest.raises(SettingsError, match="EVAL_BASE_URL takes addresses"):
        candidates(Settings(gemini_api_key="g", eval_base_url=url))


@pytest.mark.parametrize("url", ["http://[::1]:80/v1", "https://host", "http://127.0.0.1:65535/a?b"])
def test_an_address_that_leads_somewhere_is_one(url: str) -> None:
    assert candidates(Settings(gemini_api_key="g", eval_base_url=url))[0].base_url == url
