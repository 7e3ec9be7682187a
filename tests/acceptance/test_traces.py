"""Traces, told to a real listener by the processes as people run them: what is told, what isn't, and that nobody waits."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from acceptance.database import Database
from acceptance.model import Model, text
from acceptance.service import Service, outcome, query, until
from collector import Collector, Told

MakeDatabase = Callable[[Path], Database]
StartService = Callable[..., Service]

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
SECRET = "Bearer what-only-the-listener-may-know"


class Seen:
    """A service that has been used, whom it asked, and who listened."""

    def __init__(self, service: Service, collector: Collector, model: Model) -> None:
        self.service, self.collector, self.model = service, collector, model

    def one(self, name: str, **attributes: object) -> Told:
        """The only span of a name with these attributes, once it is told."""
        [span] = until(lambda: self.collector.named(name, **attributes))
        return span


@pytest.fixture(scope="module")
def seen(make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One interaction that a judge was asked about, sent by a caller who traces."""
    folder = tmp_path_factory.mktemp("traced")
    with (
        Collector() as collector,
        Model() as model,
        Service(
            folder,
            make_database(folder),
            **model.settings,
            EVAL_INTERVAL_SECONDS="0.1",
            EVAL_GRACE_SECONDS="0",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_EXPORTER_OTLP_HEADERS=f"authorization={SECRET}",
            OTEL_SERVICE_NAME="the-shop's",
        ) as service,
    ):
        headers = {"traceparent": TRACEPARENT, "x-correlation-id": "of-the-caller"}
        events = [
            query("q", query_text=text(1), user_id="Ada"),
            outcome("q", action_success=None, answer_text="Apples."),
        ]
        assert service.http.post("/ingest", json=events, headers=headers).status_code == 200
        until(lambda: service.rows("SELECT 1 FROM voice_evaluations"))
        service.http.get("/interactions/q")
        service.http.get("/stats/summary?period=nonsense")
        service.http.get("/nothing/here")
        yield Seen(service, collector, model)


def test_a_request_goes_on_with_the_trace_of_its_caller(seen: Seen) -> None:
    span = seen.one("POST /ingest")
    assert (span.trace_id, span.parent_id, span.kind, span.part) == (TRACE, CALLER, "server", "server")
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/ingest",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "aura.correlation_id": "of-the-caller",
        "aura.ingest.accepted": 2,
        "aura.ingest.duplicates": 0,
        "aura.ingest.rejected": 0,
    }
    assert not span.failed


def test_the_transaction_that_made_it_durable_is_a_part_of_it(seen: Seen) -> None:
    request = seen.one("POST /ingest")
    [commit] = until(lambda: [one for one in seen.collector.named("COMMIT") if one.parent_id == request.span_id])
    assert commit.trace_id == TRACE
    assert commit.kind == "client"
    assert commit.attributes == {
        "db.system.name": "postgresql" if seen.service.database_url.startswith("postgres") else "sqlite",
        "db.operation.name": "COMMIT",
        "db.operation.batch.size": 2,
    }
    assert commit.nanoseconds <= request.nanoseconds


def test_a_route_is_told_and_not_the_path(seen: Seen) -> None:
    assert seen.one("GET /interactions/{query_id:path}").attributes["http.response.status_code"] == 200
    refused = seen.one("GET /stats/summary")
    assert (refused.attributes["http.response.status_code"], refused.attributes["aura.code"]) == (
        400,
        "invalid_parameter",
    )
    assert not refused.failed  # it is the caller's fault
    assert seen.one("GET").attributes["http.response.status_code"] == 404


def test_a_label_is_traced_with_the_request_to_the_model(seen: Seen) -> None:
    heard = seen.one("evaluate")
    assert heard.part == "evaluator"
    assert heard.attributes == {
        "aura.query_id": "q",
        "aura.store_id": "shop",
        "aura.evaluation.attempt": 1,
        "aura.evaluation.label": "REVIEW",
        "aura.evaluation.method": "google:gemini-2.5-flash-lite",
    }
    [asked] = until(lambda: seen.collector.named("chat gemini-2.5-flash-lite"))
    assert (asked.trace_id, asked.parent_id, asked.kind) == (heard.trace_id, heard.span_id, "client")
    told = asked.attributes
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "gcp.gemini"
    assert told["gen_ai.request.model"] == "gemini-2.5-flash-lite"
    assert told["gen_ai.usage.input_tokens"] > 0
    assert told["gen_ai.usage.output_tokens"] > 0
    assert told["aura.judge.outcome"] == "answered"
    assert seen.model.asked[0].traceparent == f"00-{asked.trace_id}-{asked.span_id}-03"


