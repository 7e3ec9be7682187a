"""Training data to a file or a pipe, streamed from wherever the columns are."""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from aura_analytics.errors import LoadError
from aura_analytics.opening import make_reader
from aura_analytics.settings import Settings
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.training import ExampleFilter, Format, examples
from aura_analytics.terminal.screen import progress
from aura_analytics.terminal.service import explain, serving_at


async def export(
    settings: Settings, where: Mapping[str, str | list[str]], chosen: ExampleFilter, form: Format, output: Path | None
) -> int:
    """Write chat examples as NDJSON to a file or to standard output; give how many.

    Raises:
        LoadError: the server can't be used.
        ParameterError: the scope can't be read.
    """
    with opened(output) as target:
        url = await serving_at(settings)
        if url is not None:
            try:
                return await _write(_from_server(url, where, chosen, form), target)
            except httpx.HTTPError as error:
                raise LoadError(f"the export broke off: {str(error) or type(error).__name__}") from error
        # Imported here: a server and DuckDB take longer to load than asking another one does.
        from aura_analytics.terminal.alone import own_projection  # noqa: PLC0415

        async with own_projection(settings) as projection:
            reader = make_reader(settings, projection)
            scope = scopes.parse(where, now=reader.now)
            return await _write(examples(reader, scope, chosen, form), target)


@contextmanager
def opened(output: Path | None) -> Iterator[BinaryIO]:
    """Open the target; a file appears under its name only once it is whole. A device or a pipe is written as it is."""
    if output is None:
        yield sys.stdout.buffer
        return
    if output.exists() and not output.is_file():
        with _writable(output) as file:
            yield file
        return
    unfinished = output.with_name(output.name + ".part")
    try:
        with _writable(unfinished) as file:
            yield file
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _writable(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise LoadError(f"{path} can't be written: {error.strerror}") from error


async def _from_server(
    url: str, where: Mapping[str, str | list[str]], chosen: ExampleFilter, form: Format
) -> AsyncIterator[bytes]:
    parameters: dict[str, str | float | list[str]] = {**where}
    parameters |= {"label": chosen.label, "min_confidence": chosen.min_confidence, "format": form}
    parameters |= {"max_latency": chosen.max_latency_ms} | ({"limit": chosen.limit} if chosen.limit else {})
    async with (
        httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as client,  # noqa: S113 (as long as it takes)
        client.stream("GET", "/export/training-data", params=parameters) as answer,
    ):
        if not answer.is_success:
            await answer.aread()
            raise LoadError(explain(answer))
        async for piece in answer.aiter_bytes():
            yield piece


async def _write(pieces: AsyncIterator[bytes], target: BinaryIO) -> int:
    lines = 0
    with progress("exporting", None) as meter:
        async for piece in pieces:
            target.write(piece)
            lines += piece.count(b"\n")
            meter.set(lines, f"{lines:,} examples")
    target.flush()
    return lines
