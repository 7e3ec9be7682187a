"""How a batch goes over the wire, and what its answer means."""

import gzip
import hashlib
import hmac
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx
import msgspec

from aura_analytics.client.event import new_id
from aura_analytics.errors import ParameterError, Rejection

SECRET_PREFIX = "whsec_"  # noqa: S105  # what a secret begins with
PASSING = frozenset({408, 425, 429})
WRONG = frozenset({400, 415})
GZIP_LEVEL = 1


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch.

    taken: all but `rejected`. wrong: nothing of it will ever be taken. large: it has to be sent in parts. refused: whoever
    answers there takes nothing of ours, until somebody changes a setting. away: worth another try, in `after_s`.
    """

    kind: Literal["taken", "wrong", "large", "refused", "away"]
    rejected: int = 0
    detail: str = ""
    after_s: float = 0.0


class _Told(msgspec.Struct):
    """The parts of a receipt and of a problem that matter here."""

    accepted: int | None = None
    rejected: list[Rejection] = []
    detail: str | None = None


class Wire:
    """Posts batches. Not for two threads at once.

    Args:
        url: the service's, without `/ingest`.
        key: shown in X-API-Key, if there is one.
        secret: signs, if there is one; `whsec_…`.
        attempt_s: the patience with each step of a request.
        gzip_from: bytes from which on a body is packed.
    """

    def __init__(self, url: str, *, key: str, secret: str, attempt_s: float, gzip_from: int) -> None:
        self._url = _address(url)
        if not (key.isascii() and key.isprintable()):
            raise ParameterError("an API key has letters, digits and underscores only")
        self._headers = {"content-type": "application/x-ndjson"} | ({"x-api-key": key} if key else {})
        self._secret = _signing_key(secret)
        self._attempt_s = attempt_s
        self._gzip_from = gzip_from
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def forget(self) -> None:
        """Leave connections to the process that has them, and have new ones."""
        self._client = None

    def post(self, lines: Sequence[bytes], message: "Message") -> Answer:
        """Try once."""
        if self._client is None:
            self._client = httpx.Client(timeout=self._attempt_s, follow_redirects=False)
        body = b"\n".join(lines)
        headers = dict(self._headers)
        if len(body) >= self._gzip_from:
            body = gzip.compress(body, GZIP_LEVEL)
            headers["content-encoding"] = "gzip"
        if self._secret:
            headers |= message.signed(self._secret, body)
        try:
            return read(self._client.post(self._url, content=body, headers=headers), len(lines))
        except httpx.HTTPError as error:
            return Answer(kind="away", detail=str(error) or type(error).__name__)


class Message:
    """What all tries of a batch have in common: an id, and moments of which none comes twice."""

    def __init__(self) -> None:
        self._id = new_id()
        self._signed_at = 0

    def signed(self, secret: bytes, body: bytes) -> dict[str, str]:
        """Give the headers of Standard Webhooks. The service takes a moment once, so a quick second try is a second on."""
        self._signed_at = max(int(time.time()), self._signed_at + 1)
        mac = hmac.digest(secret, f"{self._id}.{self._signed_at}.".encode() + body, hashlib.sha256)
        return {
            "webhook-id": self._id,
            "webhook-timestamp": str(self._signed_at),
            "webhook-signature": f"v1,{b64encode(mac).decode()}",
        }


def read(response: httpx.Response, sent: int) -> Answer:
    """Say what an answer to so many events means."""
    status = response.status_code
    told = _told(response.content)
    detail = told.detail or f"HTTP {status}"
    if told.rejected:
        first = told.rejected[0]
        detail = f"{first.field}: {first.message}" if first.field else first.message
    if response.is_success:
        if told.accepted is None:  # something else stands at the service's address
            return Answer(kind="refused", detail=f"HTTP {status} that is no receipt")
        return Answer(kind="taken", rejected=len(told.rejected), detail=detail)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return Answer(kind="large", detail=detail)
    if status in PASSING or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return Answer(kind="away", detail=detail, after_s=_after_s(response.headers.get("retry-after", "")))
    if status in WRONG:
        return Answer(kind="wrong", rejected=sent, detail=detail)
    return Answer(kind="refused", detail=f"HTTP {status}: {detail}")


def _told(content: bytes) -> _Told:
    try:
        return msgspec.json.decode(content, type=_Told)
    except (ValueError, RecursionError):
        return _Told()


def _after_s(text: str) -> float:
    """Read Retry-After: seconds, or a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _address(url: str) -> str:
    told = "the service's address is an http:// or https:// URL"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ParameterError(told) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ParameterError(told)
    return f"{url.rstrip('/')}/ingest"


def _signing_key(secret: str) -> bytes:
    try:
        return b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError as error:
        raise ParameterError("a signing secret is whsec_ and base64") from error
