"""A stand-in for a model's server, for what llmock can't cause: it answers with bytes that a test has prepared.

llmock can't leave Retry-After out of a passing failure, write it as a date, put the wait into the body as Gemini does,
block a prompt, answer with something else than JSON, or break off or stop within an answer that isn't a stream.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

# Any, throughout: JSON.
VERDICT = {"label": "BAD", "reason": "wrong_answer", "confidence": 0.9, "explanation": "It answered with shoes."}

DROP = b""
"""Hang up without a word."""

STALL = b"HTTP/1.1 200 -\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"
"""Begin an answer, and leave it at that."""


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider's API looks from outside. `llmock`: what that calls it; `path`: what its base URL ends in."""

    model: str
    llmock: str
    path: str
    answer: Callable[[str], Any]
    blocked: Any

    def __str__(self) -> str:
        return self.model.partition(":")[0]


def gemini_body(text: str, finish: str = "STOP", **usage: int) -> Any:
    """An answer of Gemini's generateContent."""
    used = {"promptTokenCount": 900, "candidatesTokenCount": 60, **usage}
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish}],
        "usageMetadata": used | {"totalTokenCount": 960},
    }


def _chat_body(text: str, finish: str = "stop") -> Any:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 900, "completion_tokens": 60, "total_tokens": 960}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _responses_body(text: str, *, refusal: bool = False) -> Any:
    part = {"type": "refusal", "refusal": text} if refusal else {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 900,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 960,
    }
    return {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": "completed",
        "output": [message],
        "usage": usage,
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }


def _anthropic_body(text: str, stop: str = "end_turn") -> Any:
    content = [{"type": "text", "text": text}] if text else []
    usage = {"input_tokens": 900, "output_tokens": 60}
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


GEMINI = Wire(
    model="google:gemini-2.5-flash-lite",
    llmock="gemini",
    path="",
    answer=gemini_body,
    blocked={"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
)
RESPONSES = Wire(
    model="openai:gpt-4o-mini",
    llmock="openai",
    path="/v1",
    answer=_responses_body,
    blocked=_responses_body("I can't help with that.", refusal=True),
)
CHAT = Wire(
    model="openai-chat:gpt-4o-mini",
    llmock="openai",
    path="/v1",
    answer=_chat_body,
    blocked=_chat_body("", "content_filter"),
)
ANTHROPIC = Wire(
    model="anthropic:claude-haiku-4-5",
    llmock="anthropic",
    path="",
    answer=_anthropic_body,
    blocked=_anthropic_body("", "refusal"),
)
WIRES = (GEMINI, RESPONSES, CHAT, ANTHROPIC)


def error_body(status: int, name: str, message: str = "no", details: list[Any] | None = None) -> Any:
    """An error as Google's APIs word it; near enough to what others do."""
    return {"error": {"code": status, "message": message, "status": name, "details": details or []}}


def http(status: int, body: Any, content_type: str = "application/json", **headers: object) -> bytes:
    """A whole HTTP response; underscores in header names are hyphens."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-type": content_type, "content-length": len(content), "connection": "close"} | headers
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + content


class Canned:
    """A server that answers with prepared bytes, in order, then as `answer` does."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[bytes] = []
        self.arrivals: list[float] = []  # wall clock, since that is what a date in Retry-After means
        self.heads: list[str] = []
        self.bodies: list[Any] = []
        self.answer: Callable[[Any], bytes] = lambda _: http(200, gemini_body(json.dumps(VERDICT)))
        self.all_here: asyncio.Barrier | None = None
        self.asked = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection: one request, one answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
        body = json.loads(await reader.readexactly(int(length.partition(":")[2])))
        self.arrivals.append(time.time())
        self.heads.append(head)
        self.bodies.append(body)
        self.asked.set()
        if self.all_here:
            await self.all_here.wait()
        answer = self.answers.pop(0) if self.answers else self.answer(body)
        with suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
            if answer == STALL:
                await reader.read()  # until the other side has had enough
        writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Canned"]:
        """Listen on a free port of this machine."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self
