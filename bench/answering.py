"""A model that answers at once but for the time it thinks, in Gemini's wire: `python bench/answering.py PORT`.

llmock would take a part of the machine that is worth measuring. Its label follows from the number in what it is asked.
`GET /health` gives how many it was asked, `POST /faults/0.3` lets that share of the requests fail.
"""

import asyncio
import json
import random
import re
import sys
from collections.abc import Callable

THINKING_S = 0.2
LABELS = ("GOOD", "REVIEW", "BAD")
REASONS = ("correct", "unclear_request", "wrong_answer")
NUMBER = re.compile(rb"do you have number (\d+)")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def label(number: int) -> str:
    """Give the label of a number."""
    return LABELS[number % len(LABELS)]


def verdict(number: int) -> str:
    """Give what is said of a number."""
    said = {
        "label": label(number),
        "reason": REASONS[number % len(LABELS)],
        "confidence": 0.9,
        "explanation": "So it is.",
    }
    return json.dumps(said)


def answer(text: str, finish: str = "STOP") -> bytes:
    """Write an answer of the model."""
    return written(200, {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": finish, "index": 0}],
        "usageMetadata": {"promptTokenCount": 1_500, "candidatesTokenCount": 50, "totalTokenCount": 1_550},
    })  # fmt: skip


def error(status: int) -> bytes:
    """Write an error, without a wish for peace."""
    return written(status, {"error": {"code": status, "message": "It is so.", "status": "UNAVAILABLE"}})


def written(status: int, content: object) -> bytes:
    body = json.dumps(content).encode()
    return b"HTTP/1.1 %d -\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body


# None breaks the connection.
FAULTS: list[tuple[int, Callable[[int], bytes | None]]] = [
    (30, lambda _: error(503)),
    (15, lambda _: error(500)),
    (5, lambda _: error(429)),
    (20, lambda _: None),
    (20, lambda _: answer("It was rather good.")),
    (10, lambda number: answer(verdict(number)[:20], "MAX_TOKENS")),
]


class State:
    """How it behaves, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.faults = 0.0
        self.chance = random.Random(1)

    def reply(self, number: int) -> bytes | None:
        """Give what is sent."""
        if self.chance.random() >= self.faults:
            return answer(verdict(number))
        weights, kinds = zip(*FAULTS, strict=True)
        return self.chance.choices(kinds, weights)[0](number)


class Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = LENGTH.search(head)
        if len(rest) < (int(length[1]) if length else 0):
            return
        self._buffer = b""
        path = head.split(b" ", 2)[1].decode()
        if path == "/health":
            self._send(written(200, {"asked": self._state.asked}))
        elif path.startswith("/faults/"):
            self._state.faults = float(path.rpartition("/")[2])
            self._send(written(200, {}))
        else:
            self._state.asked += 1
            reply = self._state.reply(int((NUMBER.findall(rest) or [0])[-1]))
            asyncio.get_running_loop().call_later(THINKING_S, self._send, reply)

    def _send(self, reply: bytes | None) -> None:
        if reply is None:
            self._transport.abort()  # type: ignore[attr-defined] # a socket's
        elif not self._transport.is_closing():
            self._transport.write(reply)  # type: ignore[attr-defined] # the same


async def main() -> None:
    """Serve until it is ended."""
    state = State()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(state), "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
