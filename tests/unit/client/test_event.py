"""The line that is made of an event."""

import json
from collections.abc import KeysView
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.client.event import check, encoded, is_named
from aura_analytics.errors import ParameterError
from aura_analytics.events.decode import Limits, decode_event
from aura_analytics.events.records import VoiceQuery

MOST = 1 << 20


@given(st.text(), st.datetimes(min_value=datetime(1971, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # hypothesis's way
def test_what_is_written_is_what_the_service_reads(text: str, moment: datetime) -> None:
    line = encoded("voice_query", {"query_id": "q", "store_id": "s", "query_text": text, "timestamp": moment}, MOST)
    assert b"\n" not in line
    read = decode_event(line, limits=Limits(), received_at=1)
    assert isinstance(read, VoiceQuery)
    assert abs(read.created_at - moment.timestamp() * 1000) <= 1


def test_half_of_a_pair_of_surrogates_is_written_too() -> None:
    check(encoded("voice_query", {"query_id": "q", "store_id": "s", "query_text": "\ud83e"}, MOST))


def test_what_is_absent_is_left_out_and_the_moment_is_the_present() -> None:
    event = json.loads(encoded("voice_outcome", {"query_id": "q", "answer_text": None}, MOST))
    assert event.keys() == {"query_id", "event_type", "timestamp"}
    assert event["timestamp"].startswith(datetime.now(UTC).strftime("%Y-"))


def test_what_json_can_t_hold_is_told() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), deep):
        with pytest.raises(ParameterError):
            encoded("voice_outcome", {"query_id": "q", "own": value}, MOST)
    with pytest.raises(ParameterError, match="at most 10 bytes"):
        encoded("voice_outcome", {"query_id": "q"}, 10)


class _Unwilling:
    """A value that fails however it is asked."""

    def __str__(self) -> str:
        raise RuntimeError("not now")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("neither yes nor no")


class _UnwillingError(Exception):
    __repr__ = _Unwilling.__str__
    __str__ = _Unwilling.__str__


class _Failing:
    def keys(self) -> KeysView[str]:
        raise _UnwillingError


@pytest.mark.parametrize(
    "own", [["a"], 5, {"a": "\ud83e", "b": _Unwilling()}, {"a": _Unwilling()}, _Unwilling(), _Failing()]
)
def test_whatever_a_value_does_is_told_as_what_json_can_t_hold(own: Any) -> None:
    with pytest.raises(ParameterError, match="can't be written as JSON"):
        encoded("voice_outcome", {"query_id": "q"}, MOST, own)


def test_what_can_t_tell_whether_it_is_true_says_something() -> None:
    assert [is_named(value) for value in (_Unwilling(), "q", "", None)] == [True, True, False, False]


def test_a_wrong_event_is_told_by_its_field() -> None:
    line = encoded("voice_query", {"store_id": "s", "query_text": "x", "transcription_confidence": 7}, MOST)
    with pytest.raises(ParameterError, match="transcription_confidence"):
        check(line)
