"""What a request is expected to take."""

from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.evaluation.expectation import Expectation


def test_at_first_a_thinking_model_isn_t_underestimated_by_much() -> None:
    """Instructions and a record of 6,000 characters are 1,500 tokens in English, and an answer takes 60."""
    expected = Expectation().of(6_000)
    assert 1_500 <= expected.prompt <= 3_000
    assert 60 <= expected.answer <= 1_000
    assert expected.tokens == expected.prompt + expected.answer


@given(characters=st.integers(1_000, 100_000), prompt=st.integers(1, 100_000), answer=st.integers(0, 8_192))
def test_what_was_always_so_is_expected(characters: int, prompt: int, answer: int) -> None:
    """After some answers it is known to a tenth, whatever the language and however much the model thinks."""
    expectation = Expectation()
    for _ in range(200):
        expectation.learn(characters, prompt, answer)
    expected = expectation.of(characters)
    assert prompt - 1 <= expected.prompt <= prompt * 1.1 + 2
    assert answer - 1 <= expected.answer <= answer * 1.1 + 2


@given(characters=st.integers(1, 100_000), more=st.integers(1, 1_000))
def test_a_longer_prompt_is_never_expected_to_take_less(characters: int, more: int) -> None:
    """Nor is an empty one free."""
    expectation = Expectation()
    assert expectation.of(characters).prompt >= 1
    assert expectation.of(characters + more).prompt >= expectation.of(characters).prompt
