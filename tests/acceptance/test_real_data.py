"""7,575 real spoken interactions: every statistic equals a count that plain Python makes of the file."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from acceptance.conftest import MakeDatabase
from acceptance.service import Event, Service

DATA = Path(__file__).parents[3] / "shared" / "data" / "slurp.events.ndjson.gz"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason="the real interactions aren't beside this repository")

ENDPOINTS = ("summary", "top-queries", "unanswered", "hourly", "dataset")


class Interaction(msgspec.Struct, frozen=True):
    """A query and its outcome as the file has them, and what the contract's rules say of them."""

    query: Event
    outcome: Event
    at: int
    label: str
    label_reason: str

    @property
    def text(self) -> tuple[str, str | None]:
        """What the lists group by."""
        return self.query["query_text"], self.query.get("intent")

    @property
    def successful(self) -> bool:
        return self.outcome.get("action_success") == 1

    @property
    def failed(self) -> bool:
        return self.outcome.get("action_success") == 0 or self.outcome.get("error_flag") == 1

    @property
    def reasons(self) -> set[str]:
        """Why it counts as unanswered; the file knows no latency and has an outcome for each query."""
        found = {
            "error": self.outcome.get("error_flag") == 1,
            "action_failed": self.outcome.get("action_success") == 0,
            "bad_quality": self.label == "BAD",
            "needs_review": self.label == "REVIEW",
        }
        return {reason for reason, fits in found.items() if fits}


def by_the_rules(query: Event, outcome: Event) -> tuple[str, str]:
    """The contract's table, first fit; without a key the rest is for review. No latency is known in this file."""
    heard = query["transcription_confidence"]
    rules = (
        (heard < 0.5, "BAD", "very_low_transcription_confidence"),
        (len(query["query_text"]) < 3, "BAD", "query_too_short"),
        (heard < 0.8, "REVIEW", "low_transcription_confidence"),
        (bool(query.get("fast_path")) and heard > 0.95, "GOOD", "high_confidence_fast_path"),
        (bool(outcome.get("error_flag")), "BAD", "error_occurred"),
        (bool(outcome.get("action_taken")) and outcome.get("action_success") == 0, "REVIEW", "action_failed"),
        (True, "REVIEW", "no_judge_configured"),
    )
    return next((label, reason) for fits, label, reason in rules if fits)


