"""Interactions without end, for measuring: Zipf texts, 200 stores, 30 days, the same for the same number."""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator

from aura_analytics.app import opened_store
from aura_analytics.clock import now
from aura_analytics.evaluation.worker import Evaluator
from aura_analytics.events.records import Event, VoiceOutcome, VoiceQuery
from aura_analytics.settings import load

TEXTS = 40_000
STORES = 200
DAYS = 30
CHUNK = 4_000
INTENTS = ("product_search", "order_status", "store_info", "faq_shipping", "cart_add", "checkout", "returns", "unknown")
ACTIONS = ("PRODUCT_LOOKUP", "ORDER_STATUS", "STORE_INFO", "FAQ", "CART_ADD", "CHECKOUT", "RETURN_REQUEST", "FALLBACK")
MODELS = ("gemini-2.5-flash-lite", "gemini-2.5-flash", "gpt-5-mini")
THINGS = ("red shoes", "a rain jacket", "sourdough", "a graphics card", "a watering can", "a board game", "face cream")
WISHES = ("do you have {}", "how much is {}", "add {} to my cart", "is {} in stock", "where do i find {}", "compare {}")


def made(count: int, *, until: int, seed: int = 7) -> Iterator[list[Event]]:
    """Give `count` interactions, a query and nearly always an outcome each, in the order of their time.

    Args:
        count: interactions.
        until: epoch milliseconds of the last one.
        seed: another seed, other interactions.
    """
    chance = random.Random(seed)
    step = DAYS * 86_400_000 / count
    chunk: list[Event] = []
    for n in range(count):
        text = min(TEXTS - 1, int(chance.paretovariate(0.6)) - 1)
        intent = text % len(INTENTS)
        moment = until - round((count - n) * step) + chance.randrange(1000)
        id = f"{moment:013x}-{n:08x}"
        chunk.append(
            VoiceQuery(
                id=id,
                store_id=f"store-{min(STORES, int(chance.paretovariate(0.8)))}",
                session_id=f"session-{n // 4 % 1_000_000}",
                created_at=moment,
                received_at=moment,
                query_text=f"{WISHES[text % len(WISHES)].format(THINGS[text % len(THINGS)])} {text}",
                transcription_conf=round(chance.triangular(0.4, 1.0, 0.95), 2),
                intent=INTENTS[intent],
                fast_path=chance.random() < 0.1,
            )
        )
        if chance.random() < 0.98:
            success = chance.random() < 0.85
            chunk.append(
                VoiceOutcome(
                    query_id=id,
                    occurred_at=moment + 1500,
                    received_at=moment + 1500,
                    answer_text=f"Yes, we have {THINGS[text % len(THINGS)]} for you.",
                    model_name=MODELS[n % 3],
                    latency_ms=round(chance.lognormvariate(7.2, 0.6)),
                    tokens_prompt=chance.randrange(150, 400),
                    tokens_completion=chance.randrange(10, 90),
                    cost_usd=round(chance.uniform(0.0001, 0.0015), 7),
                    action_taken=ACTIONS[intent],
                    action_success=success,
                    error_flag=not success and chance.random() < 0.2,
                    tool_calls=["search"],
                )
            )
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def fill(database: str, count: int) -> None:
    """Load interactions through the store and label them by the rules."""
    settings = load({}, overrides={"AURA_DATABASE_URL": database})
    async with opened_store(settings) as store:
        started = time.perf_counter()
        for chunk in made(count, until=now()):
            await store.append(chunk)
        print(f"{count:,} interactions in {time.perf_counter() - started:.1f} s", flush=True)
        started = time.perf_counter()
        tally = await Evaluator(store, None, batch_size=5_000).run()
        print(f"{tally.labelled:,} labels in {time.perf_counter() - started:.1f} s", flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("database", help="sqlite:///PATH")
    arguments.add_argument("count", type=int)
    given = arguments.parse_args()
    asyncio.run(fill(given.database, given.count))
