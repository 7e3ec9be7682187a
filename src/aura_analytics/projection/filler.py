"""The process that fills new columns: `python -m aura_analytics.projection.filler`.

It streams rows out of the row database by a driver that must not meet another connection to the same file in its
process; hence a process for it. It reads a `Filling` from standard input and writes a line for each part that is done.
"""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

import duckdb
import msgspec

from aura_analytics.projection import schema
from aura_analytics.projection.config import engine_config
from aura_analytics.projection.filling import Filled, Filling
from aura_analytics.store import stream
from aura_analytics.store.port import Part

# Reading rows and packing columns take about as long; so two parts at a time keep two cores busy.
AT_ONCE = 2


def fill(filling: Filling) -> None:
    """Fill, and report to standard output."""
    config = engine_config(memory_mb=filling.memory_mb, threads=filling.threads)
    with (
        contextlib.closing(duckdb.connect(filling.path, config=config)) as connection,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        running = {pool.submit(_fill_part, connection, part): n for n, part in enumerate(filling.parts)}
        for done in as_completed(running):
            error = done.exception()
            _report(Filled(part=running[done], error=type(error).__name__ if error else None))


def _fill_part(connection: duckdb.DuckDBPyConnection, part: Part) -> None:
    with contextlib.closing(connection.cursor()) as cursor, contextlib.closing(stream(part)) as rows:
        cursor.register("stream", rows)
        cursor.execute(schema.FILL_FROM_STREAM)
        cursor.unregister("stream")


def _report(filled: Filled) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(filled) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    fill(msgspec.json.decode(sys.stdin.buffer.read(), type=Filling))
