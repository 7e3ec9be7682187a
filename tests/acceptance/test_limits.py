"""What one caller may take of a real server: over each limit there is an answer, and the memory stays as it was."""

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from acceptance.service import Service, query, until

CONNECTIONS, PER_ADDRESS, LISTENERS = 40, 20, 3
SMALL = {
    "SERVE_MAX_CONNECTIONS": CONNECTIONS,
    "SERVE_MAX_CONNECTIONS_PER_ADDRESS": PER_ADDRESS,
    "SERVE_MAX_LISTENERS_PER_KEY": LISTENERS,
    "SERVE_HEAD_SECONDS": 1,
    "SERVE_BODY_SECONDS": 1,
    "SERVE_ANSWER_SECONDS": 1,
    "SERVE_MIN_BYTES_PER_SECOND": 1 << 20,
    "INGEST_QUEUE_BYTES": 4 << 20,
    "INGEST_MAX_BATCH_BYTES": 1 << 20,
}
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
# So much more memory than before is no flood: the flood would be a hundred times of it.
GROWN = 1.35


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server that holds little, and has answered already."""
    settings = {name: str(value) for name, value in SMALL.items()}
    folder = tmp_path_factory.mktemp("limits")
    with Service(folder, AURA_EVALUATE="off", AURA_STATISTICS="off", **settings) as started:
        started.ingest(query())
        yield started
        assert started.lives()
        assert [line for line in started.complaints() if line["event"] != "connections_refused"] == []


def connected(service: Service, source: str = "127.0.0.1") -> socket.socket:
    """Connect; a source of its own is another address of this machine."""
    url = httpx.URL(service.url)
    return socket.create_connection((url.host, url.port or 80), 10, source_address=(source, 0))


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    read = b""
    try:
        while piece := connection.recv(65_536):
            read += piece
    except ConnectionResetError:
        pass
    return read


def refused(read: bytes, *, closes: bool = True) -> tuple[int, str]:
    """Give the status and the code of a refusal, which is the whole of an answer."""
    head, _, body = read.partition(b"\r\n\r\n")
    fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    named = {name.lower(): value for name, value in fields}
    assert named[b"content-type"] == b"application/problem+json", read
    assert not closes or named[b"connection"] == b"close"
    assert named[b"x-content-type-options"] == b"nosniff"
    told = json.loads(body)
    assert int(named[b"content-length"]) == len(body)
    assert told["status"] == int(head.split()[1])
    return told["status"], told["code"]


def said(service: Service, *pieces: bytes) -> bytes:
    """Send pieces and give all that comes back until the server closes."""
    with closing(connected(service)) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_to_end(connection)


def resident(service: Service) -> int:
    """The memory of the server's process, in KiB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text("utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


# Heads

