"""The service in numbers: what was counted is what was done, on each database, and only with a key where there are some."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from acceptance.conftest import StartService
from acceptance.model import Model, text
from acceptance.service import Service, outcome, query, until

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(service: Service, **headers: str) -> Samples:
    answer = service.http.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def test_what_is_counted_is_what_was_done(start_service: StartService, name: str) -> None:
    service = start_service(EVAL_INTERVAL_SECONDS="3600")
    service.ingest(query(f"{name}-1"), query(f"{name}-2"))
    service.ingest(query(f"{name}-1"))
    assert service.http.post("/ingest", json=[query(f"{name}-3"), {"event_type": "odd"}]).status_code == 207
    assert service.http.post("/ingest", json=[{"event_type": "odd"}]).status_code == 400
    assert service.http.post("/ingest", content=b"").status_code == 400
    service.http.get(f"/interactions/{name}-1")
    service.http.get("/stats/summary?period=nonsense")
    service.http.request("PURGE", f"/{name}")

    found = samples(service)
    assert value(found, "aura_ingest_events_total", outcome="accepted") == 3
    assert value(found, "aura_ingest_events_total", outcome="duplicate") == 1
    assert value(found, "aura_ingest_events_total", outcome="rejected") == 2
    assert value(found, "aura_http_requests_total", method="POST", route="/ingest", status="200") == 2
    assert value(found, "aura_http_requests_total", method="POST", route="/ingest", status="400") == 2
    assert value(found, "aura_http_request_duration_seconds_count", method="POST", route="/ingest") == 5
    assert value(found, "aura_http_request_duration_seconds_bucket", method="POST", route="/ingest", le="+Inf") == 5
    route = "/interactions/{query_id:path}"
    assert value(found, "aura_http_requests_total", method="GET", route=route, status="200") == 1
    assert value(found, "aura_refusals_total", code="invalid_parameter") == 1
    assert value(found, "aura_refusals_total", code="malformed_body") == 1
    assert name not in service.http.get("/metrics").text  # neither ids nor paths are labels
    until(lambda: value(samples(service), "aura_evaluation_queue_interactions", state="waiting") == 3)
    until(lambda: value(samples(service), "aura_columns_following") == 1)
    found = samples(service)
    assert {labels: up for (one, labels), up in found.items() if one == "aura_part_up" and up != 1} == {}
    assert value(found, "aura_database_size_bytes") > 0
    assert value(found, "aura_disk_free_bytes", of="columns") > 0
    assert value(found, "process_resident_memory_bytes") > 0
    assert [labels for one, labels in found if one == "aura_build_info"]


@pytest.mark.backends("sqlite")
def test_what_the_judge_was_asked_is_told(start_service: StartService, name: str) -> None:
    with Model() as model:
        service = start_service(
            **model.settings, EVAL_INTERVAL_SECONDS="0.1", EVAL_GRACE_SECONDS="0", EVAL_DAILY_BUDGET_USD="3"
        )
        service.ingest(query(name, query_text=text(1)), outcome(name, action_success=None, answer_text="yes"))
        labels = {"model": "google:gemini-2.5-flash-lite", "outcome": "answered"}
        until(lambda: value(samples(service), "aura_judge_calls_total", **labels) == 1)
        assert value(samples(service), "aura_judge_cost_usd_total", model=labels["model"]) > 0
        assert value(samples(service), "aura_judge_budget_usd") == 3


@pytest.mark.backends("sqlite")
def test_who_watches_needs_a_key_that_opens_nothing_else(start_service: StartService) -> None:
    service = start_service()
    made = {
        scope: service.aura("keys", "create", scope, "--scope", scope).stdout.decode().strip()
        for scope in ("metrics", "ingest", "read")
    }
    until(lambda: service.http.get("/metrics").status_code == 401)
    bearer = {"authorization": f"Bearer {made['metrics']}"}
    assert samples(service, **bearer)
    assert service.http.get("/stats/summary", headers=bearer).status_code == 403
    assert service.http.get("/metrics", headers={"x-api-key": made["ingest"]}).status_code == 403
    assert service.http.get("/metrics", headers={"x-api-key": made["read"]}).status_code == 200
    assert value(samples(service, **bearer), "aura_refusals_total", code="forbidden") >= 2


@pytest.mark.backends("sqlite")
def test_openmetrics_is_spoken_too(shared: Service) -> None:
    answer = shared.http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.count("# EOF") == 1
    assert answer.text.endswith("# EOF\n")
    assert httpx.head(f"{shared.url}/metrics", trust_env=False).content == b""


@pytest.mark.backends("sqlite")
def test_without_statistics_the_rest_is_told(start_service: StartService) -> None:
    service = start_service(AURA_STATISTICS="off")
    found = samples(service)
    assert value(found, "aura_part_up", part="columns") == 0
    assert value(found, "aura_part_up", part="queue") == 1
