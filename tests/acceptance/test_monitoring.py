"""What is handed out for Prometheus and Grafana asks only for what a running service tells, and so does the document."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from acceptance.model import Model, text
from acceptance.service import Service, outcome, query, until

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "aura-analytics.json"
DOCUMENT = ROOT / "docs" / "operations.md"
NAME = re.compile(r"\b((?:aura|process)_[a-z0-9_]+)\b")
pytestmark = pytest.mark.backends("sqlite")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """All families that a service tells whose every part has something to tell, by the names of their samples."""
    with (
        Model() as model,
        Service(
            tmp_path_factory.mktemp("told"),
            **model.settings,
            EVAL_INTERVAL_SECONDS="0.1",
            EVAL_GRACE_SECONDS="0",
            EVAL_DAILY_BUDGET_USD="3",
            ALERTS_INTERVAL_SECONDS="0.1",
            WEBHOOK_URLS="http://127.0.0.1:9/",
            WEBHOOK_SECRET="whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        ) as service,
    ):
        service.ingest(query("q", query_text=text(1)), outcome("q", action_success=None, answer_text="yes"))
        service.http.get("/stats/summary?period=nonsense")
        answer = until(
            lambda: found if "aura_judge_calls_total{" in (found := service.http.get("/metrics").text) else ""
        )
        yield {sample.name: family for family in text_string_to_metric_families(answer) for sample in family.samples}


def expressions() -> list[str]:
    rules = [rule["expr"] for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    return rules + [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_asks_for_what_is_told(told: dict[str, Any], expression: str) -> None:
    names = set(NAME.findall(expression))
    assert names or expression.startswith("up{")
    assert names <= told.keys()
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)
    for labels in re.findall(r"((?:aura|process)_[a-z0-9_]+)\{([^}]*)\}", expression):
        known = {label for sample in told[labels[0]].samples for label in sample.labels} | {"job", "instance"}
        assert set(re.findall(r"(\w+)\s*[=!]", labels[1])) <= known


def test_every_rule_says_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"].keys() >= {"summary", "action"}
            section = re.search(r"“(.+)”", rule["annotations"]["action"])
            assert section is None or f"### {section[1]}" in DOCUMENT.read_text("utf-8")


def test_the_document_lists_every_metric_with_what_it_says(told: dict[str, Any]) -> None:
    ours = {family.name: family for family in told.values() if family.name.startswith("aura_")}
    rows = re.findall(
        r"^\| `(aura_\w+)(?:\{([\w, ]*)\})?` \| (\w+) \| (.+?) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    listed = {name: (kind, said) for name, _, kind, said in rows}

    def written(family: Any) -> str:
        return f"{family.name}_total" if family.type == "counter" else family.name

    expected = {written(family): (family.type, family.documentation) for family in ours.values()}
    assert listed == expected


def commands() -> list[str]:
    """What the document has people type, but for what goes on and on, or into a pipe."""
    blocks = re.findall(r"```console\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    typed = [line for block in blocks for line in block.splitlines() if line.startswith("aura-analytics ")]
    ending = [line for line in typed if "|" not in line and (" tail" not in line or "--no-follow" in line)]
    return sorted(set(ending))


def test_the_document_s_commands_do_what_they_say(shared: Service) -> None:
    # One service and one after another: each is a process.
    for line in commands():
        if "keys create" in line:
            continue  # it would close the service that others use
        done = shared.aura(*line.removeprefix("aura-analytics ").split())
        said = done.stderr.decode()
        assert "Usage:" not in said, line
        assert "Traceback" not in said, line
        assert done.returncode in (0, 1), (line, said)
        assert done.stdout or "alerts test" in line or "tail" in line, line
