"""The judge: a language model that labels what the rules leave open.

The only place that knows the model's SDK. One string names provider and model (`google:gemini-2.5-flash-lite`); the
answer is held against a schema, passing failures are asked again for a while, and what then remains is a `JudgeError`.

The retries are ours, around the whole call, because here the wait that the provider asks for is known: google-genai's
own ignore Retry-After and give up on a dropped connection, and a retrying transport sees the header but not the
`RetryInfo` in the body, where Gemini says it.
"""

from collections.abc import Callable
from typing import Any

from httpx2 import AsyncClient
from pydantic import BaseModel, ConfigDict, Field
from pydantic_ai import Agent, NativeOutput, exceptions
from pydantic_ai.models import Model, create_async_httpx2_client, infer_model
from pydantic_ai.providers import Provider, infer_provider_class
from pydantic_ai.settings import ModelSettings
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgeRefused, JudgeUnavailable, SettingsError
from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.evaluation.rubric import INSTRUCTIONS, MAX_EXPLANATION, Reason, describe
from aura_analytics.events.records import Interaction, Label

MAX_PAUSE_S = 30.0
"""The longest pause between two attempts; a provider that asks for more gets its peace, and the caller is told."""

_FIRST_PAUSE_S = 0.5
_JITTER_S = 0.25
_MAX_TOKENS = 8_192  # an answer takes 60, a model that thinks first some thousands; more is a model that runs away
_REASKS = 1  # an answer outside of the schema is shown to the model with what was wrong about it

_PASSING = (
    exceptions.ModelRateLimitError,
    exceptions.ModelUnavailableError,
    exceptions.ModelServerError,
    exceptions.ModelConnectionError,
    exceptions.ModelRequestTimeout,
)
# A quota used up or a status that isn't known passes too, but not within seconds.
_UNAVAILABLE = (*_PASSING, exceptions.ModelQuotaExceededError, exceptions.ModelHTTPError)

# Own words only: a provider's may quote the key or what the shopper said.
_WHAT_HAPPENED: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    ((exceptions.ModelTimeoutError, exceptions.ModelRequestTimeout), "no answer in time"),
    (exceptions.ModelConnectionError, "the connection failed"),
    (exceptions.OutputTokenLimitExceeded, "the answer was cut off"),
    (exceptions.ContentFilterError, "the answer was blocked by the provider's filter"),
    (exceptions.UnexpectedModelBehavior, "the answer is outside of the schema"),
)


class _Answer(BaseModel):
    """The verdict on the interaction."""

    model_config = ConfigDict(frozen=True)

    label: Label
    reason: Reason
    confidence: float = Field(ge=0, le=1, allow_inf_nan=False)
    # Not limited by the schema: that a sentence runs on is no reason to lose the verdict.
    explanation: str | None = Field(default=None, description="One sentence of at most 200 characters")


class ModelJudge:
    """A judge that asks a language model. Serves any number of tasks of one event loop; make it with `model_judge`."""

    def __init__(self, name: str, agent: Agent[object, _Answer], client: AsyncClient, attempts: int) -> None:
        self.name = name
        self._agent = agent
        self._client = client
        # `wraps` works on a copy for each call, so that calls at the same time don't share their count of attempts.
        self._ask_patiently = _patience(attempts).wraps(self._ask)

    async def judge(self, interaction: Interaction) -> Judgement:
        """Ask the model, again after passing failures, and map its answer.

        Raises:
            JudgeUnavailable: the attempts are used up, or the provider asks for a pause longer than `MAX_PAUSE_S`.
            JudgeRefused: the key, the model or the request isn't accepted.
            JudgeAnswerInvalid: what came back is outside of the schema, cut off, or blocked.
        """
        try:
            answer = await self._ask_patiently(describe(interaction))
        except (exceptions.ModelAPIError, exceptions.UnexpectedModelBehavior) as error:
            raise _judge_error(self.name, error) from error
        explanation = (answer.explanation or "").strip()[:MAX_EXPLANATION]
        return Judgement(answer.label, answer.reason, answer.confidence, explanation or None)

    async def aclose(self) -> None:
        """Close the HTTP client and its connections."""
        await self._client.aclose()

    async def _ask(self, prompt: str) -> _Answer:
        return (await self._agent.run(prompt)).output


