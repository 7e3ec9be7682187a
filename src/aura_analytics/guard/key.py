"""API keys: how they look, how one is made, and how one is told from a guess.

    aura_sk_<id, 12>_<secret, 43><checksum, 6>

The beginning is fixed and says whose it is, so that secret scanners find a key that was published by mistake, by `SCAN`;
the checksum (CRC-32 of all before it) tells them a real one from an example without asking us, as GitHub's tokens do.
All parts are letters and digits: a double click selects the whole, and no shell or URL needs quotes.

Only the SHA-256 of a key is kept. A slow hash is for passwords, which people choose from a small set: to try 2^256
equally likely secrets is out of reach, however fast one trial is; and a key is looked at with every request.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from base64 import b64encode
from functools import lru_cache

import msgspec

PREFIX = "aura_sk_"
SIGNING_PREFIX = "whsec_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 43, 6
SECRET_BYTES = 32
# What a scanner looks for; `is_whole` then tells a key from what only looks like one.
SCAN = rf"{PREFIX}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}"

_KEY = re.compile(SCAN)
# Also one with a letter too few or too many: what was mistyped is still nearly the key.
_LIKE_A_KEY = re.compile(rf"({PREFIX}[0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]+")
_PUBLIC = re.compile(rf"{PREFIX}([0-9A-Za-z]{{{ID_LENGTH}}})")


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key at the only moment at which it is whole: `token` is shown once, `id` and `hash` are kept."""

    id: str
    token: str
    hash: str

    def __repr__(self) -> str:
        """Show no secret, wherever this is printed."""
        return f"NewKey(id={self.id!r})"


def make() -> NewKey:
    """Make a key of 256 random bits."""
    key_id = _base62(int.from_bytes(secrets.token_bytes(9)), ID_LENGTH + 1)[-ID_LENGTH:]
    secret = _base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES)), SECRET_LENGTH)
    body = f"{PREFIX}{key_id}_{secret}"
    token = body + checksum(body)
    return NewKey(id=key_id, token=token, hash=digest(token))


def make_signing_secret() -> str:
    """Make the secret that requests are signed with, in the form of Standard Webhooks.

    It is random and not made from the key: who checks a signature must know its secret, and the key's own we don't keep.
    """
    return SIGNING_PREFIX + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def digest(token: str) -> str:
    """Give what is kept of a key."""
    return hashlib.sha256(token.encode()).hexdigest()


def checksum(body: str) -> str:
    """Give the end of a key for its beginning."""
    return _base62(zlib.crc32(body.encode()), CHECKSUM_LENGTH)


def is_whole(token: str) -> bool:
    """Tell a key from what isn't one, or was mistyped or cut off; whether it is known is another question."""
    body, end = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    return _KEY.fullmatch(token) is not None and checksum(body) == end


@lru_cache(maxsize=1_024)  # the same keys come again and again
def id_of(text: str) -> str | None:
    """Give the public part of a whole key, or of `aura_sk_<id>` alone; None where it is neither."""
    if (public := _PUBLIC.fullmatch(text)) is not None:
        return public[1]
    if is_whole(text):
        return text[len(PREFIX) : len(PREFIX) + ID_LENGTH]
    return None


def matches(token: str, kept: str) -> bool:
    """Tell whether this is the key whose hash was kept, in a time that says nothing about where they differ."""
    return hmac.compare_digest(digest(token), kept)


def hidden(text: str) -> str:
    """Give a text as it may stand in a log: of whole keys, only the public parts."""
    return _LIKE_A_KEY.sub(r"\1…", text) if PREFIX in text else text


def _base62(number: int, length: int) -> str:
    """Write a number in letters and digits, filled up on the left."""
    digits: list[str] = []
    while number:
        number, place = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[place])
    return "".join(reversed(digits)).rjust(length, ALPHABET[0])
