"""What is handed out for Prometheus is what Prometheus takes: by its grammar, and by its own tool where that is."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import promql_parser
import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
TRIED = DEPLOY / "prometheus" / "alerts_test.yml"
DASHBOARD = DEPLOY / "grafana" / "aura-analytics.json"
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


def test_the_tests_of_the_rules_name_every_rule() -> None:
    named = re.findall(r'alertname="(\w+)"', TRIED.read_text("utf-8"))
    assert named == [rule["alert"] for rule in rules()]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is Prometheus' own: apt-get install prometheus")
@pytest.mark.parametrize("words", [["check", "rules", RULES], ["test", "rules", TRIED]])
def test_prometheus_own_tool_takes_the_rules_and_finds_them_true(words: list[str | Path]) -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