def test_what_was_claimed_and_the_verdict_s_transaction_are_traced(seen: Seen) -> None:
    assert seen.one("evaluate batch").attributes["aura.evaluation.claimed"] == 1
    heard, stored = seen.one("evaluate"), seen.one("store verdicts")
    assert (stored.trace_id, stored.parent_id) == (heard.trace_id, heard.span_id)
    assert until(lambda: [one for one in seen.collector.named("COMMIT") if one.parent_id == stored.span_id])


def test_neither_texts_nor_keys_nor_persons_are_told(seen: Seen) -> None:
    seen.one("store verdicts")
    for secret in (
        "number 1",
        "Apples",
        "Ada",
        "the-right-key",
        "It is 1.",
        "nonsense",
        "nothing/here",
        "only-the-listener",
    ):
        assert secret.encode() not in seen.collector.bodies
    assert {header["authorization"] for header in seen.collector.headers} == {SECRET}
    assert {one["service.name"] for one in seen.collector.resources} == {"the-shop's"}
    logged = b"".join(path.read_bytes() for path in seen.service.folder.glob("stderr-*.log"))
    assert b"only-the-listener" not in logged


def test_lines_of_the_log_name_their_trace(seen: Seen) -> None:
    [line] = [one for one in seen.service.log() if one["event"] == "request" and one["path"] == "/ingest"]
    assert (line["trace_id"], line["span_id"]) == (TRACE, seen.one("POST /ingest").span_id)
    assert not [one for one in seen.service.log() if one["event"] == "serving" and "trace_id" in one]


def test_what_becomes_of_spans_is_counted(seen: Seen) -> None:
    seen.one("POST /ingest")
    counted = seen.service.http.get("/metrics").text
    assert int(re.findall(r'aura_trace_spans_total\{outcome="sent"\} (\d+)', counted)[0]) >= 1
    assert 'aura_trace_spans_total{outcome="dropped"} 0' in counted


@pytest.mark.backends("sqlite")
def test_a_command_tells_what_it_did_before_it_ends(start_service: StartService) -> None:
    with Collector() as collector:
        service = start_service(AURA_EVALUATE="off", EVAL_GRACE_SECONDS="0")
        service.ingest(query("q"), outcome("q"))
        service.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.endpoint
        assert service.aura("evaluate").returncode == 0
        assert [one.attributes["aura.evaluation.verdicts"] for one in collector.named("store verdicts")] == [1]


@pytest.mark.backends("sqlite")
def test_nothing_waits_for_a_listener_that_says_nothing(start_service: StartService) -> None:
    with Collector(stalls=True) as collector:
        service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        for n in range(20):
            service.ingest(query(f"q-{n}"))
        assert service.rows("SELECT count(*) FROM voice_queries") == [(20,)]
        assert service.stop() == 0
        [lost] = [line for line in service.log() if line["event"] == "traces_lost"]
        assert lost["spans"] >= 40  # each with its transaction
        assert not service.complaints()


@pytest.mark.backends("sqlite")
def test_a_listener_that_refuses_is_told_of_once_and_what_is_lost_is_counted(start_service: StartService) -> None:
    with Collector(status=401) as collector:
        service = start_service(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)

        def refused() -> int:
            return int(
                re.findall(r'aura_trace_spans_total\{outcome="refused"\} (\d+)', service.http.get("/metrics").text)[0]
            )

        for n in range(3):
            before = refused()
            service.ingest(query(f"q-{n}"))
            until(lambda before=before: refused() > before)  # type: ignore[misc] # a default that is no parameter
        [said] = [line for line in service.log() if line["event"] == "traces_not_sent"]
        assert said["to"] == "127.0.0.1"
        assert "401" in said["reason"]
        collector.status = 200
        service.ingest(query("q-last"))
        until(lambda: collector.named("POST /ingest"))
        again = until(lambda: [line for line in service.log() if line["event"] == "traces_sent_again"])
        assert again[0]["lost"] >= 6
        assert service.stop() == 0
        assert not service.complaints()