HEADS = {
    "a long URL": (b"GET /?" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414, "url_too_long"),
    "a URL without an end": (b"GET /" + b"a" * (1 << 20), 414, "url_too_long"),
    "a large header": (HEALTH + b"x: " + b"a" * 40_000 + b"\r\n\r\n", 431, "headers_too_large"),
    "many headers": (HEALTH + b"x: y\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
    "a header without an end": (HEALTH + b"x: " + b"a" * (8 << 20), 431, "headers_too_large"),
    "headers without an end": (HEALTH + b"x: y\r\n" * (1 << 20), 431, "headers_too_large"),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01", 400, "malformed_request"),
    "a method that there isn't": (b"FETCH / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
    "two hosts": (HEALTH + b"Host: b\r\n\r\n", 400, "malformed_request"),
    "an asterisk": (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
    "a tunnel": (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"),
    "letters beyond ASCII in the path": (
        "GET /ä HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        400,
        "malformed_request",
    ),
    "NUL in a header": (HEALTH + b"x: a\0b\r\n\r\n", 400, "malformed_request"),
    "a line's end alone in a header": (HEALTH + b"x: a\nX-API-Key: b\r\n\r\n", 400, "malformed_request"),
    "a space before the colon": (HEALTH + b"Content-Length : 5\r\n\r\nhello", 400, "malformed_request"),
    "a header over two lines": (HEALTH + b"x: a\r\n b\r\n\r\n", 400, "malformed_request"),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_head_over_a_limit_is_refused(service: Service, head: str) -> None:
    sent, status, code = HEADS[head]
    assert refused(said(service, sent)) == (status, code)


POST = b"POST /ingest HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"GET /verify HTTP/1.1\r\nHost: localhost\r\n\r\n"
AMBIGUOUS = {
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "the same length twice": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "two lengths in one": POST + b"Content-Length: 5, 5\r\n\r\nhello",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks and a length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks that aren't last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a negative length": POST + b"Content-Length: -5\r\n\r\nhello",
    "a length with a sign": POST + b"Content-Length: +5\r\n\r\nhello",
    "a length beyond all numbers": POST + b"Content-Length: 99999999999999999999999\r\n\r\nhello",
    "a length in hexadecimal": POST + b"Content-Length: 0x5\r\n\r\nhello",
    "a chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n0\r\n\r\n",
    "a chunk that is longer than it says": POST
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n"
    + SMUGGLED,
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_a_body_whose_end_is_open_to_doubt_is_refused(service: Service, case: str) -> None:
    read = said(service, AMBIGUOUS[case])
    assert refused(read) == (400, "malformed_request")
    assert read.count(b"HTTP/1.1 ") == 1  # nothing behind it was taken for a request


def test_what_comes_after_a_body_is_no_header(service: Service) -> None:
    """A trailer could otherwise say, past every proxy, from where a request is and with which key."""
    body = b"%x\r\n%s\r\n0\r\n" % (len(sent := json.dumps(query()).encode()), sent)
    trailer = b"X-Correlation-ID: smuggled\r\n\r\n"
    head = POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    read = said(service, head + body + trailer)
    assert b"HTTP/1.1 200" in read
    assert b"smuggled" not in read


def test_fields_after_a_body_have_an_end(service: Service) -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n"
    before = resident(service)
    assert refused(said(service, head, *[b"x: " + b"a" * 65_536 + b"\r\n"] * 128)) == (431, "headers_too_large")
    assert resident(service) < before * GROWN


def test_another_protocol_isn_t_taken_up(service: Service) -> None:
    head = HEALTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n"
    read = said(service, head + SMUGGLED)
    assert read.startswith(b"HTTP/1.1 200")
    assert read.count(b"HTTP/1.1 ") == 1


def test_many_requests_at_once_on_one_connection_are_answered_in_part(service: Service) -> None:
    before = resident(service)
    read = said(service, (HEALTH + b"\r\n") * 5_000)
    assert 1 <= read.count(b"HTTP/1.1 200") < 5_000
    assert resident(service) < before * GROWN


# Time


def test_a_head_that_comes_drop_by_drop_is_ended(service: Service) -> None:
    with closing(connected(service)) as slow, closing(connected(service)) as silent:
        slow.sendall(HEALTH)
        assert refused(read_to_end(slow)) == (408, "too_slow")
        assert refused(read_to_end(silent)) == (408, "too_slow")


def test_a_line_s_end_doesn_t_keep_a_connection(service: Service) -> None:
    with closing(connected(service)) as connection:
        connection.sendall(HEALTH + b"\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        assert refused(read_to_end(connection)) == (408, "too_slow")


def test_a_body_that_comes_drop_by_drop_is_ended(service: Service) -> None:
    with closing(connected(service)) as connection:
        connection.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        assert refused(read_to_end(connection)) == (408, "too_slow")


def test_a_body_behind_its_answer_is_waited_for_a_little(service: Service) -> None:
    with closing(connected(service)) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        read = read_to_end(connection)
    assert read.startswith(b"HTTP/1.1 404")
    assert read.count(b"HTTP/1.1 ") == 1


def test_who_doesn_t_read_is_let_go(service: Service) -> None:
    url = httpx.URL(service.url)
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((url.host, url.port))
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30)
        until(lambda: any("slow_reader" in line for line in service.log()), within_s=20)


# Numbers


def test_one_address_has_no_more_connections_than_its_share(service: Service) -> None:
    until(lambda: service.http.get("/health").status_code == 200)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(connected(service, "127.0.0.2"))) for _ in range(PER_ADDRESS)]
        over = stack.enter_context(closing(connected(service, "127.0.0.2")))
        over.sendall(HEALTH + b"\r\n")
        read = read_to_end(over)
        assert refused(read) == (503, "too_many_connections")
        assert b"retry-after: " in read
        held[0].sendall(HEALTH + b"\r\n")
        assert held[0].recv(65_536).startswith(b"HTTP/1.1 200")
        assert service.http.get("/health").status_code == 200  # others aren't touched
    until(lambda: _answers_from(service, "127.0.0.2"))


def test_all_together_have_no_more_connections_than_there_are(service: Service) -> None:
    with ExitStack() as stack:
        for number in range(CONNECTIONS):
            stack.enter_context(closing(connected(service, f"127.0.0.{3 + number // 10}")))
        over = stack.enter_context(closing(connected(service, "127.0.0.9")))
        over.sendall(HEALTH + b"\r\n")
        assert refused(read_to_end(over)) == (503, "too_many_connections")
    until(lambda: _answers_from(service, "127.0.0.9"))


def _answers_from(service: Service, source: str) -> bool:
    with closing(connected(service, source)) as connection:
        connection.sendall(HEALTH + b"Connection: close\r\n\r\n")
        return read_to_end(connection).startswith(b"HTTP/1.1 200")


# Memory


def test_a_flood_of_large_bodies_takes_no_more_memory_than_may_be(service: Service) -> None:
    before = resident(service)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(connected(service, "127.0.0.6"))) for _ in range(PER_ADDRESS)]
        for connection in held:
            connection.sendall(POST + b"Content-Length: 1048576\r\n\r\n" + b" " * 1_000_000)
        answers = [read_to_end(connection) for connection in held]
    codes = {refused(answer, closes=False) for answer in answers if answer}
    assert codes <= {(503, "queue_full"), (408, "too_slow")}
    assert resident(service) < before * GROWN


def test_a_packed_bomb_takes_no_memory(service: Service) -> None:
    before = resident(service)
    bomb = gzip.compress(b" " * (64 << 20))
    for body in (bomb, gzip.compress(bomb), bomb * 4):
        answer = service.http.post("/ingest", content=body, headers={"Content-Encoding": "gzip"})
        assert answer.status_code in (400, 413)
    assert resident(service) < before * GROWN


@pytest.mark.parametrize("path", ["/ingest", "/stats/agreement", "/evaluations/q-1"])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_body_nested_deeply_is_refused(service: Service, path: str, opening: str) -> None:
    body = opening * (50_000 // len(opening))
    answer = service.http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 413, 503)
    assert answer.headers["content-type"] == "application/problem+json"
