"""Signatures, held against the specification's own library, and all that mustn't pass for one."""

import gzip
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from aura_analytics.errors import AlreadyReceived, Unauthorised
from aura_analytics.guard import signature

# The same in every process: the cases are named by them.
SECRET, OTHER = (f"whsec_{b64encode(bytes([number] * 32)).decode()}" for number in (1, 2))
NOW = 1_764_400_000
BODY = b'{"event_type": "voice_query"}'


def headers(
    body: bytes = BODY, *, secret: str = SECRET, message: str = "msg_1", at: int = NOW
) -> list[tuple[bytes, bytes]]:
    signed = signature.sign(secret, message=message, timestamp=at, body=body)
    return [
        (b"webhook-id", message.encode()),
        (b"webhook-timestamp", str(at).encode()),
        (b"webhook-signature", signed.encode()),
    ]


def check(shown: list[tuple[bytes, bytes]], body: bytes = BODY, *, now_s: float = NOW, secrets: str = SECRET) -> None:
    signed = signature.read(shown)
    assert signed is not None
    signature.verify(signed, body, secrets.split(), now=round(now_s * 1000))


def changed(name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    return [(one, value if one == name else old) for one, old in headers()]


def test_the_specification_s_example_is_signed_as_it_says() -> None:
    signed = signature.sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64))
def test_who_signs_with_the_library_is_understood_and_the_other_way_round(text: str, message: str) -> None:
    body = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    library = Webhook(SECRET)
    theirs = library.sign(message, datetime.fromtimestamp(NOW, UTC), body)
    assert theirs == signature.sign(SECRET, message=message, timestamp=NOW, body=body.encode())
    check(headers(body.encode(), message=message), body.encode())


def test_a_packed_body_is_signed_as_it_is_sent() -> None:
    packed = gzip.compress(BODY)
    check(headers(packed), packed)
    with pytest.raises(Unauthorised, match="doesn't fit"):
        check(headers(packed), BODY)


def test_a_request_without_the_headers_isn_t_signed() -> None:
    assert signature.read([(b"host", b"here")]) is None


@pytest.mark.parametrize("offset", [-300, -299, 0, 300])
def test_a_moment_near_the_present_is_taken(offset: int) -> None:
    check(headers(at=NOW + offset))


@pytest.mark.parametrize("offset", [-301, 301, -86_400, 10**9])
def test_an_old_or_coming_moment_is_refused(offset: int) -> None:
    with pytest.raises(Unauthorised, match="5 minutes"):
        check(headers(at=NOW + offset))


def test_one_of_several_signatures_will_do_and_one_of_several_secrets() -> None:
    old, new = headers(secret=OTHER)[2][1], headers()[2][1]
    for several in (old + b" " + new, new + b" " + old, b"v1a,x v2,y v1,!!! " + new):
        check(changed(b"webhook-signature", several))
    check(headers(secret=OTHER), secrets=f"{SECRET} {OTHER}")
    check(headers(secret=SECRET), secrets=f"{SECRET} {OTHER}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"webhook-id", b"msg_2"),
        (b"webhook-timestamp", str(NOW + 1).encode()),
        (b"webhook-signature", headers(secret=OTHER)[2][1]),
        (b"webhook-signature", b"v1,"),
        (b"webhook-signature", b"v1"),
        (b"webhook-signature", b"v2," + headers()[2][1][3:]),
        (b"webhook-signature", headers()[2][1][3:]),
        (b"webhook-signature", headers()[2][1][:-2]),
        (b"webhook-signature", b"v1,\xff\xfe"),
        (b"webhook-id", b""),
        (b"webhook-id", b"x" * 300),
        (b"webhook-id", b"\xff"),
        (b"webhook-timestamp", b"soon"),
        (b"webhook-timestamp", b"-1"),
        (b"webhook-timestamp", b"1764400000.5"),
        (b"webhook-timestamp", b"9" * 5_000),
        (b"webhook-timestamp", "\u00b2".encode("latin-1")),
        (b"webhook-signature", b" ".join([headers()[2][1]] * 17)),
    ],
)
def test_whatever_else_is_refused(name: bytes, value: bytes) -> None:
    with pytest.raises(Unauthorised):
        check(changed(name, value))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_header_is_there_once(index: int) -> None:
    whole = headers()
    for shown in ([*whole[:index], *whole[index + 1 :]], [*whole, whole[index]]):
        with pytest.raises(Unauthorised):
            signature.read(shown)


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_another_body_doesn_t_fit(body: bytes, other: bytes) -> None:
    if body == other:
        check(headers(body), other)
        return
    with pytest.raises(Unauthorised):
        check(headers(body), other)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"webhook-id", b"webhook-timestamp", b"webhook-signature"]), st.binary(max_size=80)),
        max_size=4,
    )
)
def test_no_headers_pass_or_break_it(shown: list[tuple[bytes, bytes]]) -> None:
    try:
        signed = signature.read(shown)
    except Unauthorised:
        return
    if signed is not None:
        with pytest.raises(Unauthorised):
            signature.verify(signed, BODY, [SECRET], now=NOW * 1000)


def test_nobody_passes_without_a_secret() -> None:
    signed = signature.read(headers())
    assert signed is not None
    with pytest.raises(Unauthorised):
        signature.verify(signed, BODY, [], now=NOW * 1000)


class TestReplay:
    async def test_the_same_message_comes_once_for_each_key(self) -> None:
        seen = signature.SeenHere()
        signed = signature.read(headers())
        assert signed is not None
        await signature.refuse_replay(signed, "a", seen, now=NOW * 1000)
        await signature.refuse_replay(signed, "b", seen, now=NOW * 1000)
        for later_s in (0, 1, 300):
            with pytest.raises(AlreadyReceived, match="anew"):
                await signature.refuse_replay(signed, "a", seen, now=(NOW + later_s) * 1000)

    async def test_a_further_try_that_is_signed_anew_is_taken(self) -> None:
        seen = signature.SeenHere()
        for moment in (NOW, NOW + 1):
            signed = signature.read(headers(at=moment))
            assert signed is not None
            await signature.refuse_replay(signed, "a", seen, now=NOW * 1000)

    @given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 60_000), st.integers(-300, 300)), max_size=60))
    async def test_a_message_that_would_still_be_taken_is_still_known(self, steps: list[tuple[int, int, int]]) -> None:
        seen = signature.SeenHere()
        now = NOW * 1000
        until: dict[str, int] = {}
        for number, pause_ms, offset_s in steps:
            now += pause_ms
            message = str(number)
            is_new = await seen.remember(message, until=now + (offset_s + 300) * 1000, now=now)
            if until.get(message, -1) >= now:
                assert not is_new
            if is_new:
                until[message] = now + (offset_s + 300) * 1000

    async def test_what_is_held_doesn_t_grow_with_time(self) -> None:
        seen = signature.SeenHere()
        for number in range(20_000):
            now = (NOW + number) * 1000
            assert await seen.remember(str(number), until=now + 300_000, now=now)
        assert len(seen) <= 2 * signature.TOLERANCE_S + 2


def test_a_signature_is_base64_of_32_bytes() -> None:
    version, _, written = signature.sign(SECRET, message="m", timestamp=NOW, body=b"").partition(",")
    assert version == "v1"
    assert len(written) == len(b64encode(bytes(32)))
