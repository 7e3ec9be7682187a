"""Judges of every provider, made without a word to the network."""

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.candidate import Candidate, candidates
from aura_analytics.evaluation.judgement import Judge
from aura_analytics.evaluation.provider import MakeJudge, judge_of, make_model
from aura_analytics.evaluation.rubric import default_rubric
from aura_analytics.events.records import JudgeCall
from aura_analytics.settings import Settings
from canned_models import VERDICT
from judging import KEY, OpenGate, case


def prepared(**given: Any) -> MakeJudge:
    """What makes the judge of these settings."""
    settings = Settings(**given)
    return judge_of(settings, candidates(settings), default_rubric())


def judge(**given: Any) -> Judge:
    """The judge of these settings, behind a gate that stands open."""
    return prepared(**given)(OpenGate())


async def test_one_model_is_a_judge(llmock: LLMock) -> None:
    """By its name."""
    llmock.reply(json.dumps(VERDICT))
    async with aclosing(judge(gemini_api_key=KEY, eval_base_url=llmock.base_url("gemini"))) as one:
        assert one.name == "google:gemini-2.5-flash-lite"
        assert (await one.judge(case(), [])).model == one.name


async def test_two_models_are_a_cascade(llmock: LLMock) -> None:
    """Of two providers, each with its own key; each request is noted as that of the model it went to."""
    two = judge(
        gemini_api_key=KEY,
        anthropic_api_key=KEY,
        eval_model="google:gemini-2.5-flash-lite,anthropic:claude-haiku-4-5",
        eval_base_url=f"{llmock.base_url('gemini')},{llmock.base_url('anthropic')}",
        eval_cascade_below=0.95,
    )
    llmock.reply(json.dumps(VERDICT), provider="gemini")
    llmock.reply(json.dumps(VERDICT | {"label": "GOOD"}), provider="anthropic")
    calls: list[JudgeCall] = []
    async with aclosing(two):
        judgement = await two.judge(case(), calls)
    assert (judgement.label, judgement.model) == ("GOOD", "anthropic:claude-haiku-4-5")
    assert ",".join(call.model for call in calls) == two.name


async def test_a_server_of_one_s_own_is_asked_without_a_key(llmock: LLMock) -> None:
    """By its model's name; what it costs isn't known."""
    llmock.reply(json.dumps(VERDICT))
    calls: list[JudgeCall] = []
    async with aclosing(judge(eval_model="openai-chat:llama", eval_base_url=llmock.base_url("openai"))) as own:
        await own.judge(case(), calls)
    assert llmock.last_request.body["model"] == "llama"
    assert calls[0].cost_usd is None
    assert calls[0].tokens_prompt


async def test_a_written_price_is_what_it_costs(llmock: LLMock) -> None:
    """Also where another one is known."""
    calls: list[JudgeCall] = []
    given = {"gemini_api_key": KEY, "eval_base_url": llmock.base_url("gemini"), "eval_price": "1000/3000"}
    async with aclosing(judge(**given)) as one:
        await one.judge(case(), calls)
    [call] = calls
    assert call.cost_usd == pytest.approx(call.tokens_prompt / 1_000 + 3 * call.tokens_completion / 1_000)


def test_a_day_s_money_needs_a_price() -> None:
    """Nobody could tell when it is spent."""
    local = {"eval_model": "openai-chat:llama", "eval_base_url": "http://127.0.0.1:1/v1", "eval_daily_budget_usd": 5.0}
    with pytest.raises(SettingsError, match="EVAL_DAILY_BUDGET_USD can't be kept: nobody knows what openai-chat:llama"):
        prepared(**local)
    assert prepared(**local, eval_price="0/0")


@pytest.mark.parametrize("model", ["nobody:model", "gateway:x", "bedrock:a"])
def test_a_provider_that_can_t_be_asked_is_a_wrong_setting(model: str) -> None:
    """It isn't known, takes no key, or its package isn't there."""
    with pytest.raises(SettingsError, match=f"EVAL_MODEL takes provider:model|{model} needs a package"):
        make_model(Candidate(model=model, api_key=KEY))


@pytest.mark.parametrize(
    ("package", "model", "says"),
    [
        ("openai", "openai:gpt-4o-mini", "pip install 'aura-analytics[openai]'"),
        ("openai", "ollama:llama3.2", "pip install 'aura-analytics[openai]'"),
        ("anthropic", "anthropic:claude-haiku-4-5", "pip install 'aura-analytics[anthropic]'"),
        ("mistralai", "mistral:mistral-small-latest", "pip install 'pydantic-ai-slim[mistral]'"),
    ],
)
async def test_a_missing_package_is_named(package: str, model: str, says: str) -> None:
    """In a process of its own, where it can't be imported."""
    script = f"""
import sys
sys.modules[{package!r}] = None
from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.candidate import Candidate
from aura_analytics.evaluation.provider import make_model
try:
    make_model(Candidate(model={model!r}, api_key="key", base_url="http://127.0.0.1:1"))
except SettingsError as error:
    print(error)
"""
    ran = await asyncio.to_thread(_run, script)
    assert ran.stdout == f"{model} needs a package that isn't there: {says}\n", ran.stderr


async def test_nothing_is_asked_of_the_network_before_a_judgement() -> None:
    """Import and construction open no connection and look up no name."""
    script = """
import sys
def hook(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, args[1:], file=sys.stderr); sys.exit(9)
sys.addaudithook(hook)
from aura_analytics.evaluation.candidate import Candidate
from aura_analytics.evaluation.provider import make_model
for model in "google:gemini-2.5-flash-lite", "openai:gpt-4o-mini", "anthropic:claude-haiku-4-5":
    make_model(Candidate(model=model, api_key="key"))
"""
    ran = await asyncio.to_thread(_run, script)
    assert ran.returncode == 0, ran.stderr


def _run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=100)
