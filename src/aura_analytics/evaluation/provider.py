"""The providers: every model that pydantic-ai can speak to, by one string of provider and model."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from httpx2 import AsyncClient, Request
from pydantic_ai import exceptions
from pydantic_ai.models import Model, create_async_httpx2_client, infer_model
from pydantic_ai.providers import Provider, infer_provider_class

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.candidate import Candidate
from aura_analytics.evaluation.cascade import Cascade
from aura_analytics.evaluation.judge import ModelJudge
from aura_analytics.evaluation.judgement import Gate, Judge
from aura_analytics.evaluation.price import Price, known_price, read_price
from aura_analytics.evaluation.rubric import Rubric
from aura_analytics.settings import Settings
from aura_analytics.spans import current

ATTEMPTS = 3
"""How often one interaction is asked about before it goes back to the queue."""

MakeJudge = Callable[[Gate], Judge]
"""Makes a judge behind a gate, once everything that can be wrong about it has been looked at."""

# Extras of our own; the SDK of any other provider is an extra of pydantic-ai.
_EXTRAS = frozenset({"anthropic", "openai"})
_EXTRA = re.compile(r"pydantic-ai-slim\[([\w-]+)\]")


def judge_of(settings: Settings, named: Sequence[Candidate], rubric: Rubric) -> MakeJudge:
    """Prepare the judge that the settings name, without a word to the network.

    Args:
        settings: how patient it is, what a day may cost, and when the second model is asked.
        named: one model, or two.
        rubric: what they are told.

    Raises:
        SettingsError: a provider isn't known or not installed, or a day's money is set and a price isn't known.
    """
    made = [(one, price_of(settings, one), *make_model(one)) for one in named]

    def make(gate: Gate) -> Judge:
        judges = [
            ModelJudge(
                one.model,
                model,
                client,
                gate=gate,
                rubric=rubric,
                price=price,
                timeout_s=settings.eval_timeout_seconds,
                attempts=ATTEMPTS,
            )
            for one, price, model, client in made
        ]
        return judges[0] if len(judges) == 1 else Cascade(judges[0], judges[1], settings.eval_cascade_below)

    return make


def make_model(candidate: Candidate) -> tuple[Model, AsyncClient]:
    """Make a model, and the HTTP client that it asks with, which is the caller's to close.

    Raises:
        SettingsError: the provider isn't known or not installed.
    """
    client = create_async_httpx2_client()
    client.event_hooks = {"request": [_hand_on]}
    try:
        return infer_model(candidate.model, lambda kind: _provider(kind, candidate, client)), client
    except ImportError as error:
        raise SettingsError(f"{candidate.model} needs a package that isn't there: {_install(error)}") from error
    except (exceptions.UserError, ValueError, TypeError) as error:
        # TypeError: a provider that has no key or no address of one's own choice, so it can't be a judge here.
        raise SettingsError(
            f"EVAL_MODEL takes provider:model, such as google:gemini-2.5-flash-lite; {candidate.model!r} can't be used"
        ) from error


def _provider(kind: str, candidate: Candidate, client: AsyncClient) -> Provider[Any]:
    # Any: each provider has a client type of its own.
    make: Callable[..., Provider[Any]] = infer_provider_class(kind)
    where = {"base_url": candidate.base_url} if candidate.base_url else {}
    provider = make(api_key=candidate.api_key, http_client=client, **where)
    if hasattr(provider.client, "max_retries"):
        # OpenAI's and Anthropic's would try again behind our back; google-genai doesn't. To say it with each request
        # instead would copy the client each time.
        provider.client.max_retries = 0
    return provider


async def _hand_on(request: Request) -> None:
    """Tell a provider which trace a request belongs to (W3C), if it is of one."""
    if (span := current()) is not None:
        request.headers["traceparent"] = span.traceparent


def _install(error: ImportError) -> str:
    found = _EXTRA.search(str(error))
    if found is None:
        return f"pip install {error.name}"
    package = "aura-analytics" if found[1] in _EXTRAS else "pydantic-ai-slim"
    return f"pip install '{package}[{found[1]}]'"


def price_of(settings: Settings, candidate: Candidate) -> Price | None:
    """Give a model's price; None where it isn't known.

    Raises:
        SettingsError: a day's money is set, and the price isn't known.
    """
    price = read_price(candidate.price) if candidate.price else known_price(candidate.model)
    if price is None and settings.eval_daily_budget_usd:
        raise SettingsError(
            f"EVAL_DAILY_BUDGET_USD can't be kept: nobody knows what {candidate.model} costs; EVAL_PRICE takes it"
        )
    return price
