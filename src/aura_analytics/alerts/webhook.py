"""Telling somebody, as Standard Webhooks has it: a signed POST, the same id at each try, and a pause that grows.

The addresses are the operator's own, out of the settings, so any host that this machine reaches may be one. What answers
there can't lead elsewhere: a redirect isn't followed, and the answer isn't read.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import msgspec

from aura_analytics.alerts.measure import Measured
from aura_analytics.alerts.rule import Rule
from aura_analytics.clock import Clock, now
from aura_analytics.guard.signature import sign
from aura_analytics.store.alerts import AlertState, Kind, Message
from aura_analytics.version import __version__

ANSWER_S = 10.0
# Pauses after the first, second … try; then it is given up. Two days in all.
PAUSES_S = (1, 5, 30, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000)
GONE = 410


class Webhooks:
    """The addresses that are told.

    Args:
        urls: of whoever listens.
        secret: what is signed with, `whsec_…`.
        clock: the present.
    """

    def __init__(self, urls: Sequence[str], secret: str, *, clock: Clock = now) -> None:
        self._urls = {target_of(url): url for url in urls}
        self._secret = secret
        self._clock = clock

    def names(self) -> dict[str, str]:
        """Give the host of each target: the rest of an address may be a secret."""
        return {target: urlsplit(url).hostname or "?" for target, url in self._urls.items()}

    def messages(self, kind: Kind, rule: str, body: str, *, now: int) -> list[Message]:
        """Make what is to be said to each target."""
        id = f"msg_{secrets.token_hex(12)}"
        return [
            Message(id=id, target=target, rule=rule, kind=kind, body=body, made_at=now, due_at=now)
            for target in self._urls
        ]

    async def deliver(self, messages: Sequence[Message]) -> list[Message]:
        """Try to say some messages, all at once; give what has become of each."""
        async with httpx.AsyncClient(timeout=ANSWER_S, follow_redirects=False, trust_env=False) as client:
            return list(await asyncio.gather(*(self._deliver(client, message) for message in messages)))

    async def _deliver(self, client: httpx.AsyncClient, message: Message) -> Message:
        url = self._urls.get(message.target)
        if url is None:
            return _given_up(message, "the address is no longer among the settings")
        body, moment = message.body.encode(), self._clock() // 1000
        headers = {
            "content-type": "application/json",
            "user-agent": f"aura-analytics/{__version__}",
            "webhook-id": message.id,
            "webhook-timestamp": str(moment),
            "webhook-signature": sign(self._secret, message=message.id, timestamp=moment, body=body),
        }
        try:
            async with client.stream("POST", url, content=body, headers=headers) as answer:
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(message, type(error).__name__)
        if 200 <= status < 300:
            return msgspec.structs.replace(
                message, due_at=None, attempts=message.attempts + 1, delivered_at=self._clock(), error=None
            )
        if status == GONE:
            return _given_up(message, "HTTP 410: it wants no more")
        return self._failed(message, f"HTTP {status}")

    def _failed(self, message: Message, error: str) -> Message:
        if message.attempts >= len(PAUSES_S):
            return _given_up(message, error)
        due_at = self._clock() + PAUSES_S[message.attempts] * 1000
        return msgspec.structs.replace(message, due_at=due_at, attempts=message.attempts + 1, error=error)


def target_of(url: str) -> str:
    """Give what an address is called where it is kept: it may hold a secret."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def body_of(kind: Kind, rule: Rule, state: AlertState, seen: Measured) -> str:
    """Write what is said of a rule."""
    data = {
        "name": rule.name,
        "metric": rule.metric,
        "value": seen.value,
        "heldAgainst": seen.held,
        "above": rule.above,
        "clear": rule.clears_at,
        "interactions": seen.of,
        "window": rule.window,
        "store": rule.store or "all",
        "since": state.since,
    }
    return _body(kind, data, state.looked_at)


def test_body(*, now: int) -> str:
    """Write what is said to see that it is heard."""
    return _body("alert.test", {"name": "test"}, now)


def _body(kind: Kind, data: Mapping[str, object], moment: int) -> str:
    stamp = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"type": kind, "timestamp": stamp, "data": data}).decode()


def _given_up(message: Message, error: str) -> Message:
    return msgspec.structs.replace(message, due_at=None, attempts=message.attempts + 1, error=error)
