"""What stands between a sender and the service, so that a test can have it away, slow, or lose its answers."""

import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import httpx
import msgspec

from acceptance.database import PATIENCE_S

KEPT = ("content-type", "retry-after")


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came; the names of headers in lower case."""

    headers: dict[str, str]
    body: bytes


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """An answer instead of the service's. `passed_on`: the service has it all the same."""

    status: int = 503
    headers: dict[str, str] = {}
    body: bytes = b""
    passed_on: bool = False


class Between:
    """Takes requests at an address of its own and passes them on. Use it in a `with`.

    `answers` go before those of the service. While `open` is cleared, the service's answers are held back.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.arrivals: list[Arrival] = []
        self.answers: deque[Prepared] = deque()
        self.open = threading.Event()
        self.open.set()
        self._port = 0
        self._server: ThreadingHTTPServer | None = None
        self._client = httpx.Client(trust_env=False, timeout=PATIENCE_S)

    @property
    def url(self) -> str:
        """Where it is, also while nobody is there."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self.down()
        self._client.close()

    def up(self) -> None:
        """Listen, at the same address as before."""
        self._server = _Server(("127.0.0.1", self._port), self._handler())
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def down(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(between) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the request's in here
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                arrival = Arrival(headers={name.lower(): value for name, value in self.headers.items()}, body=body)
                between.arrivals.append(arrival)
                told = between.answers.popleft() if between.answers else None
                if told is None or told.passed_on:
                    answer = between._pass_on(self.path, arrival)
                    between.open.wait(PATIENCE_S)
                    told = told or answer
                self._tell(told)

            def _tell(self, told: Prepared) -> None:
                try:
                    self.send_response(told.status)
                    for name, value in told.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(told.body)))
                    self.end_headers()
                    self.wfile.write(told.body)
                except ConnectionError:
                    self.close_connection = True  # whoever asked has gone

            def log_message(self, *_: object) -> None:
                """Tell nobody."""

        return Handler

    def _pass_on(self, path: str, arrival: Arrival) -> Prepared:
        headers = {name: value for name, value in arrival.headers.items() if name not in ("host", "connection")}
        answer = self._client.post(self.target + path, content=arrival.body, headers=headers)
        kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return Prepared(status=answer.status_code, headers=kept, body=answer.content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
