"""Values at the edges of what can be: every character, ids that look alike, the longest texts and the farthest numbers."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from aura_analytics.events.records import Event
from aura_analytics.store import Store
from contract.following import settled
from contract.making import (
    LATER,
    LEASE_MS,
    NOW,
    by_id,
    conversion,
    conversion_row,
    named,
    outcome,
    query,
    verdict,
    wide,
)
from contract.test_lifetime import HOUR
from contract.test_parts import by_rows, plain, streamed

EVERY_CHARACTER = "".join(chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF)
# Of each group a database that compares as people do would take some for the same.
ALIKE = {
    "case": ["straße", "Straße", "STRASSE", "strasse", "i", "I", "ı", "İ"],
    "accent": ["a", "á", "à", "ä", "ae", "æ"],
    "normalisation": ["\u00e9", "e\u0301", "\u2126", "\u03a9", "\ufb01", "fi", "ａ", "a"],
    "blanks": ["a", "a ", " a", "a\u00a0", "a\u200b", "a\t", "a\n", ""],
    "marks": ["a-b", "ab", "a_b", "a.b", "a'b", "a%b", "a\\b"],
    "beyond 16 bits": ["\U0001f34e", "\U0001f34f", "\ufffd", "\uffff", "\U0010ffff"],
    "numbers": ["1", "01", "1.0", "1e0", "１"],
}


@pytest.mark.parametrize("ids", ALIKE.values(), ids=ALIKE)
async def test_ids_that_look_alike_are_different_ids(store: Store, ids: list[str]) -> None:
    await store.append([query(id, query_text=f"of {id!r}") for id in ids])
    assert await store.append([outcome(id, answer_text=f"of {id!r}") for id in ids]) == [True] * len(ids)
    assert await store.append([conversion(id, query_id=id) for id in ids]) == [True] * len(ids)
    assert await store.count() == len(ids)
    for id in ids:
        row = by_id(await store.wide_rows([id]))[id]
        assert (row["query_text"], row["answer_text"]) == (f"of {id!r}",) * 2
        assert [bought[0] for bought in await store.conversion_rows([id])] == [id]
        found = await store.interaction(id)
        assert found is not None
        assert [bought.id for bought in found.conversions] == [id]
    claims = await store.claim_due(100, now=LATER, lease_ms=LEASE_MS)
    assert sorted(claim.query_id for claim in claims) == sorted(ids)
    assert await store.settle([(claim, verdict(claim.query_id)) for claim in claims]) == len(ids)


async def test_every_character_comes_back(store: Store) -> None:
    text = EVERY_CHARACTER
    asked = query("a", query_text=text, intent=text, user_id=text, extra={text: [text]})
    done = outcome("a", answer_text=text, error_message=text, tool_calls=[text, {text: text}])
    await store.append([asked, done, conversion("c", order_id=text)])
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(asked, done)}
    [claim] = await store.claim_due(1, now=LATER, lease_ms=LEASE_MS)
    assert (claim.interaction.query.query_text, claim.interaction.outcome) == (text, done)
    given = verdict("a", reason=text, explanation=text, method=text)
    await store.settle([(claim, given)])
    found = await store.interaction("a")
    assert found is not None
    assert (found.query, found.outcome, found.verdict) == (asked, done, given)
    assert [bought.order_id for bought in found.conversions] == [text]


async def test_a_stream_gives_every_character(store: Store) -> None:
    await store.append([query("a", query_text=EVERY_CHARACTER[:0x3000] + EVERY_CHARACTER[-0x1000:])])
    [part] = await store.parts()
    _, *rows = await streamed(part)
    assert plain(rows) == plain(await by_rows(store, part))


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)  # no event that was read holds it, and SQLite may
async def test_the_character_that_has_no_place_is_replaced_wherever_it_stands(store: Store) -> None:
    beginning = await store.feed_head()
    news = await store.append(
        [
            query("a\0", query_text="\0", store_id="s\0", session_id="\0s", extra={"\0": "\0"}),
            query("a\ufffd"),
            outcome("a\0", answer_text="x\0y", tool_calls=["\0"]),
            conversion("\0", query_id="a\0", order_id="\0"),
            query("a"),
        ]
    )
    assert news == [True, False, True, True, True]
    asked = query("a\ufffd", query_text="\ufffd", store_id="s\ufffd", session_id="\ufffds", extra={"\0": "\0"})
    done = outcome("a\ufffd", answer_text="x\ufffdy", tool_calls=["\0"])
    assert by_id(await store.wide_rows(["a\0"])) == {"a\ufffd": wide(asked, done)}
    found = await store.interaction("a\0")
    assert found is not None
    assert (found.query, found.outcome) == (asked, done)
    assert found.conversions == [conversion("\ufffd", query_id="a\ufffd", order_id="\ufffd")]
    assert (await store.surroundings([], ["\0s"])).spans.keys() == {"\ufffds"}
    claims = await store.claim_due(9, now=LATER, lease_ms=LEASE_MS)
    given = {claim.query_id: verdict(claim.query_id, reason="\0", explanation="\0") for claim in claims}
    assert await store.settle([(claim, given[claim.query_id]) for claim in claims]) == 2
    [row] = await store.wide_rows(["a\ufffd"])
    assert named(row)["reason"] == "\ufffd"
    await settled(store)
    assert sorted((await store.changes(beginning, 10)).query_ids) == ["a", "a\ufffd"]


async def test_names_of_any_length_are_stored(store: Store) -> None:
    """What no index can hold is no reason to lose an event."""
    rng = random.Random(3)
    longest = "".join(chr(rng.randrange(0x21, 0x2FFF)) for _ in range(100_000))
    asked = query("a", store_id=longest, session_id=longest, user_id=longest, correlation_id=longest)
    bought = conversion("c", store_id=longest, session_id=longest, order_id=longest)
    assert await store.append([asked, query("b"), bought, query("c", store_id=longest + "x")]) == [True] * 4
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(asked)}
    assert await store.conversion_rows(["c"]) == [conversion_row(bought)]
    around = await store.surroundings([], [longest])
    assert around.spans == {longest: (NOW, NOW)}
    await store.save_hourly([replace(HOUR, store_id=longest)])


@pytest.mark.parametrize("character", ["x", "é", "🍎", '"', "\\", "\n"])
async def test_texts_of_a_mebibyte_come_back(store: Store, character: str) -> None:
    text = character * (2**20 // len(character.encode()))
    asked, done = query("a", query_text=text, extra={"own": text}), outcome("a", answer_text=text, tool_calls=[text])
    await store.append([asked, done])
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(asked, done)}
    [claim] = await store.claim_due(1, now=LATER, lease_ms=LEASE_MS)
    assert (claim.interaction.query.query_text, claim.interaction.outcome) == (text, done)
    await store.give_up(claim, error=text, now=LATER)
    assert [failed.last_error for failed in await store.failed_evaluations(10)] == [text]


@pytest.mark.parametrize("number", [0, 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1])
async def test_whole_numbers_come_back_exactly(store: Store, number: int) -> None:
    asked = query("a", audio_duration_ms=number)
    done = outcome("a", tokens_prompt=number, tokens_completion=number, tokens_total=number)
    await store.append([asked, done])
    assert by_id(await store.wide_rows(["a"])) == {"a": wide(asked, done)}


@pytest.mark.parametrize(
    "number",
    [0.1, 1 / 3, 5e-324, 2.2250738585072014e-308, 1e308, 1.7976931348623157e308, 2.0**53 + 2, 1e22, 0.0, -1.5],
)
async def test_fractions_come_back_to_the_last_bit(store: Store, number: float) -> None:
    asked, bought = query("a", transcription_conf=number), conversion("c", value=number)
    done = outcome("a", latency_ms=number, cost_usd=number)
    await store.append([asked, done, bought])
    [claim] = await store.claim_due(1, now=LATER, lease_ms=LEASE_MS)
    given = verdict("a", confidence=number)
    await store.settle([(claim, given)])
    row = by_id(await store.wide_rows(["a"]))["a"]
    assert row == wide(asked, done, given)
    assert await store.conversion_rows(["c"]) == [conversion_row(bought)]


async def test_news_come_in_the_order_of_the_call_and_the_first_of_an_id_is_the_new_one(store: Store) -> None:
    same = query("s")
    call: list[Event] = [
        outcome("b", latency_ms=1),
        query("z", query_text="first"),
        same,
        conversion("b", value=1.0),
        query("b", query_text="first"),
        query("z", query_text="second"),
        same,
        outcome("b", latency_ms=2),
        conversion("z"),
        conversion("b", value=2.0),
        query("a"),
        query("b", query_text="second"),
    ]
    new = [True, True, True, True, True, False, False, False, True, False, True, False]
    assert await store.append(call) == new
    assert await store.append(call) == [False] * len(call)
    rows = by_id(await store.wide_rows(["z", "b"]))
    assert [rows[id]["query_text"] for id in "zb"] == ["first"] * 2
    assert rows["b"]["latency_ms"] == 1
    assert [row[5] for row in await store.conversion_rows(["b"])] == [1.0]


async def test_the_same_call_twice_at_once_is_new_once(store: Store, other_store: Store) -> None:
    call: list[Event] = [query(f"q{n}") for n in range(500)]
    news = await asyncio.gather(store.append(call), other_store.append(call[::-1]))
    assert [one + other for one, other in zip(news[0], news[1][::-1], strict=True)] == [1] * 500
