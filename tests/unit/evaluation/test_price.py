"""What tokens cost."""

import subprocess
import sys

import pytest
from genai_prices import Usage
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.price import Price, known_price, read_price

KNOWN = (
    "google:gemini-2.5-flash-lite",
    "openai:gpt-4o-mini",
    "openai-chat:gpt-4o-mini",
    "openai-responses:gpt-5-mini",
    "anthropic:claude-haiku-4-5",
)


def known(model: str) -> Price:
    """The price of a model that has one."""
    price = known_price(model)
    assert price is not None
    return price


@pytest.mark.parametrize("model", KNOWN)
def test_the_usual_models_have_a_price(model: str) -> None:
    """Answers cost more than prompts, cached tokens less than others, nothing costs nothing."""
    price = known(model)
    prompt, answer = price.of(Usage(input_tokens=1_000)), price.of(Usage(output_tokens=1_000))
    assert 0 < prompt < answer
    assert price.of(Usage(input_tokens=1_000, cache_read_tokens=900)) < prompt
    assert price.of(Usage()) == 0
    assert price.expected(1_000, 1_000) == pytest.approx(prompt + answer)


@pytest.mark.parametrize("model", ["google:gemini-no-such", "ollama:llama3.2", "nobody:nothing", "openai-chat:my-own"])
def test_what_isn_t_known_has_no_price(model: str) -> None:
    """It isn't taken for free."""
    assert known_price(model) is None


def test_a_written_price_is_for_a_million() -> None:
    """Of prompt, and of answer; cached ones cost what others do."""
    price = read_price("0.10/0.40")
    assert price.of(Usage(input_tokens=1_000_000, cache_read_tokens=400_000)) == pytest.approx(0.10)
    assert price.of(Usage(output_tokens=1_000_000)) == pytest.approx(0.40)


@given(
    prompt=st.integers(0, 10**7),
    answer=st.integers(0, 10**6),
    cents=st.tuples(st.integers(0, 9_999), st.integers(0, 9_999)),
)
def test_a_written_price_grows_with_the_tokens(prompt: int, answer: int, cents: tuple[int, int]) -> None:
    """Evenly, and what is expected of so many is what they cost."""
    price = read_price(f"{cents[0] / 100}/{cents[1] / 100}")
    cost = price.of(Usage(input_tokens=prompt, output_tokens=answer))
    assert cost == pytest.approx((prompt * cents[0] + answer * cents[1]) / 1e8)
    assert price.expected(prompt, answer) == pytest.approx(cost)


@pytest.mark.parametrize("text", ["", "0.1", "0.1/", "a/b", "-1/2", "1/2/3", "1e3/2", "0,10/0,40"])
def test_a_price_that_is_none_is_a_wrong_setting(text: str) -> None:
    """The message says what would do."""
    with pytest.raises(SettingsError, match="EVAL_PRICE takes"):
        read_price(text)


def test_no_price_is_asked_of_the_network() -> None:
    """The list is that of the installed version."""
    script = """
import sys
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, args[1:], file=sys.stderr); sys.exit(9)
sys.addaudithook(hook)
from aura_analytics.evaluation.price import known_price
known_price("google:gemini-2.5-flash-lite").expected(1, 1), known_price("nobody:nothing")
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stderr
