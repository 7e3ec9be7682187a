"""The price: what a model's tokens cost, by the list that genai-prices brings, or as the settings say.

Nothing is asked of the network: the list is that of the installed version.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import AbstractUsage, ModelPrice, Usage

from aura_analytics.errors import SettingsError

_MANY = 10_000  # tokens, for the price of one: so few that no provider asks more for each of so many

_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")


class Price:
    """What a model's tokens cost.

    Args:
        calculate: gives what some usage costs, in US dollars.
    """

    def __init__(self, calculate: Callable[[AbstractUsage], Decimal]) -> None:
        self._calculate = calculate
        self._prompt = self.of(Usage(input_tokens=_MANY)) / _MANY
        self._answer = self.of(Usage(output_tokens=_MANY)) / _MANY

    def of(self, usage: AbstractUsage) -> float:
        """Give what was used costs, in US dollars: cached tokens and thoughts at their own price, where they have one."""
        return float(self._calculate(usage))

    def expected(self, prompt: int, answer: int) -> float:
        """Give what so many tokens would cost, in US dollars, were none of them cached."""
        return prompt * self._prompt + answer * self._answer


def known_price(model: str) -> Price | None:
    """Look a model up, such as `google:gemini-2.5-flash-lite`; None where its price isn't known."""
    provider_id, _, name = model.partition(":")
    try:
        provider, info = get_snapshot().find_provider_model(name, None, provider_id, None)
    except LookupError:
        return None

    def calculate(usage: AbstractUsage) -> Decimal:
        # Some prices depend on the time of the day.
        return info.calc_price(usage, provider, genai_request_timestamp=datetime.now(UTC)).total_price

    return Price(calculate)


def read_price(text: str) -> Price:
    """Read a price as a person writes it: US dollars for a million tokens of prompt and of answer, such as 0.10/0.40.

    Raises:
        SettingsError: it is written in another way.
    """
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise SettingsError(f"EVAL_PRICE takes dollars for a million tokens, such as 0.10/0.40; {text!r} is no price")
    price = ModelPrice(input_mtok=Decimal(found[1]), output_mtok=Decimal(found[2]))
    return Price(lambda usage: price.calc_price(usage)["total_price"])
