"""The queue between those who track and the one who sends."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.client.options import Options
from aura_analytics.client.waiting import Waiting
from aura_analytics.errors import ParameterError

LONG_S = 60.0


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=40))
def test_batches_keep_to_both_bounds_and_to_the_order(lines: list[bytes]) -> None:
    waiting = Waiting(Options(batch_events=5, batch_bytes=50, batch_age_s=0))
    assert all(waiting.put(line) for line in lines)
    waiting.close()
    batches = []
    while batch := waiting.next(None):
        batches.append(batch)
        waiting.landed()
    assert [line for batch in batches for line in batch] == lines
    assert all(len(batch) <= 5 and (sum(map(len, batch)) <= 50 or len(batch) == 1) for batch in batches)


def test_what_is_on_its_way_counts_as_held() -> None:
    waiting = Waiting(Options(max_bytes=10, batch_age_s=0))
    assert waiting.put(b"12345678")
    assert not waiting.put(b"123")
    batch = waiting.next(None)
    assert not waiting.put(b"123")
    with waiting.settling:
        assert waiting.is_flying(batch)
        waiting.landed()
    assert waiting.put(b"123")


def test_what_is_seized_is_nobody_else_s_any_more() -> None:
    waiting = Waiting(Options(batch_events=1, batch_age_s=LONG_S))
    waiting.put(b"1")
    waiting.put(b"2")
    batch = waiting.next(None)
    assert waiting.seize() == [b"1", b"2"]
    assert not waiting.is_flying(batch)
    assert not waiting.pause(LONG_S, while_closing=LONG_S)
    assert not waiting.put(b"3")
    assert waiting.next(None) == []


def test_who_waits_is_woken_by_a_batch_a_hurry_and_the_end() -> None:
    waiting = Waiting(Options(batch_events=2, batch_age_s=LONG_S))
    found: list[list[bytes]] = []

    def send() -> None:
        while not waiting.closing:
            if batch := waiting.next(None):
                with waiting.settling:
                    found.append(batch)
                    waiting.landed()

    thread = threading.Thread(target=send)
    thread.start()
    begun = time.monotonic()
    waiting.put(b"1")
    waiting.put(b"2")
    assert waiting.settled(LONG_S)
    waiting.put(b"3")
    assert waiting.settled(LONG_S)
    waiting.close()
    thread.join(LONG_S)
    assert time.monotonic() - begun < LONG_S
    assert found == [[b"1", b"2"], [b"3"]]


def test_what_a_thread_left_that_is_no_more_is_sent_first() -> None:
    waiting = Waiting(Options(batch_events=2, batch_age_s=LONG_S))
    for line in (b"1", b"2", b"3"):
        waiting.put(line)
    assert waiting.next(None) == [b"1", b"2"]
    waiting.resume()
    assert waiting.next(None) == [b"1", b"2"]
    with waiting.settling:
        waiting.ended()
    assert not waiting.is_empty()
    assert waiting.seize() == [b"3"]  # what was ended is nobody's any more


def test_a_signal_s_handler_may_seize_what_its_thread_is_seizing() -> None:
    waiting = Waiting(Options())
    waiting.put(b"1")
    found: list[list[bytes]] = []

    def seize() -> None:
        with waiting.settling:
            found.append(waiting.seize())

    thread = threading.Thread(target=seize, daemon=True)
    thread.start()
    thread.join(LONG_S)
    assert found == [[b"1"]]


def test_a_batch_that_could_hold_nothing_is_told_at_once() -> None:
    with pytest.raises(ParameterError, match="batch_events"):
        Options(batch_events=0)


def test_a_moment_for_the_spool_is_kept() -> None:
    waiting = Waiting(Options(batch_age_s=LONG_S))
    waiting.put(b"1")
    assert waiting.next(time.monotonic()) == []
    assert waiting.settled(0) is False
