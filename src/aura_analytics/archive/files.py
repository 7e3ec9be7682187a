"""Where the archive's files lie."""

from pathlib import Path
from typing import Protocol


class Files(Protocol):
    """Where the archive's files lie; names are relative, '/'-separated ('date=2026-01-02/store_id=abc/part-1.parquet')."""

    def put(self, path: Path, name: str) -> None:
        """Store a local file under a name: whole and durable, or not at all; replaces."""

    def local(self, name: str) -> Path:
        """A local file with that content (an object store's is fetched once and kept)."""

    def names(self, prefix: str = "") -> list[str]:
        """Sorted names."""

    def remove(self, name: str) -> None:
        """Remove; no error where it isn't there."""
