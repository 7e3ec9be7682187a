"""The judge: a language model that labels what the rules leave open.

Each request goes through the gate, has its own time limit, and is noted, however it ends. An answer is held against a
schema; one outside of it is shown to the model once, with what is wrong. Passing failures are asked again for a while,
and what then remains is a `JudgeError`.

The retries are ours, around each request, because here the wait that the provider asks for is known: google-genai's
own ignore Retry-After and give up on a dropped connection, and a retrying transport sees the header but not the
`RetryInfo` in the body, where Gemini says it. The model is asked directly, not through pydantic-ai's Agent, which takes
twice the CPU time.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
from httpx2 import RequestError
from pydantic_ai import exceptions
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolReturnPart, UserPromptPart
from pydantic_ai.models import Model
from pydantic_ai.usage import RequestUsage
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from aura_analytics.clock import Clock, now
from aura_analytics.errors import JudgeAnswerInvalid, JudgeError, JudgeUnavailable
from aura_analytics.evaluation.ending import PASSING, ending_of
from aura_analytics.evaluation.evidence import describe
from aura_analytics.evaluation.expectation import Expectation
from aura_analytics.evaluation.judgement import Case, Gate, Judgement
from aura_analytics.evaluation.price import Price
from aura_analytics.evaluation.question import parameters_of, read_response, settings_of, what_was_wrong
from aura_analytics.evaluation.reply import Reply
from aura_analytics.evaluation.request import Request
from aura_analytics.evaluation.rubric import Rubric
from aura_analytics.evaluation.tracing import note_call, request_to
from aura_analytics.events.records import JudgeCall

MAX_PAUSE_S = 30.0
"""The longest pause between two attempts; a provider that asks for more gets its peace, and the caller is told."""

_FIRST_PAUSE_S = 0.5
_JITTER_S = 0.25
_REASKS = 1  # an answer outside of the schema is shown to the model with what was wrong about it


# What SDKs raise over an answer that is JSON but of another shape, or no JSON, or packed in another way than it says.
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    RequestError,
)


class _Closing(Protocol):
    async def aclose(self) -> None: ...


class _Answer(msgspec.Struct, frozen=True):
    """What came back, and the reply in it, or what is wrong with it."""

    response: ModelResponse
    reply: Reply | str


class ModelJudge:
    """A judge that asks a language model. Serves any number of tasks of one event loop.

    Args:
        name: provider and model, as verdicts and requests note it.
        model: who is asked; its client tries nothing again by itself.
        client: closed with the judge.
        gate: passed before each request.
        rubric: the instructions.
        price: of the model; None where it isn't known.
        timeout_s: seconds that one request may take from its start to the last byte.
        attempts: how often a request is made at most that fails for a reason which passes, the first time included.
        backoff_s: the pause before the next attempt, on top of what the provider asked for.
        clock: the present.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        client: _Closing,
        *,
        gate: Gate,
        rubric: Rubric,
        price: Price | None,
        timeout_s: float,
        attempts: int,
        backoff_s: Callable[[RetryCallState], float] | None = None,
        clock: Clock = now,
    ) -> None:
        self.name = name
        self._model = model
        self._client = client
        self._gate = gate
        self._rubric = rubric
        self._price = price
        self._timeout_s = timeout_s
        self._clock = clock
        self._expectation = Expectation()
        self._parameters = parameters_of(model, rubric)
        self._settings = settings_of(model)
        # `wraps` works on a copy for each call, so that calls at the same time don't share their count of attempts.
        self._ask_patiently = _patience(attempts, backoff_s or _BACKOFF).wraps(self._ask)

    async def judge(self, case: Case, calls: list[JudgeCall]) -> Judgement:
        """Ask the model, again after passing failures, and map its answer; see `Judge.judge`.

        Raises:
            JudgePaused: the gate is shut.
            JudgeUnavailable: the attempts are used up, or the provider asks for a pause longer than `MAX_PAUSE_S`.
            JudgeRefused: the key, the model or the request isn't accepted.
            JudgeAnswerInvalid: what came back is outside of the schema, cut off, or blocked.
        """
        record = describe(case)
        messages: list[ModelMessage] = [self._said(UserPromptPart(record))]
        length = len(self._rubric.instructions) + len(record)
        for _ in range(1 + _REASKS):
            try:
                answer = await self._ask_patiently(case, messages, length, calls)
            except exceptions.AgentRunError as error:
                raise self._error(error) from error
            if isinstance(answer.reply, Reply):
                return answer.reply.judgement(self.name, self._rubric.key)
            wrong = self._said(what_was_wrong(answer.response, answer.reply))
            messages = [*messages, *([answer.response] if answer.response.parts else []), wrong]
        raise JudgeAnswerInvalid(f"{self.name}: the answer is outside of the schema")

    async def aclose(self) -> None:
        """Close the HTTP client and its connections."""
        await self._client.aclose()

    def _said(self, part: UserPromptPart | ToolReturnPart) -> ModelRequest:
        return ModelRequest(parts=[part], instructions=self._rubric.instructions)

    async def _ask(self, case: Case, messages: list[ModelMessage], length: int, calls: list[JudgeCall]) -> _Answer:
        """Make one request, and note it, however it ends: a cancelled one too."""
        expected = self._expectation.of(length)
        cost_usd = self._price.expected(expected.prompt, expected.answer) if self._price else None
        reserved = await self._gate.admit(self.name, tokens=expected.tokens, cost_usd=cost_usd)
        request = Request(self._price, expected, self._clock())
        retry_after_s = None
        with request_to(self.name) as span:
            try:
                response = await self._request(messages)
                request.answered(response)
                self._learn(length, response.usage)
                reply = read_response(response)
                if not isinstance(reply, Reply):
                    request.outcome = "invalid"
                return _Answer(response, reply)
            except exceptions.AgentRunError as error:
                request.failed(error)
                retry_after_s = getattr(error, "retry_after", None)
                raise
            finally:
                call = request.call(case, self.name, self._rubric.key, reserved=reserved, reserved_usd=cost_usd)
                calls.append(call)
                self._gate.ended(call, retry_after_s)
                note_call(span, call)

    async def _request(self, messages: list[ModelMessage]) -> ModelResponse:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._model.request(messages, self._settings, self._parameters)
        except TimeoutError as error:
            raise exceptions.ModelRequestTimeout(self.name, self._timeout_s) from error
        except _STUMBLES as error:
            raise exceptions.UnexpectedModelBehavior("unreadable") from error

    def _learn(self, length: int, usage: RequestUsage) -> None:
        if usage.input_tokens:
            self._expectation.learn(length, usage.input_tokens, usage.output_tokens)

    def _error(self, error: exceptions.AgentRunError) -> JudgeError:
        ending = ending_of(error)
        message = f"{self.name}: {ending.words.format(status=getattr(error, 'status_code', None))}"
        if ending.error is JudgeUnavailable:
            return JudgeUnavailable(message, getattr(error, "retry_after", None))
        return ending.error(message)


_BACKOFF = wait_exponential_jitter(initial=_FIRST_PAUSE_S, jitter=_JITTER_S, max=MAX_PAUSE_S)


def _patience(attempts: int, backoff_s: Callable[[RetryCallState], float]) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(PASSING),
        # What the provider asked for, and the backoff on top, so that not everybody is back in the same moment.
        wait=lambda state: min(MAX_PAUSE_S, _asked_for_s(state) + backoff_s(state)),
        stop=lambda state: state.attempt_number >= attempts or _asked_for_s(state) > MAX_PAUSE_S,
        reraise=True,
    )


def _asked_for_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, exceptions.ModelAPIError) else 0.0
