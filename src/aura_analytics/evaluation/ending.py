"""The ending: how a request to a model failed, as what that is noted, and which error it makes."""

import msgspec
from pydantic_ai import exceptions

from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgeRefused, JudgeUnavailable
from aura_analytics.events.records import CallOutcome

PASSING = (
    exceptions.ModelRateLimitError,
    exceptions.ModelUnavailableError,
    exceptions.ModelServerError,
    exceptions.ModelConnectionError,
    exceptions.ModelRequestTimeout,
)
"""What is worth asking again for within seconds."""


class Ending(msgspec.Struct, frozen=True):
    """How a request ended that failed: as what it is noted, and the error it makes in the end.

    `billed`: whether the provider may bill it, though it doesn't say for how many tokens.
    """

    outcome: CallOutcome
    error: type[JudgeError]
    words: str
    billed: bool = False


# Own words only: a provider's may quote the key or what the shopper said. The first that fits holds. A quota used up or
# a status that isn't known passes too, but not within seconds. A prompt that is too long is about one case, not the key.
_HTTP = "the provider answered with HTTP {status}"
_ENDINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Ending], ...] = (
    (
        (exceptions.ModelTimeoutError, exceptions.ModelRequestTimeout),
        Ending("timed_out", JudgeUnavailable, "no answer in time", billed=True),
    ),
    (exceptions.ModelConnectionError, Ending("disconnected", JudgeUnavailable, "the connection failed")),
    (
        (exceptions.ModelRateLimitError, exceptions.ModelQuotaExceededError),
        Ending("rate_limited", JudgeUnavailable, _HTTP),
    ),
    (
        exceptions.ModelContextWindowExceededError,
        Ending("refused", JudgeAnswerInvalid, "the prompt is too long for it"),
    ),
    (exceptions.ModelRequestRejectedError, Ending("refused", JudgeRefused, _HTTP)),
    (
        (exceptions.ModelUnavailableError, exceptions.ModelServerError, exceptions.ModelHTTPError),
        Ending("unavailable", JudgeUnavailable, _HTTP),
    ),
    (exceptions.OutputTokenLimitExceeded, Ending("cut_off", JudgeAnswerInvalid, "the answer was cut off")),
    (
        exceptions.ContentFilterError,
        Ending("blocked", JudgeAnswerInvalid, "the answer was blocked by the provider's filter"),
    ),
)
_UNREADABLE = Ending("invalid", JudgeAnswerInvalid, "the answer can't be read", billed=True)
# Nobody waited for the answer, but the provider has the request and goes on.
CANCELLED = Ending("disconnected", JudgeUnavailable, "cancelled", billed=True)


def ending_of(error: exceptions.AgentRunError) -> Ending:
    """Tell how a request ended that failed."""
    return next((ending for kind, ending in _ENDINGS if isinstance(error, kind)), _UNREADABLE)