def model_judge(model: str, *, api_key: str, base_url: str | None, timeout_s: float, attempts: int) -> ModelJudge:
    """Make a judge of a model, without a word to the network.

    Args:
        model: provider and model, such as `google:gemini-2.5-flash-lite`.
        api_key: the provider's key.
        base_url: where the API answers; None is the provider's own address.
        timeout_s: seconds that one request may take from its start to the last byte.
        attempts: how often one interaction is asked about at most, the first time included.

    Raises:
        SettingsError: the provider isn't known or not installed, or the key can't be one.
    """
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        # Said here, since the HTTP client would quote the key that it can't send.
        raise SettingsError("GEMINI_API_KEY takes the provider's key: printable ASCII without spaces")
    client = create_async_httpx2_client()
    name = "google:" + model.removeprefix("google-gla:") if model.startswith("google-gla:") else model
    return ModelJudge(name, _agent(_model(name, api_key, base_url, client), timeout_s), client, attempts)


def _model(name: str, api_key: str, base_url: str | None, client: AsyncClient) -> Model:
    def provider(kind: str) -> Provider[Any]:  # Any: each provider has a client type of its own
        make: Callable[..., Provider[Any]] = infer_provider_class(kind)
        where = {"base_url": base_url} if base_url else {}
        return make(api_key=api_key, http_client=client, **where)

    try:
        return infer_model(name, provider)
    except (exceptions.UserError, ValueError, ImportError, TypeError) as error:
        # TypeError: a provider that has no key or no address of one's own choice, so it can't be a judge here.
        raise SettingsError(
            f"EVAL_MODEL takes provider:model, such as google:gemini-2.5-flash-lite; {name!r} can't be used"
        ) from error


def _agent(model: Model, timeout_s: float) -> Agent[object, _Answer]:
    # The model's own structured output where it has one; a tool call works with every other.
    native = model.profile.get("supports_json_schema_output", False)
    return Agent(
        model,
        output_type=NativeOutput(_Answer) if native else _Answer,
        instructions=INSTRUCTIONS,
        model_settings=ModelSettings(
            temperature=0.0, seed=0, max_tokens=_MAX_TOKENS, request_timeout=timeout_s, max_retries=0
        ),
        retries=_REASKS,
        name="judge",
    )


def _patience(attempts: int) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(_PASSING),
        wait=_pause_s,
        stop=lambda state: state.attempt_number >= attempts or _asked_for_s(state) > MAX_PAUSE_S,
        reraise=True,
    )


_backoff_s = wait_exponential_jitter(initial=_FIRST_PAUSE_S, jitter=_JITTER_S, max=MAX_PAUSE_S)


def _pause_s(state: RetryCallState) -> float:
    """What the provider asked for, and the backoff on top, so that not everybody is back in the same moment."""
    return min(MAX_PAUSE_S, _asked_for_s(state) + _backoff_s(state))


def _asked_for_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, exceptions.ModelAPIError) else 0.0


def _judge_error(name: str, error: exceptions.ModelAPIError | exceptions.UnexpectedModelBehavior) -> JudgeError:
    message = f"{name}: {_what_happened(error)}"
    match error:
        case exceptions.ModelRequestRejectedError():
            return JudgeRefused(message)
        case exceptions.ModelAPIError() if isinstance(error, _UNAVAILABLE):
            return JudgeUnavailable(message, error.retry_after)
        case _:
            return JudgeAnswerInvalid(message)


def _what_happened(error: Exception) -> str:
    if isinstance(error, exceptions.ModelHTTPError):
        return f"the provider answered with HTTP {error.status_code}"
    return next((words for kind, words in _WHAT_HAPPENED if isinstance(error, kind)), "the answer can't be read")
