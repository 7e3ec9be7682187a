"""Interactions without end, for measuring: Zipf texts, 200 stores, 30 days, the same for the same number.

Some three thousand shoppers talk at once, each a few turns in one store, seconds apart; now and then one says the same
wish again in other words, and some buy something in the end.
"""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator

import msgspec

from aura_analytics.clock import now
from aura_analytics.evaluation.hearing import Terms
from aura_analytics.evaluation.rules import default_rules
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.opening import opened_store
from aura_analytics.settings import load

TEXTS = 40_000
STORES = 200
DAYS = 30
CHUNK = 4_000
TURN_MS = 20_000
# The share of sessions that end in a purchase.
BOUGHT = 0.08
INTENTS = ("product_search", "order_status", "store_info", "faq_shipping", "cart_add", "checkout", "returns", "unknown")
ACTIONS = ("PRODUCT_LOOKUP", "ORDER_STATUS", "STORE_INFO", "FAQ", "CART_ADD", "CHECKOUT", "RETURN_REQUEST", "FALLBACK")
MODELS = ("gemini-2.5-flash-lite", "gemini-2.5-flash", "gpt-5-mini")
THINGS = ("red shoes", "a rain jacket", "sourdough", "a graphics card", "a watering can", "a board game", "face cream")
WISHES = ("do you have {}", "how much is {}", "add {} to my cart", "is {} in stock", "where do i find {}", "compare {}")


class Shopper(msgspec.Struct):
    """Somebody who is talking: where, as whom, how many turns are left, and what was said last."""

    store: str
    session: str
    turns: int
    said: int | None = None


def text_of(number: int) -> str:
    """Give the text of a number; the smaller, the more frequent."""
    return f"{WISHES[number % len(WISHES)].format(THINGS[number % len(THINGS)])} {number}"


def made(count: int, *, until: int, seed: int = 7) -> Iterator[list[Event]]:
    """Give `count` interactions, a query and nearly always an outcome each, in the order of their time.

    Args:
        count: interactions.
        until: epoch milliseconds of the last one.
        seed: another seed, other interactions.
    """
    chance = random.Random(seed)
    step = DAYS * 86_400_000 / count
    # So many talk at once that each of them has a turn every twenty seconds.
    shoppers = [_shopper(chance, n) for n in range(max(1, round(TURN_MS / step)))]
    sessions = len(shoppers)
    chunk: list[Event] = []
    for n in range(count):
        place = chance.randrange(len(shoppers))
        shopper = shoppers[place]
        moment = until - round((count - n) * step) + chance.randrange(1000)
        chunk += _interaction(chance, n, shopper, moment)
        shopper.turns -= 1
        if shopper.turns == 0:
            if chance.random() < BOUGHT:
                chunk.append(bought(chance, shopper.store, shopper.session, moment))
            shoppers[place] = _shopper(chance, sessions)
            sessions += 1
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def bought(chance: random.Random, store: str, session: str, moment: int) -> VoiceConversion:
    """Give what a session that ended at a moment led to."""
    return VoiceConversion(
        id=f"order-{session}",
        session_id=session,
        store_id=store,
        occurred_at=moment + chance.randrange(5_000, 600_000),
        received_at=moment + 600_000,
        value=round(chance.lognormvariate(3.5, 0.8), 2),
        currency="EUR",
        order_id=session,
    )


def _shopper(chance: random.Random, number: int) -> Shopper:
    store = f"store-{min(STORES, int(chance.paretovariate(0.8)))}"
    return Shopper(store, f"session-{number}", 1 + min(20, int(chance.expovariate(0.33))))


def _interaction(chance: random.Random, n: int, shopper: Shopper, moment: int) -> list[Event]:
    again = shopper.said is not None and chance.random() < 0.06
    text = shopper.said if again and shopper.said is not None else min(TEXTS - 1, int(chance.paretovariate(0.6)) - 1)
    shopper.said = text
    words = text_of(text)
    kind = text % len(INTENTS)
    id = f"{moment:013x}-{n:08x}"
    query = VoiceQuery(
        id=id,
        store_id=shopper.store,
        session_id=shopper.session,
        created_at=moment,
        received_at=moment,
        query_text=f"no i said {words}" if again else words,
        transcription_conf=round(chance.triangular(0.4, 1.0, 0.95), 2),
        intent=INTENTS[kind],
        fast_path=chance.random() < 0.1,
    )
    if chance.random() >= 0.98:
        return [query]
    success = chance.random() < 0.85
    outcome = VoiceOutcome(
        query_id=id,
        occurred_at=moment + 1500,
        received_at=moment + 1500,
        answer_text=f"Yes, we have {THINGS[text % len(THINGS)]} for you.",
        model_name=MODELS[n % 3],
        latency_ms=round(chance.lognormvariate(7.2, 0.6)),
        tokens_prompt=chance.randrange(150, 400),
        tokens_completion=chance.randrange(10, 90),
        cost_usd=round(chance.uniform(0.0001, 0.0015), 7),
        action_taken=ACTIONS[kind],
        action_success=success,
        error_flag=not success and chance.random() < 0.2,
        tool_calls=["search"],
    )
    return [query, outcome]


async def fill(database: str, count: int) -> None:
    """Load interactions through the store and label them by the rules."""
    settings = load({}, overrides={"AURA_DATABASE_URL": database})
    async with opened_store(settings) as store:
        started = time.perf_counter()
        for chunk in made(count, until=now()):
            await store.append(chunk)
        print(f"{count:,} interactions in {time.perf_counter() - started:.1f} s", flush=True)
        started = time.perf_counter()
        tally = await Evaluator(store, None, Terms(rules=default_rules(), batch_size=5_000)).run()
        print(f"{tally.labelled:,} labels in {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("database", help="sqlite:///PATH")
    arguments.add_argument("count", type=int)
    given = arguments.parse_args()
    asyncio.run(fill(given.database, given.count))
