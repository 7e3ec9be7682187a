"""A real S3 server on loopback, whose answers can be held up or spoiled on their way."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "a secret of the tests"
DENIED = (
    b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message>"
    b"<RequestId>1</RequestId></Error>"
)

# Any: WSGI's own.
Environ = dict[str, Any]
Answer = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Meddling = Callable[[Environ, Callable[..., Any], Answer], Iterable[bytes]]


class S3Server:
    """Serves buckets in memory; knows one key."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._meddling: Meddling | None = None
        self.requests: list[tuple[str, str]] = []
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="s3")
        self._thread.start()

    def end(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @contextmanager
    def meddled(self, meddling: Meddling) -> Iterator[None]:
        """Let somebody come between the requests and their answers."""
        self._meddling = meddling
        try:
            yield
        finally:
            self._meddling = None

    def _answer(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if KEY_ID not in environ.get("HTTP_AUTHORIZATION", ""):
            start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(DENIED)))])
            return [DENIED]
        if self._meddling is not None:
            return self._meddling(environ, start_response, self._moto)
        return self._moto(environ, start_response)
