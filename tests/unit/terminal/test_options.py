"""The options: those that were said go to the endpoint, under its own names."""

import json
from typing import Any

import typer
from typer.testing import CliRunner

from aura_analytics.terminal import options, reading
from aura_analytics.terminal.options import Option

SEVERAL = ("store", "intent", "model", "source", "label", "reason", "action")


def test_what_was_not_said_is_left_out() -> None:
    asked = (*options.SCOPE, options.NORMALIZE, options.LIMIT, options.HOW_MANY)
    values: dict[str, Any] = {option.key: None for option in asked} | {"normalize": False, "store": []}

    assert options.given(asked, values) == {}
    assert options.given(asked, values | {"normalize": True, "examples": 0, "from_": "0", "store": ["a", "b"]}) == {
        "normalize": "true",
        "examples": 0,
        "from": "0",
        "store": ["a", "b"],
    }


def test_a_scope_is_handed_on_apart_from_the_command_s_own_options() -> None:
    app = typer.Typer()

    @app.command()
    @options.scoped(without="label")
    def command(where: dict[str, Any], label: str = "GOOD") -> None:
        typer.echo(json.dumps([where, label]))

    ran = CliRunner().invoke(app, ["--store", "a", "--store", "b", "--latency-min", "5", "--label", "BAD"])

    assert json.loads(ran.stdout) == [{"store": ["a", "b"], "latency_min": "5"}, "BAD"]


def test_each_filter_is_an_option_of_each_reading_command() -> None:
    names = {option.name for option in options.SCOPE}

    assert {"period", "from", "to", "user", "session", "text", "latency_min", "confidence_max", *SEVERAL} <= names
    for one in (*reading.STATISTICS, *reading.INSIGHTS, reading.PAGES):
        assert not names & {option.name for option in one.own}


def test_a_name_that_python_keeps_for_itself_is_an_option_all_the_same() -> None:
    assert Option(name="from", help="").key == "from_"
    assert Option(name="latency_min", help="").key == "latency_min"
