"""Files of events: newline-delimited JSON or one JSON document, packed or not, in batches that know their lines."""

import gzip
import itertools
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
from msgspec import Raw

from aura_analytics.errors import LoadError, MalformedBody
from aura_analytics.events.decode import BYTE_ORDER_MARK, split_json

GZIP_MAGIC = b"\x1f\x8b"
STDIN = "-"
BATCH_EVENTS = 1_000
BATCH_BYTES = 4 << 20


class Batch(msgspec.Struct, frozen=True):
    """Some events in their order; `places` says for each where it stands, `read` how many bytes of the file are done."""

    events: list[Raw]
    places: list[str]
    read: int


class Source:
    """One file, or standard input. `size` is in bytes, packed; None where it can't be known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = Path(name).stat().st_size if name != STDIN and Path(name).is_file() else None

    def batches(self) -> Iterator[Batch]:
        """Read the file.

        Raises:
            LoadError: it can't be read, or it is neither of the two forms.
        """
        try:
            with self._opened() as (raw, plain):
                for events in _chunked(self._events(plain)):
                    yield Batch([event for _, event in events], [place for place, _ in events], _position(raw))
        except (OSError, EOFError, zlib.error) as error:
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else "the gzip is damaged or cut off"
            )
            raise LoadError(f"{self.name} can't be read: {reason}") from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        """Open the file; give it as it is, to know how far it was read, and unpacked."""
        descriptor = sys.stdin.fileno() if self.name == STDIN else self.name
        with open(descriptor, "rb", closefd=self.name != STDIN) as file:
            packed = file.peek(2)[:2] == GZIP_MAGIC
            yield file, cast("BinaryIO", gzip.GzipFile(fileobj=file)) if packed else file

    def _events(self, file: BinaryIO) -> Iterator[tuple[str, Raw]]:
        """Tell the form by its first line: a line that is JSON by itself begins a file of lines."""
        lines = enumerate(file, start=1)
        number, first = next(((n, line.removeprefix(BYTE_ORDER_MARK)) for n, line in lines if line.strip()), (0, b""))
        if not first:
            raise LoadError(f"{self.name} is empty")
        if first.lstrip().startswith(b"[") or not _is_json(first):
            yield from self._document(number, first, (line for _, line in lines))
            return
        for n, line in itertools.chain([(number, first)], lines):
            if stripped := line.strip():
                yield f"{self.name}:{n}", Raw(stripped)

    def _document(self, number: int, first: bytes, rest: Iterable[bytes]) -> Iterator[tuple[str, Raw]]:
        """Read one JSON document; where it is none, its lines may still be."""
        lines = [first, *rest]
        document = b"".join(lines)
        if not first.lstrip().startswith(b"[") and not _is_json(document):
            numbered = enumerate(lines, start=number)
            yield from ((f"{self.name}:{n}", Raw(line.strip())) for n, line in numbered if line.strip())
            return
        try:
            events = split_json(document)
        except MalformedBody as error:
            raise LoadError(f"{self.name} can't be read: {error}") from error
        yield from ((f"{self.name}: event {n}", event) for n, event in enumerate(events, start=1))


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _position(file: BinaryIO) -> int:
    try:
        return file.tell()
    except OSError:  # a pipe
        return 0


def _chunked(events: Iterable[tuple[str, Raw]]) -> Iterator[list[tuple[str, Raw]]]:
    """Gather events until there are enough of them, or enough bytes."""
    chunk: list[tuple[str, Raw]] = []
    size = 0
    for place, event in events:
        chunk.append((place, event))
        size += len(bytes(event))
        if len(chunk) >= BATCH_EVENTS or size >= BATCH_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