def read() -> list[Interaction]:
    """The interactions of the file."""
    with gzip.open(DATA, "rt", encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    queries = {event["query_id"]: event for event in events if event["event_type"] == "voice_query"}
    outcomes = {event["query_id"]: event for event in events if event["event_type"] == "voice_outcome"}
    assert len(queries) + len(outcomes) == len(events)
    assert queries.keys() == outcomes.keys()
    assert not [event for event in events if "latency_ms" in event or "cost_usd" in event]
    return [
        Interaction(query, outcomes[id], _epoch_ms(query["timestamp"]), *by_the_rules(query, outcomes[id]))
        for id, query in queries.items()
    ]


def _epoch_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(scope="module")
def interactions() -> list[Interaction]:
    """What the file holds."""
    return read()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """A service whose database the file was taken into, and labelled."""
    folder = tmp_path_factory.mktemp("real")
    with Service(folder, make_database(folder), EVAL_INTERVAL_SECONDS="86400") as service:
        ran = service.aura("ingest", DATA)
        assert (ran.returncode, ran.stdout) == (0, b"15,150 accepted, 0 duplicates, 0 rejected\n"), ran.stderr
        ran = service.aura("evaluate")
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert ran.stdout.startswith(b"7,575 labelled")
        yield service


def get(service: Service, statistic: str, **parameters: Any) -> Any:
    return service.get(f"/stats/{statistic}", period="all", **parameters)


def store_of(interactions: list[Interaction], store: str | None) -> list[Interaction]:
    return [one for one in interactions if store in (None, one.query["store_id"])]


STORES = [None, "slurp-headset", "slurp-farfield"]


def of(store: str | None) -> dict[str, str]:
    return {} if store is None else {"store": store}


@pytest.mark.parametrize("store", STORES)
def test_the_summary(loaded: Service, interactions: list[Interaction], store: str | None) -> None:
    chosen = store_of(interactions, store)
    summary = get(loaded, "summary", **of(store))
    expected = {
        "storeId": store or "all",
        "period": "all",
        "totalQueries": len(chosen),
        "successfulQueries": sum(one.successful for one in chosen),
        "failedQueries": sum(one.failed for one in chosen),
        "averageLatencyMs": None,
        "totalCostUsd": 0,
        "uniqueSessions": len({one.query["session_id"] for one in chosen if one.query.get("session_id")}),
        "unansweredRate": pytest.approx(sum(bool(one.reasons) for one in chosen) / len(chosen), rel=1e-12),
    }
    assert {key: summary[key] for key in expected} == expected


def test_the_facts_of_the_file(interactions: list[Interaction]) -> None:
    assert len(interactions) == 7_575
    assert {one.query["store_id"] for one in interactions} == {"slurp-headset", "slurp-farfield"}


@pytest.mark.parametrize("limit", [20, 100_000])
@pytest.mark.parametrize("store", STORES)
def test_the_top_queries(loaded: Service, interactions: list[Interaction], store: str | None, limit: int) -> None:
    groups = defaultdict(list)
    for one in store_of(interactions, store):
        groups[one.text].append(one.successful)
    rows = get(loaded, "top-queries", limit=limit, **of(store))
    assert len(rows) == min(limit, len(groups))
    assert [row["count"] for row in rows] == sorted(map(len, groups.values()), reverse=True)[:limit]
    for row in rows:
        successes = groups[row["queryText"], row["intent"]]
        assert row["count"] == len(successes)
        assert row["successRate"] == pytest.approx(100 * sum(successes) / len(successes))
        assert row["avgLatencyMs"] is None


@pytest.mark.parametrize("limit", [20, 100_000])
def test_the_unanswered(loaded: Service, interactions: list[Interaction], limit: int) -> None:
    groups = defaultdict(list)
    for one in interactions:
        if one.reasons:
            groups[one.text].append(one)
    rows = get(loaded, "unanswered", limit=limit)
    assert len(rows) == min(limit, len(groups))
    assert [row["occurrences"] for row in rows] == sorted(map(len, groups.values()), reverse=True)[:limit]
    for row in rows:
        group = groups[row["queryText"], row["intent"]]
        assert row["occurrences"] == len(group)
        assert row["lastSeen"] == max(one.at for one in group)
        assert set(row["reasons"]) == set().union(*(one.reasons for one in group))


def test_the_hours(loaded: Service, interactions: list[Interaction]) -> None:
    hours = defaultdict(list)
    for one in interactions:
        hours[one.at // 3_600_000].append(one)
    expected = [
        {
            "hour": hour * 3_600,
            "queries": len(group),
            "successes": sum(one.successful for one in group),
            "failures": sum(one.failed for one in group),
            "avgLatencyMs": None,
            "costUsd": 0,
            "sessions": len({one.query["session_id"] for one in group if one.query.get("session_id")}),
        }
        for hour, group in sorted(hours.items(), reverse=True)
    ]
    rows = get(loaded, "hourly", limit=100_000)
    assert [row | {"hour": datetime.fromisoformat(row["hour"]).timestamp()} for row in rows] == expected


@pytest.mark.parametrize("label", ["GOOD", "REVIEW", "BAD"])
def test_the_dataset(loaded: Service, interactions: list[Interaction], label: str) -> None:
    rows = get(loaded, "dataset", label=label, limit=100_000)
    found = Counter(json.dumps(row, sort_keys=True) for row in rows)
    assert found == Counter(
        json.dumps(
            {
                "prompt": one.query["query_text"],
                "completion": None,
                "store_id": one.query["store_id"],
                "intent": one.query.get("intent"),
                "model_name": one.outcome.get("model_name"),
                "action_taken": one.outcome.get("action_taken"),
                "created_at": one.at,
            },
            sort_keys=True,
        )
        for one in interactions
        if one.label == label
    )
    moments = [row["created_at"] for row in rows]
    assert moments == sorted(moments, reverse=True)


def test_the_labels_and_their_reasons(loaded: Service, interactions: list[Interaction]) -> None:
    rows = loaded.rows("SELECT query_id, label, reason FROM voice_evaluations")
    assert {id: (label, reason) for id, label, reason in rows} == {
        one.query["query_id"]: (one.label, one.label_reason) for one in interactions
    }


def test_a_window_of_the_years(loaded: Service, interactions: list[Interaction]) -> None:
    since, to = (round(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000) for year in (2016, 2017))
    summary = loaded.get("/stats/summary", from_=since, to=to)
    assert summary["totalQueries"] == sum(since <= one.at <= to for one in interactions)


def test_the_second_time_changes_nothing(loaded: Service) -> None:
    def answers() -> dict[str, bytes]:
        parameters = {"period": "all", "limit": "100000", "label": "REVIEW"}
        return {path: loaded.http.get(f"/stats/{path}", params=parameters).content for path in ENDPOINTS}

    before = answers()
    ran = loaded.aura("ingest", DATA)
    assert (ran.returncode, ran.stdout) == (0, b"0 accepted, 15,150 duplicates, 0 rejected\n")
    ran = loaded.aura("ingest", DATA, "--url", loaded.url)
    assert (ran.returncode, ran.stdout) == (0, b"0 accepted, 15,150 duplicates, 0 rejected\n")
    assert b"0 labelled" in loaded.aura("evaluate").stdout
    assert answers() == before
    assert loaded.get("/verify")["differing"] == 0
