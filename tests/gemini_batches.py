"""A stand-in for Gemini's files and batch jobs, over HTTP, so that the real client can be used against it.

The wire is what google-genai writes and reads: `batchGenerateContent`, `batches`, resumable uploads, `:download`. What a
job is made of is in `jobs`; what becomes of it is up to the test.
"""

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import msgspec

PATIENCE_S = 30
PAGE = 2  # jobs on a page of the list, so that a test of a few jobs sees several pages

# Any, throughout: JSON.
Json = dict[str, Any]
# A status, a body, and headers.
Told = tuple[int, Json | bytes, dict[str, str]]


class BatchJob(msgspec.Struct, kw_only=True):
    """One job. `states` are those that it has yet to go through, a step for each time that somebody looks."""

    name: str
    display_name: str
    model: str
    requests: list[Json]
    states: list[str]
    state: str = "BATCH_STATE_PENDING"
    looks: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return not self.states


def verdict(label: str = "GOOD", reason: str = "correct", **fields: Any) -> Json:
    """A line's rest where the model answered with a verdict."""
    said = {"label": label, "reason": reason, "confidence": 0.9, "explanation": "It fits.", **fields}
    return answer(json.dumps(said))


def answer(text: str, *, finish: str = "STOP", prompt: int = 1_000, completion: int = 100) -> Json:
    """A line's rest where the model answered with a text."""
    content = {"role": "model", "parts": [{"text": text}]}
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": completion, "totalTokenCount": prompt + completion}
    return {
        "response": {
            "candidates": [{"content": content, "finishReason": finish, "index": 0}],
            "usageMetadata": usage,
            "modelVersion": "gemini-2.5-flash-lite",
            "responseId": "r",
        }
    }


