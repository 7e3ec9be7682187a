"""Sums that are the same for the same rows, in whatever order they are read and in whichever database they lie."""

from hashlib import blake2b

import msgspec

from aura_analytics.store.copying.tables import Table, TableName
from aura_analytics.store.queries import Row

DIGEST_BYTES = 8
MODULUS = 1 << (8 * DIGEST_BYTES)

_encoder = msgspec.msgpack.Encoder()
_reals: dict[TableName, tuple[int, ...]] = {}


def encoded(table: Table, row: Row) -> bytes:
    """Write a row so that two are the same bytes if they say the same, to the last bit of a number.

    A number without a fraction is a whole one to SQLite, also where it isn't to PostgreSQL.
    """
    places = _reals.get(table.name)
    if places is None:
        places = _reals[table.name] = table.of_kinds("real")
    if any(type(row[place]) is int for place in places):
        cells = list(row)
        for place in places:
            if type(cells[place]) is int and float(cells[place]) == cells[place]:
                cells[place] = float(cells[place])
        return _encoder.encode(cells)
    return _encoder.encode(row)


def digest(row: bytes) -> int:
    """Give what a row adds to a sum, as `encoded` has written it."""
    return int.from_bytes(blake2b(row, digest_size=DIGEST_BYTES).digest(), "big")


class Sum:
    """A checksum that grows, row by row."""

    def __init__(self) -> None:
        self.value = 0
        self.rows = 0

    def add(self, digest: int) -> None:
        """Count a row by its digest."""
        self.value = (self.value + digest) % MODULUS
        self.rows += 1

    def __str__(self) -> str:
        return f"{self.value:016x}"
