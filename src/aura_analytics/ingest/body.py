"""Reading a request's body: bounded, unpacked on the way, never more in memory than may be."""

import zlib
from collections.abc import AsyncIterator

from aura_analytics.errors import BodyTooLarge, MalformedBody
from aura_analytics.guard.budget import Portion

GZIP = 16 + zlib.MAX_WBITS
# What a decompressor may hand out in one go; a bomb is noticed a piece at a time.
PIECE = 1 << 20


async def read(chunks: AsyncIterator[bytes], *, gzipped: bool, most: int, portion: Portion) -> bytes:
    """Read a body to its end.

    Args:
        chunks: as they come from the client.
        gzipped: whether to unpack it.
        most: bytes that it may have, unpacked; the packed form may have no more.
        portion: pays for what is held.

    Raises:
        BodyTooLarge: there is more than that.
        MalformedBody: it is no gzip, or is cut off.
        QueueFull: the budget is used up.
    """
    unpacker = Unpacker(most) if gzipped else None
    pieces: list[bytes] = []
    size = received = 0
    async for chunk in chunks:
        received += len(chunk)
        piece = unpacker.unpack(chunk) if unpacker else chunk
        size += len(piece)
        if size > most or received > most:
            raise BodyTooLarge(f"a body takes at most {most} bytes")
        portion.take(len(piece))
        pieces.append(piece)
    if unpacker:
        unpacker.finish()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Unpacker:
    """Unpacks gzip of one or several members, and notices when it becomes too much."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._member = zlib.decompressobj(GZIP)
        self._begun = False

    def unpack(self, data: bytes) -> bytes:
        """Unpack the next bytes.

        Raises:
            BodyTooLarge: all that was unpacked is too much.
            MalformedBody: this is no gzip.
        """
        pieces: list[bytes] = []
        try:
            while data:
                if self._member.eof:
                    if not data.strip(b"\0"):  # padding after the last member
                        break
                    self._member = zlib.decompressobj(GZIP)
                self._begun = True
                pieces.append(self._member.decompress(data, PIECE))
                self._size += len(pieces[-1])
                if self._size > self._most:
                    raise BodyTooLarge(f"a body takes at most {self._most} bytes")
                data = self._member.unconsumed_tail or self._member.unused_data
        except zlib.error as error:
            raise MalformedBody("the body says that it is gzip, but it isn't") from error
        return b"".join(pieces)

    def finish(self) -> None:
        """See that nothing is missing.

        Raises:
            MalformedBody: the last member is cut off.
        """
        if self._begun and not self._member.eof:
            raise MalformedBody("the gzip is cut off")
