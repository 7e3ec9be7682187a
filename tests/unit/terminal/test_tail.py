"""Following a log over the network: what is a line, what ends a stream, and what is no log at all."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from aura_analytics.errors import LoadError
from aura_analytics.terminal import tail
from aura_analytics.terminal.tail import Event, followed

STREAM = "text/event-stream; charset=utf-8"
# A stream that is answered, by pieces; each is sent by itself, and then the stream ends.
Pieces = Sequence[bytes]
Answering = Callable[[str, Sequence[Pieces]], "Server"]


class Server(ThreadingHTTPServer):
    """Answers with one stream after the other; the last one again and again."""

    def __init__(self, kind: str, streams: Sequence[Pieces]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.kind = kind
        self.streams = list(streams)
        self.marks: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    """Without a length: the end of the connection is the end of the stream."""

    server: Server

    def do_GET(self) -> None:
        """Send the next stream."""
        self.server.marks.append(self.headers["last-event-id"])
        streams = self.server.streams
        pieces = streams.pop(0) if len(streams) > 1 else streams[0]
        self.send_response(200)
        self.send_header("content-type", self.server.kind)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    monkeypatch.setattr(tail, "FIRST_PAUSE_S", 0.01)
    made: list[tuple[Server, threading.Thread]] = []

    def start(kind: str, streams: Sequence[Pieces]) -> Server:
        server = Server(kind, streams)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.append((server, thread))
        return server

    yield start
    for server, thread in made:
        with closing(server.socket):
            server.shutdown()
        thread.join()


async def heard(server: Server, count: int, *, follow: bool = True) -> list[Event]:
    """The first events; it ends with them, or with the stream."""
    found: list[Event] = []
    url = f"http://127.0.0.1:{server.server_address[1]}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        async for event in followed(client, {}, follow=follow):
            found.append(event)
            if len(found) == count:
                break
    return found


def line(number: int, text: str) -> bytes:
    return f'id: a-{number}\nevent: line\ndata: {{"event":"{text}"}}\n\n'.encode()


async def test_a_line_ends_where_the_server_ends_it_and_nowhere_else(answering: Answering) -> None:
    odd = "x\x85y\u2028z\u2029"
    whole = b": here\n\n" + line(1, odd) + line(2, "two")
    pieces = [whole[place : place + 1] for place in range(len(whole))]
    found = await heard(answering(STREAM, [pieces]), 2, follow=False)
    assert [event.line for event in found] == [{"event": odd}, {"event": "two"}]


async def test_the_end_of_a_stream_is_no_loss_and_it_goes_on_where_it_was(
    answering: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    server = answering(STREAM, [[b"id: a-0\n\n"], [line(1, "one")], [], [line(2, "two")]])
    assert [event.id for event in await heard(server, 2)] == ["a-1", "a-2"]
    assert server.marks == [None, "a-0", "a-1", "a-1"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/json", ""])
async def test_what_is_no_log_is_refused(answering: Answering, kind: str) -> None:
    with pytest.raises(LoadError, match="has no log to look at"):
        await heard(answering(kind, [[b"<html>\n\n"]]), 1)


@pytest.mark.parametrize("data", [b"<html>", b"[1]", b"5", b'{"event":', b"\xff", b"[" * 5_000])
@pytest.mark.parametrize("kind", [b"line", b"lost"])
async def test_a_line_that_cannot_be_read_is_told_and_no_more(answering: Answering, data: bytes, kind: bytes) -> None:
    with pytest.raises(LoadError, match="a line that can't be read"):
        await heard(answering(STREAM, [[b"event: " + kind + b"\ndata: " + data + b"\n\n"]]), 1)


async def test_what_is_said_to_be_lost_is_a_number(answering: Answering) -> None:
    with pytest.raises(LoadError, match="a line that can't be read"):
        await heard(answering(STREAM, [[b'event: lost\ndata: {"lost":"all"}\n\n']]), 1)
    [event] = await heard(answering(STREAM, [[b'event: lost\ndata: {"lost":7}\n\n']]), 1)
    assert event.line == {"lost": 7}
