"""What the process that fills columns is told, and what it reports."""

import msgspec

from aura_analytics.store.port import Part


class Filling(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: fill `interactions` in the file at `path`, which has it and is nobody else's meanwhile."""

    path: str
    parts: list[Part]
    memory_mb: int
    threads: int


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A part that is done; where `error` says what went wrong, nothing of it is there."""

    part: int
    error: str | None = None
