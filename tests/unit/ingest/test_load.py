"""Loading files: into a real store, and over real HTTP to a server that isn't always well."""

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
from msgspec import Raw
from starlette.applications import Starlette
from starlette.routing import Route

from aura_analytics.api import problems
from aura_analytics.errors import LoadError, Rejection, StoreUnavailable
from aura_analytics.events.decode import Limits
from aura_analytics.ingest import files, load
from aura_analytics.ingest.endpoint import IngestEndpoint
from aura_analytics.ingest.files import Source
from aura_analytics.ingest.load import TRIES, Loaded, StoreTarget, Target, UrlTarget
from aura_analytics.ingest.receipt import Receipt
from aura_analytics.settings import Settings
from aura_analytics.store import Store, make_store, migrate
from unit.ingest.conftest import WriteFile

# Any, throughout: what JSON can hold.
QUERY = {"event_type": "voice_query", "query_id": "q-1", "store_id": "shop", "query_text": "red apples"}
OUTCOME = {"type": "outcome", "queryId": "q-1", "actionSuccess": 1}
CONVERSION = {"event_type": "voice_conversion", "session_id": "s-1", "value": 49.9, "currency": "eur"}
WRONG = {"event_type": "voice_query", "query_id": "q-2", "query_text": "no store"}


def raws(*events: object) -> list[Raw]:
    return [Raw(event if isinstance(event, bytes) else json.dumps(event).encode()) for event in events]


def lines(*events: object) -> bytes:
    return b"".join(bytes(event) + b"\n" for event in raws(*events))


