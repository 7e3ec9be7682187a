"""The expectation: how many tokens a request to a model is likely to take, learnt from those that were answered."""

import math

import msgspec

# What is taken for granted at first. A letter is at most so much of a token in most languages, and an answer takes 60,
# but a model may think first.
_TOKENS_A_CHARACTER = 1 / 3
_ANSWER = 400.0
_NEWEST = 1 / 16  # the share of the newest answer in what is known


class Expected(msgspec.Struct, frozen=True):
    """Tokens of a prompt and of its answer, thoughts included."""

    prompt: int
    answer: int

    @property
    def tokens(self) -> int:
        """All together."""
        return self.prompt + self.answer


class Expectation:
    """What is known of one model's requests. Not for threads."""

    def __init__(self) -> None:
        self._a_character = _TOKENS_A_CHARACTER
        self._answer = _ANSWER

    def of(self, characters: int) -> Expected:
        """Tell what a prompt of so many characters is likely to take, instructions included."""
        return Expected(math.ceil(self._a_character * characters), math.ceil(self._answer))

    def learn(self, characters: int, prompt: int, answer: int) -> None:
        """Take note of what a request has taken, in tokens."""
        self._a_character += _NEWEST * (prompt / characters - self._a_character)
        self._answer += _NEWEST * (answer - self._answer)
