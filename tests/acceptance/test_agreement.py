"""How good the judge is, as a service says it: people's labels beside the automatic ones, and recorded interactions."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from acceptance.conftest import MakeDatabase
from acceptance.service import Service, ndjson, outcome, query, until
from aura_analytics.events.records import Label, Verdict
from aura_analytics.settings import Settings
from aura_analytics.store import make_store

StartService = Callable[..., Service]

DATA = Path(__file__).parents[3] / "shared" / "data"
EVENTS, REFERENCE = DATA / "slurp.events.ndjson.gz", DATA / "slurp.reference.ndjson.gz"
LATER = 4_000_000_000_000
SETTINGS = {"EVAL_INTERVAL_SECONDS": "86400", "EVAL_GRACE_SECONDS": "0"}


def as_a_person(service: Service, labels: Mapping[str, Label]) -> None:
    """Give labels as a person does, to interactions whose outcomes have just come and made them due again."""

    async def label() -> int:
        store = make_store(Settings(aura_database_url=service.database_url))
        await store.open()
        try:
            claims = await store.claim_due(1_000, now=LATER, lease_ms=60_000)
            return await store.settle(
                [
                    (
                        claim,
                        Verdict(
                            query_id=claim.query_id,
                            label=labels[claim.query_id],
                            reason="looked_at",
                            confidence=1.0,
                            evaluated_at=LATER,
                            evaluated_by="human",
                            method="Ada",
                        ),
                    )
                    for claim in claims
                ]
            )
        finally:
            await store.close()

    assert asyncio.run(label()) == len(labels)


@pytest.fixture
def judged(start_service: StartService) -> Service:
    """A service with 120 interactions; the rules called 40 BAD and 80 REVIEW, and a person has labelled every third."""
    service = start_service(**SETTINGS)
    heard = [0.1 if n % 6 < 2 else 0.7 for n in range(120)]
    ids = [f"q{n:03}" for n in range(120)]
    service.ingest(*(query(id, transcription_confidence=one) for id, one in zip(ids, heard, strict=True)))
    assert service.aura("evaluate").stdout.startswith(b"120 labelled")
    looked_at = ids[::3]
    service.ingest(*(outcome(id) for id in looked_at))
    # A person agrees with BAD but for one in ten, and finds every fourth of the rest BAD.
    truth: dict[str, Label] = {
        id: ("REVIEW" if place % 20 == 0 else "BAD") if place % 2 == 0 else ("BAD" if place % 8 == 1 else "REVIEW")
        for place, id in enumerate(looked_at)
    }
    as_a_person(service, truth)
    return service


def test_people_s_labels_are_told_beside_the_automatic_ones(judged: Service) -> None:
    found = judged.get("/stats/agreement", period="24h")
    assert (found["truth"], found["known"], found["pairs"], found["others"]) == ("human", 40, 40, 80)
    cells = {(cell["automatic"], cell["truth"]): cell["count"] for cell in found["confusion"] if cell["count"]}
    assert cells == {("BAD", "BAD"): 18, ("BAD", "REVIEW"): 2, ("REVIEW", "BAD"): 5, ("REVIEW", "REVIEW"): 15}
    assert found["accuracy"]["value"] == pytest.approx(33 / 40)
    rate = found["badRate"]
    assert rate["plain"]["value"] == pytest.approx(23 / 40)
    assert rate["automatic"] == pytest.approx(40 / 120)
    # Half of those looked at were called BAD, and a quarter of the others: the sample isn't a random one, and says so.
    assert rate["samplingP"] < 0.01
    assert rate["corrected"]["low"] < rate["corrected"]["value"] < rate["plain"]["value"]
    assert judged.get("/stats/agreement", period="24h", store="elsewhere")["accuracy"] is None
    assert judged.http.get("/stats/agreement?label=BAD").status_code == 400


@pytest.mark.backends("sqlite")
def test_the_command_says_the_same_with_and_without_the_server(judged: Service) -> None:
    told = judged.get("/stats/agreement", period="all")
    assert json.loads(judged.aura("judge", "report").stdout) == told
    judged.stop()
    assert json.loads(judged.aura("judge", "report", "--json").stdout) == told


def test_what_a_person_says_counts_at_once(start_service: StartService) -> None:
    service = start_service(**SETTINGS)
    service.ingest(query("a", transcription_confidence=0.1))
    service.aura("evaluate")
    assert service.get("/stats/agreement")["known"] == 0
    service.ingest(outcome("a"))
    as_a_person(service, {"a": "GOOD"})
    found = until(lambda: service.get("/stats/agreement")["confusion"])
    assert {"automatic": "BAD", "truth": "GOOD", "count": 1} in found


@pytest.mark.backends("sqlite")
def test_a_reference_that_cannot_be_read_is_one_line(judged: Service) -> None:
    ran = judged.aura("judge", "report", "--reference", "-", stdin=ndjson([{"query_id": "q000"}]))
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (1, b"", 1)
    assert b"neither label nor intent_correct" in ran.stderr


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("recorded")
    with Service(folder, make_database(folder), **SETTINGS) as service:
        assert service.aura("ingest", EVENTS).returncode == 0
        assert service.aura("evaluate").returncode == 0
        yield service


@pytest.mark.skipif(not REFERENCE.exists(), reason="the real interactions aren't beside this repository")
def test_recorded_interactions_are_held_against_what_annotators_said(recorded: Service) -> None:
    truth = {
        line["query_id"]: "GOOD" if line["intent_correct"] else "BAD"
        for line in map(json.loads, gzip.decompress(REFERENCE.read_bytes()).splitlines())
    }
    labels: dict[str, str] = dict(recorded.rows("SELECT query_id, label FROM voice_evaluations"))
    expected = Counter((labels[id], truth[id]) for id in truth)

    found: Any = json.loads(recorded.aura("judge", "report", "--reference", REFERENCE).stdout)

    assert (found["truth"], found["known"], found["pairs"]) == ("reference", 7_575, 7_575)
    assert {
        (cell["automatic"], cell["truth"]): cell["count"] for cell in found["confusion"] if cell["count"]
    } == expected
    assert found["accuracy"]["value"] == pytest.approx(sum(n for (a, t), n in expected.items() if a == t) / 7_575)
    assert found["badRate"]["plain"]["value"] == pytest.approx(sum(t == "BAD" for t in truth.values()) / 7_575)