def queries(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [QUERY | {"query_id": f"q-{n}"} for n in range(start, start + count)]


class Answer(NamedTuple):
    """What the server says once. Without a status it hangs up."""

    status: int | None
    body: object = None
    headers: tuple[str, ...] = ()


def receipt(accepted: int, **more: Any) -> dict[str, Any]:
    return {"status": "ok", "accepted": accepted, "duplicates": 0, "rejected": [], "query_ids": [], **more}


OK = Answer(200, receipt(1))


class Server:
    """A server that gives the answers it was told to, the last one again and again, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [OK]
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and hang up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        (length,) = (line for line in head.splitlines() if line.startswith("content-length:"))
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(int(length.partition(":")[2])))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.status is not None:
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            fields = (f"content-length: {len(body)}", "connection: close", *answer.headers)
            writer.write("\r\n".join((f"HTTP/1.1 {answer.status} X", *fields, "", "")).encode() + body)
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def client_of(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; none of them takes any time."""
    made: list[float] = []
    sleep = asyncio.sleep

    here = threading.current_thread()

    async def note(seconds: float, result: object = None) -> object:
        if threading.current_thread() is not here:  # servers of other tests have threads of their own
            return await sleep(seconds, result)
        made.append(seconds)
        return await sleep(0, result)

    monkeypatch.setattr(load.asyncio, "sleep", note)  # type: ignore[attr-defined]  # the module that it imports
    return made


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def at_server(server: Server, pauses: list[float]) -> AsyncIterator[UrlTarget]:  # noqa: ARG001 (no test waits)
    """The server as a target."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening, client_of(listening.sockets[0].getsockname()[1]) as client:
        yield UrlTarget(client)


@pytest.fixture
def in_store(store: Store) -> StoreTarget:
    """The store as a target."""
    return StoreTarget(store, Limits())


@pytest.fixture
async def at_service(store: Store) -> AsyncIterator[UrlTarget]:
    """The real endpoint over the real store as a target."""
    app = Starlette(routes=[Route("/ingest", IngestEndpoint(store, Settings()))])
    problems.install(app)
    async with httpx.AsyncClient(base_url="http://here", transport=httpx.ASGITransport(app)) as client:
        yield UrlTarget(client)


class Watcher:
    """Keeps what `load` tells on its way."""

    def __init__(self) -> None:
        self.rejections: list[tuple[str, Rejection]] = []
        self.progress: list[tuple[int, int]] = []

    def rejected(self, place: str, rejection: Rejection) -> None:
        """Note one rejection."""
        self.rejections.append((place, rejection))

    def progressed(self, loaded: Loaded, read: int) -> None:
        """Note how far it has come."""
        self.progress.append((loaded.events, read))

    async def load(self, target: Target, *sources: Source) -> Loaded:
        """Load some files."""
        return await load.load(sources, target, on_rejection=self.rejected, on_progress=self.progressed)


class TestStore:
    async def test_what_is_right_is_stored_and_what_is_wrong_is_told(self, in_store: StoreTarget, store: Store) -> None:
        receipt = await in_store.send(raws(QUERY, WRONG, OUTCOME, b"rubbish"))

        assert (receipt.accepted, receipt.duplicates, receipt.query_ids) == (2, 0, ["q-1", "q-1"])
        assert [(rejection.index, rejection.code) for rejection in receipt.rejected] == [
            (1, "missing_field"),
            (3, "malformed_json"),
        ]
        assert await store.count() == 1

    async def test_the_same_again_is_a_duplicate(self, in_store: StoreTarget, store: Store) -> None:
        await in_store.send(raws(QUERY))

        receipt = await in_store.send(raws(QUERY, OUTCOME, OUTCOME))

        assert (receipt.accepted, receipt.duplicates) == (1, 2)
        assert await store.count() == 1

    async def test_a_conversion_has_the_query_that_it_names_in_its_place(
        self, in_store: StoreTarget, store: Store
    ) -> None:
        receipt = await in_store.send(raws(CONVERSION, QUERY, CONVERSION | {"query_id": "q-1"}, CONVERSION))

        assert (receipt.accepted, receipt.duplicates) == (3, 1)
        assert receipt.query_ids == [None, "q-1", "q-1", None]
        assert await store.count() == 1

    async def test_a_batch_without_one_right_event_stores_nothing(self, in_store: StoreTarget, store: Store) -> None:
        receipt = await in_store.send(raws(WRONG, WRONG))

        assert (receipt.accepted, len(receipt.rejected), receipt.query_ids) == (0, 2, [])
        assert await store.count() == 0

    async def test_the_limits_are_the_settings(self, store: Store) -> None:
        size = len(bytes(raws(QUERY)[0]))

        receipt = await StoreTarget(store, Limits(event_bytes=size - 1)).send(raws(QUERY))

        assert [rejection.code for rejection in receipt.rejected] == ["event_too_large"]

    @pytest.mark.parametrize(
        "event",
        [
            OUTCOME | {"toolCalls": r'["cut off \ud83d"]'},
            OUTCOME | {"toolCalls": "[NaN, 1e999]"},
            OUTCOME | {"toolCalls": "[" * 200 + "]" * 200},
            OUTCOME | {"toolCalls": [10**30]},
            OUTCOME | {"own": 10**30},
            QUERY | {"own": {"\0": "\0"}},
            QUERY | {"\0": 1},
            QUERY | {"query_id": "\0"},
            QUERY | {"query_text": "\ud83d"},
            QUERY | {"timestamp": "9999-12-31T23:59:59-23:59"},
            OUTCOME | {"tokensUsed": 2**63 - 1, "latencyMs": 1e300, "costUsd": 1e300},
            CONVERSION | {"value": 1e300, "own": {"\0": 10**30}},
            CONVERSION | {"order_id": "\0", "conversion_id": "\ud83d"},
        ],
        ids=range(13),
    )
    async def test_whatever_the_decoder_takes_the_store_takes(
        self, in_store: StoreTarget, store: Store, event: dict[str, Any]
    ) -> None:
        receipt = await in_store.send(raws(event))

        assert receipt.accepted + len(receipt.rejected) == 1
        assert await store.count() == (receipt.accepted if "query_text" in event else 0)


class TestService:
    """Both targets are one place."""

    @pytest.mark.parametrize(
        "events",
        [
            [QUERY],
            [QUERY, OUTCOME, QUERY],
            [QUERY, CONVERSION, CONVERSION],
            [QUERY, WRONG, OUTCOME, b"rubbish"],
            [WRONG],
            [WRONG, b"[]", b"5", {}],
        ],
    )
    async def test_a_server_and_its_store_say_the_same(
        self, tmp_path: Path, at_service: UrlTarget, events: Sequence[object]
    ) -> None:
        settings = Settings(aura_database_url=f"sqlite:///{tmp_path}/other.db")
        migrate(settings)
        other = make_store(settings)
        await other.open()
        try:
            straight = await StoreTarget(other, Limits()).send(raws(*events))
        finally:
            await other.close()

        over_http = await at_service.send(raws(*events))

        assert msgspec.structs.replace(over_http, correlation_id=None) == straight

    async def test_what_went_over_http_is_in_the_store(self, at_service: UrlTarget, store: Store) -> None:
        await at_service.send(raws(*queries(50)))

        assert (await at_service.send(raws(*queries(60)))).duplicates == 50
        assert await store.count() == 60


class TestServer:
    async def test_events_go_as_packed_lines(self, server: Server, at_server: UrlTarget) -> None:
        await at_server.send(raws(QUERY, OUTCOME))

        (head,) = server.heads
        assert head.startswith("post /ingest http/1.1\r\n")
        assert "\r\ncontent-type: application/x-ndjson\r\n" in head
        assert "\r\ncontent-encoding: gzip\r\n" in head
        assert [json.loads(line) for line in gzip.decompress(server.bodies[0]).splitlines()] == [QUERY, OUTCOME]

    async def test_the_receipt_is_the_servers(self, server: Server, at_server: UrlTarget) -> None:
        refused: dict[str, Any] = {"index": 1, "code": "missing_field", "field": "store_id", "message": "it lacks"}
        server.answers = [Answer(207, receipt(1, duplicates=2, rejected=[refused], query_ids=["q-1"], more="kept out"))]

        assert await at_server.send(raws(QUERY)) == Receipt(
            accepted=1, duplicates=2, rejected=[Rejection(**refused)], query_ids=["q-1"]
        )

    async def test_a_server_that_is_full_is_asked_again_with_the_same(
        self, server: Server, at_server: UrlTarget, pauses: list[float]
    ) -> None:
        server.answers = [Answer(503, headers=("retry-after: 7",)), Answer(429, headers=("retry-after: 3",)), OK]

        assert (await at_server.send(raws(QUERY))).accepted == 1
        assert len(server.bodies) == 3
        assert len(set(server.bodies)) == 1
        assert pauses == [7, 3]

    @pytest.mark.parametrize("said", ["0", "", "soon", "-5", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"])
    async def test_without_a_number_of_seconds_the_pause_is_ours(
        self, server: Server, at_server: UrlTarget, pauses: list[float], said: str
    ) -> None:
        server.answers = [Answer(503, headers=(f"retry-after: {said}",)), OK]

        await at_server.send(raws(QUERY))

        assert pauses == [0.5]

    async def test_the_pause_grows_but_not_for_ever(
        self, server: Server, at_server: UrlTarget, pauses: list[float], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(load, "LONGEST_PAUSE_S", 3.0)
        server.answers = [
            Answer(503),
            Answer(503),
            Answer(503),
            Answer(503),
            Answer(503, headers=("retry-after: 9",)),
            OK,
        ]

        await at_server.send(raws(QUERY))

        assert pauses == [0.5, 1, 2, 3, 3]

    async def test_a_server_that_stays_full_is_given_up(
        self, server: Server, at_server: UrlTarget, pauses: list[float]
    ) -> None:
        server.answers = [Answer(503)]

        with pytest.raises(LoadError, match="can't be used: HTTP 503"):
            await at_server.send(raws(QUERY))
        assert (len(server.bodies), len(pauses)) == (TRIES, TRIES - 1)

    async def test_a_server_that_hangs_up_is_asked_again(self, server: Server, at_server: UrlTarget) -> None:
        server.answers = [Answer(None), OK]

        assert (await at_server.send(raws(QUERY))).accepted == 1

    async def test_a_batch_of_which_nothing_could_be_taken_is_no_failure(
        self, server: Server, at_server: UrlTarget
    ) -> None:
        refused: list[dict[str, Any]] = [
            {"index": n, "code": "missing_field", "field": "store_id", "message": "it lacks"} for n in (0, 1)
        ]
        server.answers = [Answer(400, {"status": 400, "code": "events_rejected", "rejected": refused})]

        found = await at_server.send(raws(WRONG, WRONG))

        assert (found.accepted, found.duplicates, found.query_ids) == (0, 0, [])
        assert found.rejected == [Rejection(**one) for one in refused]

    @pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415, 500, 502])
    async def test_a_refusal_for_good_is_not_tried_again(
        self, server: Server, at_server: UrlTarget, status: int
    ) -> None:
        server.answers = [Answer(status, {"title": "no"})]

        with pytest.raises(LoadError, match=f"HTTP {status}"):
            await at_server.send(raws(QUERY))
        assert len(server.bodies) == 1

    async def test_an_event_that_is_too_large_for_the_server_harms_no_other(
        self, server: Server, at_server: UrlTarget
    ) -> None:
        fine = {"status": "ok", "accepted": 1, "duplicates": 0, "rejected": [], "query_ids": ["q"]}
        server.answers = [Answer(413, {}), Answer(200, fine), Answer(413, {}), Answer(413, {}), Answer(200, fine)]

        found = await at_server.send(raws(QUERY, QUERY, QUERY))

        assert (found.accepted, found.query_ids) == (2, ["q", "q"])
        assert [(one.index, one.code) for one in found.rejected] == [(1, "event_too_large")]

    @pytest.mark.parametrize("status", [200, 207, 400])
    @pytest.mark.parametrize(
        "body",
        [b"", b"<html>hello</html>", b"{", {}, [], "ok", {"status": "ok"}, {"accepted": "1"}, b'{"status": "\xff"}'],
        ids=range(9),
    )
    async def test_an_answer_that_is_no_receipt_is_not_taken_for_one(
        self, server: Server, at_server: UrlTarget, status: int, body: object
    ) -> None:
        server.answers = [Answer(status, body)]

        with pytest.raises(LoadError, match="can't be read; is it this service"):
            await at_server.send(raws(QUERY))

    async def test_where_nobody_listens_it_is_tried_and_given_up(self, pauses: list[float]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        async with client_of(port) as client:
            with pytest.raises(LoadError, match=f"http://127.0.0.1:{port} can't be used: .+"):
                await UrlTarget(client).send(raws(QUERY))

        assert len(pauses) == TRIES - 1


class TestLoading:
    async def test_every_event_of_every_file_goes_in(
        self, in_store: StoreTarget, store: Store, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "BATCH_EVENTS", 4)
        first = write_file(lines(*queries(10)), "first")
        second = write_file(json.dumps(queries(5, start=8)).encode(), "second", packed=True)

        loaded = await Watcher().load(in_store, first, second)

        assert (loaded.accepted, loaded.duplicates, loaded.rejected, loaded.events) == (13, 2, 0, 15)
        assert await store.count() == 13

    async def test_a_rejection_is_told_with_its_place(
        self, in_store: StoreTarget, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "BATCH_EVENTS", 2)
        in_lines = write_file(lines(QUERY, OUTCOME, WRONG, OUTCOME, b"rubbish"), "lines")
        array = write_file(json.dumps([QUERY, OUTCOME, QUERY, WRONG]).encode(), "array")
        watcher = Watcher()

        loaded = await watcher.load(in_store, in_lines, array)

        assert [(place, rejection.code) for place, rejection in watcher.rejections] == [
            (f"{in_lines.name}:3", "missing_field"),
            (f"{in_lines.name}:5", "malformed_json"),
            (f"{array.name}: event 4", "missing_field"),
        ]
        assert (loaded.accepted, loaded.duplicates, loaded.rejected) == (2, 4, 3)

    async def test_a_servers_rejection_is_told_with_its_place(
        self, server: Server, at_server: UrlTarget, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "BATCH_EVENTS", 2)
        refused = {"index": 1, "code": "c", "field": None, "message": "m"}
        server.answers = [
            OK,
            Answer(207, receipt(1, rejected=[refused])),
            Answer(400, {"rejected": [refused | {"index": 0}]}),
        ]
        source = write_file(lines(*queries(5)))
        watcher = Watcher()

        await watcher.load(at_server, source)

        assert [place for place, _ in watcher.rejections] == [f"{source.name}:4", f"{source.name}:5"]

    async def test_progress_is_told_batch_by_batch_and_over_all_files(
        self, in_store: StoreTarget, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "BATCH_EVENTS", 2)
        sources = [write_file(lines(*queries(3)), name) for name in ("first", "second")]
        watcher = Watcher()

        await watcher.load(in_store, *sources)

        sizes = [source.size or 0 for source in sources]
        assert [events for events, _ in watcher.progress] == [2, 3, 5, 6]
        assert [watcher.progress[at][1] for at in (1, 3)] == [sizes[0], sum(sizes)]
        assert [read for _, read in watcher.progress] == sorted(read for _, read in watcher.progress)

    async def test_what_went_in_before_a_file_that_can_not_be_read_stays(
        self, in_store: StoreTarget, store: Store, write_file: WriteFile, tmp_path: Path
    ) -> None:
        with pytest.raises(LoadError, match="nowhere"):
            await Watcher().load(in_store, write_file(lines(QUERY)), Source(str(tmp_path / "nowhere")))

        assert await store.count() == 1

    async def test_a_store_that_is_closed_ends_it(self, store: Store, write_file: WriteFile) -> None:
        await store.close()

        with pytest.raises(StoreUnavailable):
            await Watcher().load(StoreTarget(store, Limits()), write_file(lines(QUERY)))

    async def test_an_event_without_an_id_gets_one_and_it_is_told(self, in_store: StoreTarget) -> None:
        bare = {name: value for name, value in QUERY.items() if name != "query_id"}

        receipt = await in_store.send(raws(bare, bare))

        assert (receipt.accepted, len(set(receipt.query_ids)), {len(id or "") for id in receipt.query_ids}) == (
            2,
            2,
            {26},
        )