def blocked() -> Json:
    """A line's rest where the provider's filter let nothing through."""
    usage = {"promptTokenCount": 1_000, "totalTokenCount": 1_000}
    return {"response": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": usage, "modelVersion": "m"}}


def failed(code: int = 13) -> Json:
    """A line's rest where the request failed, by the code of gRPC."""
    return {"error": {"code": code, "message": "the shopper said something secret"}}


class GeminiBatches:
    """The service. Use it in a `with`.

    Args:
        replies: what a request of a job is answered with, the rest of its line; None leaves the line out.
        states: what a job goes through, the last one stays.
    """

    def __init__(
        self,
        replies: Callable[[Json], Json | None] = lambda _: verdict(),
        states: tuple[str, ...] = ("BATCH_STATE_RUNNING", "BATCH_STATE_SUCCEEDED"),
    ) -> None:
        self.replies = replies
        self.states = states
        self.jobs: list[BatchJob] = []
        self.files: dict[str, bytes] = {}
        self.cancelled: list[str] = []
        self.refuses: dict[str, int] = {}  # a status by a part of the path
        self.answers = threading.Event()  # while it is clear, a job is made, but the answer to that waits
        self.answers.set()
        self.takes_files = threading.Event()  # while it is clear, a file that is sent isn't taken
        self.takes_files.set()
        self.files_coming = 0
        self._coming: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        host, port = self._server.server_address[:2]
        self.url = f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self.takes_files.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def request_count(self) -> int:
        """How many requests all jobs hold together."""
        return sum(len(job.requests) for job in self.jobs)

    def looks(self) -> int:
        """How often somebody has looked at a job."""
        return sum(job.looks for job in self.jobs)

    def post(self, path: str, asked: str, body: bytes, command: str) -> Told:
        """Answer a POST; `asked` is its query, `command` what an upload is to do."""
        if path == "/upload/v1beta/files":
            name = json.loads(body)["file"]["name"]
            if name in self.files:
                return 409, _error(409), {}
            self._coming.pop(name, None)
            headers = {"X-Goog-Upload-URL": f"{self.url}/uploading?name={name}", "X-Goog-Upload-Status": "active"}
            return 200, {}, headers
        if path == "/uploading":
            self.files_coming += 1
            self.takes_files.wait(PATIENCE_S)
            return self._part(asked.removeprefix("name="), body, is_last="finalize" in command)
        if path.endswith(":cancel"):
            self.cancelled.append(path.removeprefix("/v1beta/").removesuffix(":cancel"))
            return 200, {}, {}
        if path.endswith(":batchGenerateContent"):
            model = path.rpartition("/")[2].removesuffix(":batchGenerateContent")
            return 200, self.create(model, json.loads(body)), {}
        return 404, _error(404), {}

    def _part(self, name: str, content: bytes, *, is_last: bool) -> Told:
        """Take a part of a file; a client sends a large one in several."""
        self._coming[name] = self._coming.get(name, b"") + content
        if not is_last:
            return 200, {}, {"X-Goog-Upload-Status": "active"}
        return 200, self.upload(name, self._coming.pop(name)), {"X-Goog-Upload-Status": "final"}

    def get(self, name: str, asked: str) -> Told:
        """Answer a GET; `asked` is its query."""
        found: Json | bytes | None = None
        if name == "batches":
            found = self.list(int(dict(parse_qsl(asked)).get("pageToken", "0")))
        elif name.startswith("batches/"):
            found = self.look(name)
        elif name.endswith(":download"):
            found = self.files.get(name.removesuffix(":download"))
        return (404, _error(404), {}) if found is None else (200, found, {})

    def delete(self, name: str) -> Told:
        """Answer a DELETE."""
        return (403, _error(403), {}) if self.files.pop(name, None) is None else (200, {}, {})

    def refused(self, path: str) -> Told | None:
        """Answer what is to be refused now."""
        status = next((status for part, status in self.refuses.items() if part in path), None)
        return None if status is None else (status, _error(status), {})

    def upload(self, name: str, content: bytes) -> Json:
        """Keep a file."""
        self.files[name] = content
        return {"file": {"name": name, "mimeType": "application/jsonl", "sizeBytes": str(len(content))}}

    def create(self, model: str, body: Json) -> Json:
        """Make a job of a file."""
        batch = body["batch"]
        content = self.files[batch["inputConfig"]["fileName"]]
        with self._lock:
            job = BatchJob(
                name=f"batches/job{len(self.jobs)}",
                display_name=batch["displayName"],
                model=f"models/{model}",
                requests=[json.loads(line) for line in content.splitlines()],
                states=list(self.states),
            )
            self.jobs.append(job)
        shown = self._shown(job)
        self.answers.wait(PATIENCE_S)
        return shown

    def look(self, name: str) -> Json | None:
        """Tell of a job; it goes on by a step."""
        with self._lock:
            job = next((job for job in self.jobs if job.name == name), None)
            if job is None:
                return None
            job.looks += 1
            if job.states:
                job.state = job.states.pop(0)
            return self._shown(job)

    def list(self, page: int) -> Json:
        """Tell of a page of jobs, the latest first."""
        with self._lock:
            jobs = self.jobs[::-1][page * PAGE : (page + 1) * PAGE]
            more = len(self.jobs) > (page + 1) * PAGE
            return {"operations": [self._shown(job) for job in jobs]} | (
                {"nextPageToken": str(page + 1)} if more else {}
            )

    def _shown(self, job: BatchJob) -> Json:
        about: Json = {
            "@type": "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch",
            "displayName": job.display_name,
            "model": job.model,
            "state": job.state,
            "createTime": "2026-01-01T00:00:00Z",
            "batchStats": {"requestCount": str(len(job.requests))},
        }
        if job.state == "BATCH_STATE_SUCCEEDED":
            file = f"files/answers-{job.name.rpartition('/')[2]}"
            if file not in self.files:
                self.files[file] = self._answers(job)
            about["output"] = {"responsesFile": file}
        return {"name": job.name, "metadata": about, "done": job.ended}

    def _answers(self, job: BatchJob) -> bytes:
        lines = [(request["key"], self.replies(request)) for request in job.requests]
        return "\n".join(json.dumps({"key": key, **rest}) for key, rest in lines if rest is not None).encode()


def _handler(service: GeminiBatches) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            url, body = urlsplit(self.path), self.rfile.read(int(self.headers.get("Content-Length", "0")))
            command = self.headers.get("X-Goog-Upload-Command", "")
            self._say(*(service.refused(url.path) or service.post(url.path, url.query, body, command)))

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self._say(*(service.refused(url.path) or service.get(url.path.removeprefix("/v1beta/"), url.query)))

        def do_DELETE(self) -> None:
            self._say(*service.delete(urlsplit(self.path).path.removeprefix("/v1beta/")))

        def _say(self, status: int, body: Json | bytes, headers: dict[str, str]) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            with suppress(ConnectionError):  # who asked was killed meanwhile
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

    return Handler


def _error(status: int) -> Json:
    return {"error": {"code": status, "message": "the provider's own words", "status": "UNKNOWN"}}
