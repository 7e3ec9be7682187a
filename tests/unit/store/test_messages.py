"""Signed messages are gathered: those of one turn of the event loop are noted together."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from aura_analytics.errors import StoreUnavailable
from aura_analytics.store.messages import Messages, overdue


class Notes:
    """A database that knows some messages already, and counts its transactions."""

    def __init__(self) -> None:
        self.known: set[str] = {"old"}
        self.transactions: list[tuple[dict[str, int], int]] = []
        self.is_away = False

    async def __call__(self, messages: Mapping[str, int], now: int) -> set[str]:
        self.transactions.append((dict(messages), now))
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("away")
        new = set(messages) - self.known
        self.known |= new
        return new


async def remembered(messages: Messages, *names: str, now: int = 7) -> list[Any]:
    gathered = (messages.remember(name, until=now + 1, now=now) for name in names)
    return list(await asyncio.gather(*gathered, return_exceptions=True))


async def test_what_comes_in_one_turn_is_one_transaction_and_of_two_the_first_is_new() -> None:
    messages = Messages(notes := Notes())
    assert await remembered(messages, "a", "old", "b", "a") == [True, False, True, False]
    assert notes.transactions == [({"a": 8, "old": 8, "b": 8}, 7)]
    assert await remembered(messages, "a", "c") == [False, True]


async def test_nobody_is_told_of_a_message_that_wasn_t_noted() -> None:
    messages = Messages(notes := Notes())
    notes.is_away = True
    assert [type(found) for found in await remembered(messages, "a", "a")] == [StoreUnavailable] * 2
    notes.is_away = False
    assert await remembered(messages, "a") == [True]


async def test_who_goes_away_leaves_the_others_what_they_wait_for() -> None:
    messages = Messages(Notes())
    gone, stays = (asyncio.create_task(messages.remember(name, until=1, now=0)) for name in "ab")
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays
    with pytest.raises(asyncio.CancelledError):
        await gone


def test_more_are_forgotten_than_come() -> None:
    assert overdue(dict.fromkeys(map(str, range(500)), 1), 9) == {"now": 9, "most": 1_100}
