"""Statements of a SQL dump, read piece by piece: no more of it is in memory than the longest statement takes.

What `wrangler d1 export` and SQLite's own `.dump` write, in any newlines.
"""

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import BinaryIO

import msgspec

from aura_analytics.errors import LoadError

PIECE = 1 << 20
# D1 holds no cell of more than 2 MB; written as hexadecimal digits it takes twice as much.
LONGEST = 32 << 20

# A statement with its end. Each alternative takes all it can and gives nothing back, so a statement is read once.
_STATEMENT = re.compile(
    rb"""(?:[^'"`\[;/-]++|'[^']*+'|"[^"]*+"|`[^`]*+`|\[[^\]]*+\]|--[^\n]*+\n|/\*(?:[^*]++|\*(?!/))*+\*/|-(?!-)|/(?!\*))*+;"""
)
# What may stand between statements, and at the end of a file.
_BETWEEN = re.compile(rb"(?:\s++|--[^\n]*+(?:\n|$)|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
_TRIGGER = re.compile(rb"CREATE\s+(?:TEMP\s+|TEMPORARY\s+)?TRIGGER\b", re.IGNORECASE)
_TRIGGER_END = re.compile(rb"\bEND\s*;$", re.IGNORECASE)
_MARK = b"\xef\xbb\xbf"


class Statement(msgspec.Struct, frozen=True):
    """One statement, and the line it begins in."""

    line: int
    text: bytes


class Dump:
    """Reads the statements of a file.

    Args:
        file: the dump.
        advance: is told how many bytes have been read.
    """

    def __init__(self, file: BinaryIO, advance: Callable[[int], None] = lambda _: None) -> None:
        self._file = file
        self._advance = advance
        self._read = 0
        self._rest = b""
        self._piece = PIECE
        self._line = 1
        self._content = blake2b(digest_size=16)

    @property
    def content(self) -> str:
        """What tells this dump from every other one, once it has been read."""
        return self._content.hexdigest()

    def statements(self) -> Iterator[Statement]:
        """Give the statements.

        Raises:
            LoadError: the file ends amid one, or one is too long to be one.
        """
        trigger: list[bytes] = []
        for statement in self._divided():
            if not trigger and not _TRIGGER.match(statement.text):
                yield statement
                continue
            trigger.append(statement.text)  # it has statements inside
            if _TRIGGER_END.search(statement.text):
                yield Statement(statement.line, b" ".join(trigger))
                trigger = []
        if trigger:
            raise LoadError(f"the dump ends amid the trigger before line {self._line}: it isn't all there")

    def _divided(self) -> Iterator[Statement]:
        at = 0
        while True:
            at = self._skipped(at)
            found = _STATEMENT.match(self._rest, at)
            if found is None:
                left, at = len(self._rest) - at, self._more(at)
                if len(self._rest) > left:
                    continue
                if self._rest.strip(b"\0\x1a \t\r\n"):  # a terminal's old end of a text is none
                    raise LoadError(
                        f"the dump ends amid the statement of line {self._line}: it isn't all there; nothing was taken"
                    )
                return
            text = found[0]
            yield Statement(self._line, text)
            self._line += text.count(b"\n")
            at = found.end()

    def _skipped(self, at: int) -> int:
        """Skip what stands between statements; a comment that isn't whole yet stays."""
        found = _BETWEEN.match(self._rest, at)
        if found is None or found.end() == at:
            return at
        self._line += self._rest.count(b"\n", at, found.end())
        return found.end()

    def _more(self, at: int) -> int:
        """Read on; what has been given is forgotten. Give the place to go on at."""
        kept = self._rest[at:]
        if len(kept) > LONGEST:
            raise LoadError(f"line {self._line} begins a statement of more than {LONGEST >> 20} MiB: this is no dump")
        # Twice as much each time that it wasn't enough: a long statement is looked at a few times, not at every piece.
        self._piece = min(max(PIECE, len(kept)), LONGEST)
        piece = self._file.read(self._piece)
        if not self._read:
            piece = piece.removeprefix(_MARK)
        self._read += len(piece)
        self._content.update(piece)
        self._advance(self._read)
        self._rest = kept + piece
        return 0
