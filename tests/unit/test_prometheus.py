"""What is handed out for Prometheus is what Prometheus takes: by its grammar, and by its own tool where that is."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
TRIED = DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana" / "aura-analytics.json"
DOCUMENT = DEPLOY.parent / "docs" / "operations.md"
# What each server reads out of the database that all of them have, and so all say.
OF_THE_DATABASE = {
    "aura_evaluation_queue_interactions",
    "aura_evaluation_queue_oldest_age_seconds",
    "aura_judge_calls_total",
    "aura_judge_cost_usd_total",
    "aura_judge_spent_usd",
    "aura_judge_budget_usd",
    "aura_database_size_bytes",
    "aura_alert_raised",
}
# What each counts of its own requests.
COUNTED_BY_EACH = {
    "aura_http_requests_total",
    "aura_http_request_duration_seconds_bucket",
    "aura_ingest_events_total",
    "aura_refusals_total",
    "aura_trace_spans_total",
}
# What is of each by itself, and what nobody adds up.
OF_EACH = {
    "aura_build_info",
    "aura_part_up",
    "aura_columns_lag_seconds",
    "aura_columns_following",
    "aura_disk_free_bytes",
}
PROMTOOL = shutil.which("promtool")


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def panels() -> list[str]:
    told = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return [target["expr"].replace("$__rate_interval", "5m") for panel in told for target in panel["targets"]]


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in rules()), *panels()])
def test_every_expression_is_one(expression: str) -> None:
    assert promql_parser.parse(expression) is not None
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse(f"{expression} >")


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in rules()), *panels()])
def test_what_every_server_says_of_the_database_is_taken_once_and_what_each_counts_is_added_up(expression: str) -> None:
    found = list(asked(promql_parser.parse(expression)))
    assert found
    for name, way in found:
        if name in OF_THE_DATABASE:
            assert way == "max", name
        elif name in COUNTED_BY_EACH:
            assert way == "sum", name
        else:
            assert way in {None, "min"}, name


def test_of_every_metric_it_is_known_whether_each_server_has_its_own() -> None:
    rows = re.findall(r"^\| `(aura_\w+)[`{]", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    known = OF_THE_DATABASE | {name.removesuffix("_bucket") for name in COUNTED_BY_EACH} | OF_EACH
    assert set(rows) == known


def asked(part: Any, way: str | None = None) -> Iterator[tuple[str, str | None]]:
    """What an expression asks for, each with what is made of those that several servers say."""
    if isinstance(part, promql_parser.VectorSelector):
        yield part.name, way
    inner = str(part.op) if isinstance(part, promql_parser.AggregateExpr) else way
    for name in ("expr", "lhs", "rhs", "vector_selector"):
        if (within := getattr(part, name, None)) is not None:
            yield from asked(within, inner)
    for within in getattr(part, "args", ()):
        yield from asked(within, inner)


def test_the_tests_of_the_rules_name_every_rule() -> None:
    named = re.findall(r'alertname="(\w+)"', TRIED.read_text("utf-8"))
    assert named == [rule["alert"] for rule in rules()]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is Prometheus' own: apt-get install prometheus")
@pytest.mark.parametrize("words", [["check", "rules", RULES], ["test", "rules", TRIED]])
def test_prometheus_own_tool_takes_the_rules_and_finds_them_true(words: list[str | Path]) -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
