"""Throw bodies at what reads them, until one gets through that mustn't: `python scripts/fuzz.py --inputs 1000000`.

Bodies are made of good ones: values exchanged for awkward ones, pieces doubled, cut and joined, bytes changed, packed and
damaged. What may come of one is an event, a rejection, or an error of the tree that is the caller's fault.
"""

import argparse
import asyncio
import json
import random
import resource
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from aura_analytics.errors import RequestError
from aura_analytics.events.decode import Limits, decode_events, split_json, split_lines
from aura_analytics.guard.budget import Budget, Portion
from aura_analytics.ingest.body import read

MOST_BYTES = 1 << 20
SLOW_S = 1.0
TURN = 100
LIMITS = Limits(event_bytes=64 << 10)
EVENTS: list[dict[str, Any]] = [
    {
        "event_type": "voice_query",
        "query_id": "q-1",
        "store_id": "shop",
        "timestamp": "2026-01-02T10:00:00Z",
        "query_text": "do you have red shoes",
        "transcription_confidence": 0.93,
        "fast_path": True,
        "own": {"a": [1, None]},
    },
    {"type": "query", "id": "q-2", "storeId": "shop", "createdAt": 1767348000000, "queryText": "milk"},
    {
        "event_type": "voice_outcome",
        "query_id": "q-1",
        "latency_ms": 1240.5,
        "tools_used": ["search", "cart"],
        "tokens_used": 17,
        "action_taken": "FAQ",
        "action_success": 1,
        "error_flag": False,
    },
    {"type": "outcome", "queryId": "q-2", "toolCalls": '[{"name": "a"}]', "costUsd": 0.01, "actionTaken": True},
    {"event_type": "voice_conversion", "query_id": "q-1", "store_id": "shop", "value": 12.5, "currency": "EUR"},
    {"type": "conversion", "sessionId": "s", "storeId": "shop", "orderId": "o", "value": 1, "currency": "usd"},
]
# What parsers, clocks and databases have stumbled over; as JSON, so that what isn't JSON can be among it.
AWKWARD = [
    *("null", "true", "0", "-0", "-1", "1e999", "-1e999", "1e-999", "NaN", "Infinity", "01", "1.", ".5", "2147483648"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" * 400, "0." + "1" * 400, "1e308"),
    *('""', '"\\u0000"', '"\\ud83d"', '"\\udc00\\ud83d"', '"\\ufeff"', '"' + "a" * 200 + '"', '"' + "ü" * 129 + '"'),
    *('"2026-02-30T25:61:61Z"', '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999+23:59"', '"2026-01-01"'),
    *('"20260101T000000Z"', '"2026-W01-1T00:00:00Z"', '"١٢٣"', '"1e5"', '"=1+1"', '"\x1b[31m"', "[]", "{}", "[[]]"),
    *("[" * 2_000, "[" * 50 + "]" * 50, '{"a":' * 2_000, '{"a":' * 50 + "1" + "}" * 50, '{"":{"":""}}', '"\\x"', "'a'"),
]


def spoiled_json(chance: random.Random) -> bytes:
    """Write an event with some of its values and names exchanged."""
    event = dict(chance.choice(EVENTS))
    if chance.random() < 0.3:
        event |= chance.choice(EVENTS)
    parts = []
    for name, value in event.items():
        text = chance.choice(AWKWARD) if chance.random() < 0.15 else json.dumps(value)
        parts += [f"{json.dumps(name)}:{text}"] * (2 if chance.random() < 0.02 else 1)
    if chance.random() < 0.1:
        parts.append(f"{chance.choice(AWKWARD)}:{chance.choice(AWKWARD)}")
    return ("{" + ",".join(parts) + "}").encode("utf-8", "replace")


def spoiled_bytes(body: bytes, chance: random.Random) -> bytes:
    """Change, cut, double or join bytes."""
    found = bytearray(body)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(5):
            case 0:
                found[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del found[at : at + chance.randrange(1, 20)]
            case 2:
                found[at:at] = found[at : at + chance.randrange(200)]
            case 3:
                found[at:at] = chance.choice(AWKWARD).encode("utf-8", "replace")
            case _:
                found[at:at] = chance.choice([b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r", b",", b"]", b"\xc0\x80"])
    return bytes(found)


def body_of(chance: random.Random) -> tuple[bytes, bool, bool]:
    """Make a body; tell whether it says that it is lines, and that it is packed."""
    lines = chance.random() < 0.3
    events = [spoiled_json(chance) for _ in range(chance.choice([1, 1, 1, 2, 5]))]
    body = b"\n".join(events) if lines else events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
    body = spoiled_bytes(body, chance)
    packed = chance.random() < 0.2
    if packed:
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush()
        if chance.random() < 0.02:  # a bomb
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            body += packer.compress(bytes(MOST_BYTES + chance.randrange(MOST_BYTES))) + packer.flush()
        if chance.random() < 0.5:
            body = spoiled_bytes(body, chance)
    return body, lines, packed and chance.random() < 0.98


async def chunks(body: bytes, chance: random.Random) -> AsyncIterator[bytes]:
    """Give a body as it could come."""
    cut = chance.randrange(len(body) + 1)
    yield body[:cut]
    yield body[cut:]


async def outcome(body: bytes, chance: random.Random, *, lines: bool, packed: bool) -> str:
    """Have one body read; tell what came of it."""
    try:
        with Portion(Budget(MOST_BYTES * 4)) as portion:
            whole = await read(chunks(body, chance), gzipped=packed, most=MOST_BYTES, portion=portion)
            decoded = decode_events(split_lines(whole) if lines else split_json(whole), limits=LIMITS)
    except RequestError as error:
        return error.code
    json.dumps([one.message for one in decoded.rejected]).encode("ascii")
    return "taken" if decoded.events else "rejected"


async def fuzz(inputs: int, seed: int) -> tuple[Counter[str], float]:
    """Throw so many; give what came of them, and the longest that one took, in seconds.

    Raises:
        AssertionError: one took too long, or raised what isn't the caller's fault; it is shown.
    """
    chance = random.Random(seed)
    found: Counter[str] = Counter()
    slowest = 0.0
    for number in range(inputs):
        if number % TURN == 0:
            await asyncio.sleep(0)  # the loop puts away the bodies that weren't read to their end, as a server's does
        body, lines, packed = body_of(chance)
        began = time.perf_counter()
        try:
            found[await outcome(body, chance, lines=lines, packed=packed)] += 1
        except Exception as error:
            raise AssertionError(f"{error!r} of {body!r}, lines={lines}, packed={packed}") from error
        took = time.perf_counter() - began
        slowest = max(slowest, took)
        if took > SLOW_S:
            raise AssertionError(f"{took:.1f} s for {body!r}")
    return found, slowest


def main() -> None:
    """Fuzz, and print what came of it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--inputs", type=int, default=1_000_000)
    arguments.add_argument("--seed", type=int, default=1)
    told = arguments.parse_args()
    asyncio.run(fuzz(min(told.inputs, 20_000), told.seed + 1))  # what is loaded and kept once is loaded by then
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    found, slowest = asyncio.run(fuzz(told.inputs, told.seed))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / before
    print(f"{told.inputs:,} bodies in {time.monotonic() - began:,.0f} s, seed {told.seed}")
    print(f"slowest {slowest * 1000:,.1f} ms; most memory {grown:.2f} times that of the first 20,000")
    for name, count in found.most_common():
        print(f"  {name:<18} {count:>9,}")


if __name__ == "__main__":
    main()
