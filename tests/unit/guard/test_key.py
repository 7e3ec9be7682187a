"""Keys: their form, their checksum, and that nothing else passes for one."""

import re
import string
from base64 import b64decode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.guard import key


def test_a_key_is_found_by_scanners_and_is_whole() -> None:
    made = key.make()
    assert re.findall(key.SCAN, f'curl -H "X-API-Key: {made.token}"') == [made.token]
    assert key.is_whole(made.token)
    assert key.id_of(made.token) == made.id
    assert len(made.token) == 70


def test_keys_differ_in_all_their_parts() -> None:
    made = [key.make() for _ in range(200)]
    assert len({one.id for one in made}) == 200
    assert len({one.token[21:64] for one in made}) == 200


def test_a_secret_has_256_bits() -> None:
    # 43 letters of 62 are the first that hold 256 bits; that all are used shows in both ends of the range.
    assert 62**42 < 2**256 <= 62**43
    firsts = {key.make().token[21] for _ in range(2_000)}
    assert len(firsts) > 20


def test_only_the_hash_is_kept_and_only_the_key_matches_it() -> None:
    made, other = key.make(), key.make()
    assert made.token not in (made.hash, repr(made))
    assert made.hash not in repr(made)
    assert re.fullmatch(r"[0-9a-f]{64}", made.hash)
    assert key.matches(made.token, made.hash)
    assert not key.matches(other.token, made.hash)


@given(st.integers(0, 69), st.sampled_from(string.ascii_letters + string.digits + "_-"))
def test_a_key_with_any_letter_changed_is_no_key(place: int, letter: str) -> None:
    token = key.make().token
    changed = token[:place] + letter + token[place + 1 :]
    assert key.is_whole(changed) == (changed == token)


@given(st.integers(0, 69))
def test_a_key_that_was_cut_off_is_no_key(length: int) -> None:
    token = key.make().token
    assert not key.is_whole(token[:length])


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    assert key.id_of(text) is None or text.startswith(key.PREFIX)


def test_the_public_part_names_a_key_by_itself() -> None:
    made = key.make()
    assert key.id_of(f"aura_sk_{made.id}") == made.id


@pytest.mark.parametrize("text", ["", "aura_sk_", "aura_sk_short", "aura_sk_0123456789ab_", "sk_0123456789ab"])
def test_what_is_no_key_names_none(text: str) -> None:
    assert key.id_of(text) is None


def test_a_known_key_keeps_its_checksum() -> None:
    # A key that was handed out must be whole in every later version.
    body = f"aura_sk_{'0' * 12}_{'0' * 43}"
    assert key.is_whole(body + key.checksum(body))
    assert key.checksum(body) == "31nKKH"


def test_a_signing_secret_is_of_the_form_of_standard_webhooks() -> None:
    one, other = key.make_signing_secret(), key.make_signing_secret()
    assert one != other
    assert one.startswith("whsec_")
    assert len(b64decode(one.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize("before", ["", "/interactions/", "?key="])
@pytest.mark.parametrize("change", [lambda token: token, lambda token: token[:-1], lambda token: f"{token}x"])
def test_of_a_key_in_a_text_the_public_part_is_left(before: str, change: Callable[[str], str]) -> None:
    token = key.make().token
    public = token.rpartition("_")[0]
    assert key.hidden(f"{before}{change(token)}/more") == f"{before}{public}…/more"
    assert key.hidden(f"{before}{public}") == f"{before}{public}"
