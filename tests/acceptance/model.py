"""A model whose answer follows from what it is asked, and which fails as a test says: llmock, told request by request."""

import asyncio
import contextvars
import json
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Self

import msgspec
from llmock.scenarios import Delay, Fail, Plan, Reply, RequestInfo, ScenarioQueue
from llmock.testing import LLMockServer

LABELS = ("GOOD", "REVIEW", "BAD")
REASONS = ("correct", "unclear_request", "wrong_answer")
NONSENSE = Plan(reply=Reply("It was rather good."))
KEY = "the-right-key"

# Any, throughout: ASGI's own messages, and JSON.
Message = MutableMapping[str, Any]

_NUMBER = re.compile(rb"do you have number (\d+)")
_plan = contextvars.ContextVar[Plan]("plan")


class Asked(msgspec.Struct, frozen=True):
    """One request as it came: about which number, when, with which key, how many are in flight with it, and ended before it.

    And which trace it says that it belongs to.
    """

    number: int
    at: float
    key: str
    in_flight: int
    ended: int
    traceparent: str = ""


def text(number: int) -> str:
    """What is said where the model is to find a number."""
    return f"do you have number {number} in red"


def verdict(number: int) -> dict[str, Any]:
    """What the model says of a number."""
    which = number % len(LABELS)
    return {"label": LABELS[which], "reason": REASONS[which], "confidence": 0.9, "explanation": f"It is {number}."}


def well(number: int) -> Plan:
    """Answer as one should."""
    return Plan(reply=Reply(json.dumps(verdict(number))))


def chance_of_faults(share: float, seed: int, *, slow_s: float) -> Callable[[int], Plan | None]:
    """Fail a share of all requests in every way that there is; None breaks the connection."""
    chance = random.Random(seed)
    faults: list[tuple[float, Callable[[int], Plan | None]]] = [
        (0.30, lambda _: Plan(fail=Fail(503))),
        (0.10, lambda _: Plan(fail=Fail(500))),
        (0.03, lambda _: Plan(fail=Fail(429, retry_after=0.5))),
        (0.20, lambda _: None),
        (0.20, lambda _: NONSENSE),
        (0.10, lambda number: Plan(reply=Reply(json.dumps(verdict(number) | {"label": "PERFECT"})))),
        (0.04, lambda number: Plan(reply=Reply(json.dumps(verdict(number))[:20], finish_reason="length"))),
        (0.03, lambda number: Plan(delay=Delay(slow_s), reply=well(number).reply)),
    ]
    weights, kinds = zip(*faults, strict=True)

    def behave(number: int) -> Plan | None:
        kind = chance.choices(kinds, weights)[0] if chance.random() < share else well
        return kind(number)

    return behave


class Model(ScenarioQueue):
    """The model. Use it in a `with`.

    Args:
        behave: what becomes of a request about a number; None breaks the connection. By default it answers well.
        delay_s: how long it thinks.
    """

    def __init__(self, behave: Callable[[int], Plan | None] = well, delay_s: float = 0.0) -> None:
        super().__init__()
        self.behave = behave
        self.asked: list[Asked] = []
        self._delay_s = delay_s
        self._in_flight = self._ended = 0
        self._server = LLMockServer()
        self._server.app.state.llmock.scenarios = self
        self._mock, self._server.app = self._server.app, self  # type: ignore[assignment] # an application as well

    def __enter__(self) -> Self:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would tell of each broken connection
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def settings(self) -> dict[str, str]:
        """What tells a process to ask here."""
        return {"GEMINI_API_KEY": KEY, "EVAL_BASE_URL": self._server.base_url("gemini")}

    def plan_for(self, info: RequestInfo) -> Plan:  # noqa: ARG002 (as `ScenarioQueue` has it)
        """Give what becomes of the request that is being answered."""
        return _plan.get()

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer one request."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        number = int(_NUMBER.findall(body)[-1])
        headers = dict(scope["headers"])
        key, trace = headers.get(b"x-goog-api-key", b"").decode(), headers.get(b"traceparent", b"").decode()
        self._in_flight += 1
        self.asked.append(Asked(number, time.monotonic(), key, self._in_flight, self._ended, trace))
        try:
            await asyncio.sleep(self._delay_s)
            plan = self.behave(number) if key == KEY else Plan(fail=Fail(403))
            if plan is None:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
                return
            _plan.set(plan)
            await self._mock(scope, _replay(body), send)
        finally:
            self._in_flight -= 1
            self._ended += 1


def _replay(body: bytes) -> Callable[[], Awaitable[Message]]:
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        message = next(messages, None)
        if message is None:
            await asyncio.Event().wait()  # who asks again waits for the client to leave
            raise AssertionError
        return message

    return receive
