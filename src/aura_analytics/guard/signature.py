"""Signed requests, as Standard Webhooks has them: an HMAC-SHA256 over the id, the moment and the raw body.

    webhook-id: msg_2b…            once a message; a second try sends the same
    webhook-timestamp: 1764400000  epoch seconds
    webhook-signature: v1,<base64> v1,<base64> …   several while a secret is exchanged

The specification's own library isn't used: it reads the body as text, so that a packed one can't be verified, takes the
clock from the system, and lets errors of its parsing through. The tests hold this module against it.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from aura_analytics.errors import AlreadyReceived, Unauthorised
from aura_analytics.guard.key import SIGNING_PREFIX

ID, TIMESTAMP, SIGNATURE = b"webhook-id", b"webhook-timestamp", b"webhook-signature"
NAMES = frozenset({ID, TIMESTAMP, SIGNATURE})
TOLERANCE_S = 300
VERSION = b"v1"
# A header with more signatures than anybody has secrets is somebody who tries them out.
MOST_SIGNATURES = 16
LONGEST_ID = 256


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers of a signed request say, read but not believed. `timestamp` is in epoch seconds."""

    id: str
    timestamp: int
    signatures: tuple[bytes, ...]


class Seen(Protocol):
    """Remembers which messages have come, for as long as their moment would still be taken."""

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a message until a moment, in epoch milliseconds; tell whether it is new. Of two at once, one is."""


def read(headers: Iterable[tuple[bytes, bytes]]) -> Signed | None:
    """Read the three headers; None where none of them is there.

    Raises:
        Unauthorised: some are missing, come twice, or can't be read.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in NAMES:
            if name in found:
                raise Unauthorised(f"{name.decode()} comes twice")
            found[name] = value.strip()
    return _read(found) if found else None


def _read(found: Mapping[bytes, bytes]) -> Signed:
    missing = [name.decode() for name in (ID, TIMESTAMP, SIGNATURE) if not found.get(name)]
    if missing:
        raise Unauthorised(
            f"a signed request has webhook-id, -timestamp and -signature; {', '.join(missing)} is missing"
        )
    message, moment = found[ID].decode("latin-1"), found[TIMESTAMP]
    if len(message) > LONGEST_ID or not (message.isascii() and message.isprintable()):
        raise Unauthorised(f"webhook-id takes at most {LONGEST_ID} visible characters")
    if not moment.isdigit() or len(moment) > 15:
        raise Unauthorised("webhook-timestamp is a whole number of seconds since 1970")
    given = found[SIGNATURE].split()
    if len(given) > MOST_SIGNATURES:
        raise Unauthorised(f"webhook-signature takes at most {MOST_SIGNATURES} signatures")
    return Signed(id=message, timestamp=int(moment), signatures=tuple(_signatures(given)))


def _signatures(given: Iterable[bytes]) -> Iterable[bytes]:
    """Give those of a version that is known, as bytes; others may be of a later specification and are passed over."""
    for one in given:
        version, _, written = one.partition(b",")
        if version != VERSION:
            continue
        try:
            yield b64decode(written, validate=True)
        except ValueError:
            continue


def verify(signed: Signed, body: bytes, secrets: Iterable[str], *, now: int) -> None:
    """See that one of the signatures is of one of the secrets, and that the request is of now.

    Args:
        signed: what the headers say.
        body: as it came over the wire, packed where it is packed.
        secrets: `whsec_…`, those that are taken at present; two while one is exchanged.
        now: epoch milliseconds.

    Raises:
        Unauthorised: it is too old, of the future, or signed by somebody else.
    """
    refuse_stale(signed, now=now)
    fits = False
    for secret in secrets:
        expected = _mac(secret, signed.id, signed.timestamp, body)
        for given in signed.signatures:  # all of them, so that the time says nothing
            fits |= hmac.compare_digest(given, expected)
    if not fits:
        raise Unauthorised("the signature doesn't fit this request")


def refuse_stale(signed: Signed, *, now: int) -> None:
    """See that a request says that it is of now, before its body is read for it.

    Raises:
        Unauthorised: it is too old, or of the future.
    """
    if abs(now - signed.timestamp * 1000) > TOLERANCE_S * 1000:
        raise Unauthorised(f"webhook-timestamp is more than {TOLERANCE_S // 60} minutes from now")


async def refuse_replay(signed: Signed, key_id: str, seen: Seen, *, now: int) -> None:
    """Note a verified request, and refuse it where the very same has come before.

    A caller who got no answer signs the message anew: the same id, another moment. That is taken; events that were
    stored already are told as duplicates, as ever.

    It is told as a conflict and not as an unknown key: who signed it is known, and a proxy that sends a request again is
    no thief. It says that the request came, not that it was stored.

    Raises:
        AlreadyReceived: it has.
    """
    until = (signed.timestamp + TOLERANCE_S) * 1000
    if not await seen.remember(f"{key_id}:{signed.timestamp}:{signed.id}", until=until, now=now):
        raise AlreadyReceived("a further try is signed anew, with the moment of that try")


def sign(secret: str, *, message: str, timestamp: int, body: bytes) -> str:
    """Give what a caller puts into `webhook-signature`; `timestamp` is in epoch seconds."""
    return f"{VERSION.decode()},{b64encode(_mac(secret, message, timestamp, body)).decode()}"


def _mac(secret: str, message: str, timestamp: int, body: bytes) -> bytes:
    signing_key = b64decode(secret.removeprefix(SIGNING_PREFIX))
    return hmac.digest(signing_key, f"{message}.{timestamp}.".encode() + body, hashlib.sha256)


class SeenHere:
    """Remembers in this process; where there are several servers, the database does it for all of them.

    What is held is bounded by the tolerance: nothing stays longer than a request may be old. Messages lie in the order
    in which they came, and each is looked at once when it is over.
    """

    def __init__(self) -> None:
        self._until: dict[str, int] = {}
        self._order: deque[tuple[int, str]] = deque()

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a message; tell whether it is new."""
        while self._order and self._order[0][0] < now:
            _, gone = self._order.popleft()
            self._until.pop(gone, None)
        if message in self._until:
            return False
        self._until[message] = until
        # Kept for the longest that any may be, so that the order of coming is the order of going.
        self._order.append((max(until, now + 2 * TOLERANCE_S * 1000), message))
        return True

    def __len__(self) -> int:
        return len(self._until)
