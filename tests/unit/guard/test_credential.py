"""Which key a request shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.errors import Unauthorised
from aura_analytics.guard import credential, key

# The same in every process: the cases are named by them.
KEY, OTHER = (body + key.checksum(body) for body in (f"aura_sk_{'1' * 12}_{letter * 43}" for letter in "ab"))


def headers(**named: str) -> list[tuple[bytes, bytes]]:
    return [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()]


@pytest.mark.parametrize(
    "shown",
    [
        headers(x_api_key=KEY),
        headers(x_api_key=f"  {KEY} "),
        headers(authorization=f"Bearer {KEY}"),
        headers(authorization=f"bearer   {KEY}"),
        headers(x_api_key=KEY, authorization=f"Bearer {KEY}"),
        headers(x_api_key=KEY) + headers(x_api_key=KEY),
        headers(accept="*/*", x_api_key=KEY, host="here"),
    ],
)
def test_a_key_is_read_where_it_is_shown(shown: list[tuple[bytes, bytes]]) -> None:
    assert credential.given(shown) == KEY


def test_a_request_may_show_none() -> None:
    assert credential.given(headers(accept="*/*")) is None


def test_the_public_part_alone_is_taken_for_signed_requests() -> None:
    public = KEY[: len("aura_sk_") + key.ID_LENGTH]
    assert credential.given(headers(x_api_key=public)) == public


@pytest.mark.parametrize(
    "shown",
    [
        headers(x_api_key=KEY, authorization=f"Bearer {OTHER}"),
        headers(x_api_key=KEY) + headers(x_api_key=OTHER),
        headers(x_api_key=""),
        headers(authorization=""),
        headers(authorization="Bearer"),
        headers(authorization="Bearer "),
        headers(authorization=f"Basic {KEY}"),
        headers(authorization=KEY),
        headers(x_api_key=KEY[:-1]),
        headers(x_api_key=f"{KEY}, {KEY}"),
        headers(x_api_key=f"Bearer {KEY}"),
        headers(x_api_key=KEY + "0" * 100_000),
        headers(x_api_key="\xff\xfe"),
    ],
)
def test_two_keys_or_something_else_is_refused_and_not_repeated(shown: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthorised) as refused:
        credential.given(shown)
    assert KEY[:20] not in str(refused.value)
    assert 'error="invalid_token"' in refused.value.headers["www-authenticate"]


@given(st.lists(st.tuples(st.sampled_from([b"x-api-key", b"authorization", b"x"]), st.binary(max_size=300))))
def test_no_headers_break_the_reading(shown: list[tuple[bytes, bytes]]) -> None:
    try:
        found = credential.given(shown)
    except Unauthorised:
        return
    assert found is None or key.id_of(found) is not None
