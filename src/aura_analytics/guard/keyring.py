"""The keys at hand: read from the database now and then, so that a request costs a hash and no question.

A key that was made or taken back, by any process, counts within `FRESH_MS`. Where the database can't be asked, the keys
that were last read go on for `LASTING_MS`; what the request wants will fail by itself if it needs the database.
"""

import asyncio
from collections.abc import Iterable

import structlog

from aura_analytics.clock import Clock, now
from aura_analytics.errors import StoreUnavailable, Unauthorised
from aura_analytics.guard import key
from aura_analytics.guard.network import networks
from aura_analytics.guard.principal import SCOPES, Network, Principal
from aura_analytics.store.keys import KeyRecord, KeyStore

log = structlog.get_logger()

# Older than this, the keys are read anew beside the requests; older than twice of it, requests wait for it.
FRESH_MS = 2_000
LASTING_MS = 60_000
# How often the last uses are noted, in one go.
NOTED_MS = 30_000

# What a key that nobody has is compared with: as long as a hash, and none.
NOBODY = "-" * 64

UNKNOWN = "this key isn't known here, or its time is over"


class Keyring:
    """The keys of a row database, for this process."""

    def __init__(self, store: KeyStore, *, clock: Clock = now) -> None:
        self._store = store
        self._clock = clock
        self._held: dict[str, tuple[KeyRecord, Principal]] = {}
        self._read_at: int | None = None
        self._reading: asyncio.Task[None] | None = None
        self._used: dict[str, int] = {}
        self._noted_at = clock()

    def has_keys(self) -> bool:
        """Whether there ever was a key; from then on nobody is let in without one, even if all were taken back."""
        return bool(self._held)

    def known(self, token: str) -> tuple[Principal, str | None]:
        """Give who holds a key, and the secret that they sign with. The public part alone names them, and proves nothing.

        Raises:
            Unauthorised: the key isn't known, was taken back, or its time is over; which of these isn't told.
        """
        key_id = key.id_of(token)
        held = self._held.get(key_id) if key_id else None
        # What isn't known is compared as well, so that the time doesn't say whether it is.
        proven = key.matches(token, held[0].hash if held else NOBODY) or is_public(token)
        if held is None or not proven or not held[0].is_live(self._clock()):
            raise Unauthorised(UNKNOWN)
        return held[1], held[0].signing_secret

    def holder(self, key_id: str) -> Principal:
        """Give who holds a key by its id, where it was shown before.

        Raises:
            Unauthorised: the key isn't there any more, was taken back, or its time is over.
        """
        held = self._held.get(key_id)
        if held is None or not held[0].is_live(self._clock()):
            raise Unauthorised(UNKNOWN)
        return held[1]

    def used(self, principal: Principal) -> None:
        """Note that a key was used."""
        self._used[principal.key_id] = self._clock()

    async def close(self) -> None:
        """Write down what was used, and let go."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        await self._note()

    def is_fresh(self) -> bool:
        """Whether the keys at hand may be believed as they are."""
        # Read in the future: the clock was set back, and nobody knows how old they are.
        return self._read_at is not None and 0 <= self._clock() - self._read_at <= FRESH_MS

    async def refresh(self) -> None:
        """Have the keys read anew; wait for it only where those at hand are too old.

        Raises:
            StoreUnavailable: they can't be read, and were not for long.
        """
        moment = self._clock()
        age = FRESH_MS * 3 if self._read_at is None else moment - self._read_at
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(moment), name="keys")
        if not 0 <= age <= FRESH_MS * 2:
            await asyncio.shield(self._reading)

    async def reread(self) -> None:
        """Read the keys now, and wait for it.

        Raises:
            StoreUnavailable: they can't be read, and were not for long.
        """
        await self._read(self._clock())

    async def _read(self, moment: int) -> None:
        try:
            records = await self._store.keys()
        except StoreUnavailable:
            if self._read_at is None or not 0 <= moment - self._read_at <= LASTING_MS:
                raise
            log.warning("keys_unread", age_ms=moment - self._read_at)
            return
        self._held = {record.id: (record, principal_of(record)) for record in records}
        self._read_at = moment
        if not 0 <= moment - self._noted_at < NOTED_MS:
            await self._note()

    async def _note(self) -> None:
        used, self._used = self._used, {}
        self._noted_at = self._clock()
        if not used:
            return
        try:
            await self._store.touch(used)
        except StoreUnavailable:
            self._used = used | self._used  # the next time


def is_public(token: str) -> bool:
    """Whether this is only the part of a key that everybody may see."""
    return len(token) == len(key.PREFIX) + key.ID_LENGTH


def principal_of(record: KeyRecord) -> Principal:
    """Make a principal of a key as it is kept; scopes that this version doesn't know allow nothing."""
    return Principal(
        key_id=record.id,
        name=record.name,
        scopes=frozenset(scope for scope in SCOPES if scope in record.scopes),
        stores=None if record.stores is None else frozenset(record.stores),
        networks=None if record.networks is None else _networks(record.networks),
        expires_at=record.expires_at,
        signed_only=record.signed_only,
    )


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return networks(" ".join(texts))
