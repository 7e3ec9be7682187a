"""What an answer means, and how a batch is signed."""

import json
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from aura_analytics.client.wire import Message, Wire, read
from aura_analytics.errors import ParameterError
from aura_analytics.guard.key import make_signing_secret

RECEIPT = {"status": "ok", "accepted": 1, "duplicates": 0, "rejected": [], "query_ids": ["q"]}
REJECTION = {"index": 1, "code": "missing_field", "field": "store_id", "message": "store_id is required"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "rejected"),
    [
        (200, RECEIPT, "taken", 0),
        (207, RECEIPT | {"rejected": [REJECTION]}, "taken", 1),
        (400, {"title": "no", "rejected": [REJECTION] * 3}, "wrong", 3),
        (413, {}, "large", 0),
        (429, {}, "away", 0),
        (503, {}, "away", 0),
        (500, {}, "away", 0),
        (401, {"detail": "no key"}, "refused", 0),
        (404, {}, "refused", 0),
        (307, {}, "refused", 0),
        (200, {"hello": "world"}, "refused", 0),
        (200, [1], "refused", 0),
    ],
)
def test_what_an_answer_means(status: int, body: object, kind: str, rejected: int) -> None:
    answer = read(httpx.Response(status, json=body), 3)
    assert (answer.kind, answer.rejected) == (kind, rejected)


@given(st.sampled_from([200, 207, 400, 401, 413, 429, 503]), st.binary(max_size=60))
def test_any_bytes_are_an_answer(status: int, content: bytes) -> None:
    assert read(httpx.Response(status, content=content), 3).kind in {"taken", "wrong", "large", "refused", "away"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("", 0), ("soon", 0), ("Mon, 01 Jan 2024 00:00:00 +99999999999999", 0), ("-3", 0), ("٣", 0)],
)
def test_when_to_come_back(text: str, seconds: float) -> None:
    response = httpx.Response(503, headers={"retry-after": text.encode()})
    assert read(response, 1).after_s == seconds


def test_when_to_come_back_may_be_a_date() -> None:
    then = datetime.now(UTC) + timedelta(seconds=60)
    answer = read(httpx.Response(503, headers={"retry-after": format_datetime(then, usegmt=True)}), 1)
    assert 50 < answer.after_s <= 60


def test_each_try_is_signed_for_another_moment_under_one_id() -> None:
    secret, message, body = make_signing_secret(), Message(), b'{"event_type": "voice_query"}'
    wire = Wire("http://here", key="", secret=secret, attempt_s=1, gzip_from=0)
    tries = [message.signed(wire._secret, body) for _ in range(3)]
    assert len({one["webhook-timestamp"] for one in tries}) == 3
    assert len({one["webhook-id"] for one in tries}) == 1
    assert abs(int(tries[0]["webhook-timestamp"]) - time.time()) < 5
    for one in tries:
        assert Webhook(secret).verify(body.decode(), one) == json.loads(body)


@pytest.mark.parametrize("url", ["", "shop.example", "ftp://shop.example", "http://", "http://h:abc", "http://[::1"])
def test_an_address_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(ParameterError, match="https://"):
        Wire(url, key="", secret="", attempt_s=1, gzip_from=0)


@pytest.mark.parametrize("key", ["aura_sk_\n", "aura_sk_ä"])
def test_a_key_that_no_header_can_hold_is_told_at_once_and_not_shown(key: str) -> None:
    with pytest.raises(ParameterError) as told:
        Wire("http://here", key=key, secret="", attempt_s=1, gzip_from=0)
    assert key not in str(told.value)


def test_a_secret_that_is_none_is_told_at_once_and_not_shown() -> None:
    with pytest.raises(ParameterError) as told:
        Wire("http://here", key="", secret="whsec_??", attempt_s=1, gzip_from=0)
    assert "??" not in str(told.value)
