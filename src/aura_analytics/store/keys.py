"""What the guard asks of the row database: the keys, the signed messages that have come, and the record of changes."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from aura_analytics.store.queries import Row


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept; the key itself is not. None among `stores` and `networks` is no limit; moments in epoch ms."""

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    stores: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    signed_only: bool = False
    signing_secret: str | None = None
    rotated_from: str | None = None
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None

    def __repr__(self) -> str:
        """Show no secret, wherever this is printed."""
        return f"KeyRecord(id={self.id!r}, name={self.name!r})"

    def is_live(self, now: int) -> bool:
        """Whether it opens anything at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def cells(self) -> dict[str, Any]:
        """The values of its row when it is made. Any: a cell of a database."""
        return {
            "id": self.id,
            "name": self.name,
            "hash": self.hash,
            "scopes": _listed(self.scopes),
            "stores": _listed(self.stores),
            "networks": _listed(self.networks),
            "signed_only": int(self.signed_only),
            "signing_secret": self.signing_secret,
            "rotated_from": self.rotated_from,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
        }


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change: who made it, what it was, what it was about. `details` is what JSON can hold, and never a secret."""

    at: int
    actor: str
    action: str
    subject: str
    details: Any = None  # Any: what JSON can hold

    @property
    def cells(self) -> dict[str, Any]:
        """The values of its row. Any: a cell of a database."""
        details = None if self.details is None else msgspec.json.encode(self.details).decode()
        return {
            "at": self.at,
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "details": details,
        }


class KeyStore(Protocol):
    """The keys of a row database.

    What changes a key notes it in the record, in the same transaction. Every method raises `StoreUnavailable` where the
    database can't be used right now.
    """

    async def create(self, record: KeyRecord, *, actor: str) -> None:
        """Keep a new key."""

    async def keys(self) -> list[KeyRecord]:
        """Give all keys there ever were, the newest first."""

    async def revoke(self, key_id: str, *, now: int, actor: str) -> bool:
        """Take a key back; tell whether there was one to take back."""

    async def rotate(self, key_id: str, successor: KeyRecord, *, ends_at: int, now: int, actor: str) -> bool:
        """Keep a key in place of another one, which ends at a moment; tell whether that one was in use. Else nothing."""

    async def touch(self, used: Mapping[str, int]) -> None:
        """Note when keys were last used, in epoch ms by their ids."""

    async def remember(self, message: str, *, until: int, now: int) -> bool:
        """Note a signed message until a moment; tell whether it is new. Of two at once, at any servers, one is."""

    async def note(self, entry: AuditEntry) -> None:
        """Add to the record of changes."""

    async def audit(self, limit: int, *, since: int | None = None, action: str | None = None) -> list[AuditEntry]:
        """Give the record of changes, the latest first: since a moment, and of one action, where these are named."""


@runtime_checkable
class RateStore(Protocol):
    """The buckets of callers, where several servers have one database."""

    async def take_rate(self, bucket: str, *, least_s: float, most_s: float, capacity_s: float) -> tuple[float, float]:
        """Take out of a bucket; tell how much was taken, and in how many seconds it is full again.

        What is in a bucket is measured in seconds, those that it takes to fill. Taken is `most_s`, or `least_s` where
        there isn't as much, or 0; what costs more than the whole capacity is taken where the bucket is full.
        """


def key_of(row: Row) -> KeyRecord:
    """Read a row of the statement `all`."""
    return KeyRecord(
        id=row[0],
        name=row[1],
        hash=row[2],
        scopes=_read(row[3]) or (),
        stores=_read(row[4]),
        networks=_read(row[5]),
        signed_only=bool(row[6]),
        signing_secret=row[7],
        rotated_from=row[8],
        created_at=row[9],
        expires_at=row[10],
        revoked_at=row[11],
        last_used_at=row[12],
    )


def entry_of(row: Row) -> AuditEntry:
    """Read a row of the statement `audit`."""
    details = None if row[4] is None else msgspec.json.decode(row[4])
    return AuditEntry(at=row[0], actor=row[1], action=row[2], subject=row[3], details=details)


def created(record: KeyRecord, *, actor: str) -> AuditEntry:
    """Say that a key was made, and what it may do."""
    details = {
        "name": record.name,
        "scopes": record.scopes,
        "stores": record.stores,
        "networks": record.networks,
        "expires_at": record.expires_at,
        "rotated_from": record.rotated_from,
    }
    return AuditEntry(at=record.created_at, actor=actor, action="key.created", subject=record.id, details=details)


def _listed(values: tuple[str, ...] | None) -> str | None:
    return None if values is None else msgspec.json.encode(values).decode()


def _read(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else msgspec.json.decode(text, type=tuple[str, ...])
