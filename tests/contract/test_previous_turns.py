"""What came before an interaction in its session."""

from typing import Any

import pytest

from aura_analytics.events.records import VoiceQuery
from aura_analytics.store import Store
from contract.making import NOW, outcome, query


def turn(id: str, at: int, **fields: Any) -> VoiceQuery:
    """A query of the session `s`, so many milliseconds from now."""
    return query(id, **{"session_id": "s", "created_at": NOW + at, **fields})


async def before(store: Store, asked: VoiceQuery, limit: int = 3) -> list[str]:
    """The ids of the turns before one query."""
    found = await store.previous_turns([asked], limit)
    assert found.keys() == {asked.id}
    return [one.query.id for one in found[asked.id]]


async def test_the_nearest_ones_are_given_oldest_first_with_their_outcomes(store: Store) -> None:
    turns = [turn("c", 3), turn("a", 1), turn("e", 5), turn("b", 2), turn("d", 4)]
    await store.append([*turns, outcome("c", answer_text="aisle 3")])
    found = (await store.previous_turns([turn("e", 5)], 2))["e"]
    assert [one.query.id for one in found] == ["c", "d"]
    assert [one.outcome for one in found] == [
        outcome("c", occurred_at=NOW + 3, received_at=NOW + 3, answer_text="aisle 3"),
        None,
    ]
    assert await before(store, turn("e", 5), 10) == ["a", "b", "c", "d"]
    assert await before(store, turn("a", 1)) == []
    assert await before(store, turn("e", 5), 0) == []


async def test_of_the_same_moment_the_ids_tell_the_order(store: Store) -> None:
    await store.append([turn(id, 0) for id in ("b", "é", "B", "a")])
    assert await before(store, turn("b", 0)) == ["B", "a"]
    assert await before(store, turn("é", 0)) == ["B", "a", "b"]


async def test_another_session_and_another_store_are_left_out(store: Store) -> None:
    await store.append(
        [turn("a", 1), turn("b", 2, session_id="t"), turn("c", 3, store_id="other"), turn("d", 4), query("e")]
    )
    assert await before(store, turn("z", 9)) == ["a", "d"]
    assert await before(store, turn("z", 9, store_id="other")) == ["c"]
    assert await before(store, turn("z", 9, session_id="nobody")) == []
    assert await before(store, turn("z", 9, session_id=None)) == []


async def test_several_are_asked_for_at_once(store: Store) -> None:
    await store.append([turn("a", 1), turn("b", 2), turn("c", 3, session_id="t"), turn("d", 4, session_id="t")])
    asked = [turn("b", 2), turn("d", 4, session_id="t"), turn("a", 1), query("alone")]
    found = await store.previous_turns(asked, 3)
    assert {id: [one.query.id for one in turns] for id, turns in found.items()} == {
        "b": ["a"],
        "d": ["c"],
        "a": [],
        "alone": [],
    }
    assert await store.previous_turns([], 3) == {}


@pytest.mark.parametrize(("turns", "given"), [(1_000, 3), (1_001, 0)])
async def test_a_session_of_too_many_turns_is_none(store: Store, turns: int, given: int) -> None:
    await store.append([turn(f"q{n:04}", n) for n in range(turns)])
    assert len(await before(store, turn("z", 5_000))) == given
