"""Servers and evaluators of one PostgreSQL that are killed while events come in, and the database restarted beside them.

The long version of it, with more of everything, is `bench/crowd.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CROWD = Path(__file__).parents[2] / "bench" / "crowd.py"
STORES, ENDPOINTS, SERVERS = 5, 5, 2  # all together are one more store
# What has to be nothing at all, whatever was killed.
NOTHING = (
    "acknowledged and lost",
    "stored twice",
    "stored with other content",
    "called new too often",
    "called new too seldom",
    "not labelled once",
    "labelled wrongly",
    "labelled again though nothing came late",
    "labelled more than twice",
    "left in the queue",
    "failed to be labelled",
    "numbers wrong or too old",
    "deadlocks",
)


@pytest.mark.timeout(240)
def test_nothing_is_lost_doubled_or_told_too_late_by_servers_that_are_killed() -> None:
    arguments = ("--seconds", "6", "--servers", f"{SERVERS}", "--evaluators", "2", "--rate", "40", "--every", "3")
    ran = subprocess.run(
        [sys.executable, CROWD, *arguments, "--json"], capture_output=True, text=True, timeout=230, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    numbers = found["numbers"]
    assert found["wrong"] == []
    assert {name: numbers[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert numbers["kills of a server and an evaluator"] == 1
    assert numbers["events acknowledged"] == numbers["rows"] > 0
    assert numbers["numbers checked for freshness"] > 0
    assert numbers["calls of the judge"] >= numbers["interactions for the judge"] > 0
    # Once when all was calm, and once more when a server had come back that was forgotten meanwhile.
    assert numbers["statistics compared"] == 2 * SERVERS * STORES * ENDPOINTS
