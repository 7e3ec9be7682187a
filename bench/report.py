"""What is printed: tables for people, on a terminal or as Markdown."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from clients import Stream, memory_mb, quantile
from rounds import Fresh, Loaded


class Measured(msgspec.Struct, kw_only=True):
    """All that was measured. Any: an engine's times and rows."""

    interactions: int
    full_speed: float
    rebuild_s: float
    names: list[str]
    missing: list[str]
    uncompared: list[str]
    engines: dict[str, dict[str, dict[str, Any]]]
    rest: Loaded
    cached: float
    mixed: Loaded
    mixed_stream: Stream
    fresh: Fresh
    fresh_stream: Stream
    memory: list[tuple[str, float, float, float]]


def report(measured: Measured, *, markdown: bool) -> None:
    """Print everything."""
    show_questions(measured, markdown=markdown)
    full = measured.full_speed
    rows = [
        ("rebuild", f"{measured.rebuild_s:.1f} s, {measured.interactions / measured.rebuild_s:,.0f} interactions/s"),
        ("while everything was asked", of_stream(measured.mixed_stream, full, measured.mixed.failed)),
        ("while fresh numbers were asked", of_stream(measured.fresh_stream, full, measured.fresh.refused)),
        ("wait for a number that holds the event before it", of_fresh(measured.fresh)),
        ("one cached summary, 32 connections", f"{measured.cached:,.0f} requests/s"),
        *of_memory(measured.memory),
        ("not there yet", ", ".join(measured.missing) or "–"),
        ("not compared with the server", ", ".join(measured.uncompared) or "–"),
    ]
    show(f"{measured.interactions:,} interactions", ("", "measured"), rows, markdown=markdown)


def show_questions(measured: Measured, *, markdown: bool) -> None:
    """Print each question: here at rest and under load, and the others' times, as a multiple of the median at rest."""
    columns = ["", "at rest p50", "p99", "mixed p50", "p99", "tries", *measured.engines]
    rows = []
    for name in measured.names:
        ours, loaded = measured.rest.times.get(name, []), measured.mixed.times.get(name, [])
        row = [ms(quantile(times, share)) for times in (ours, loaded) for share in (0.5, 0.99)]
        theirs = [beside(answers[name], quantile(ours, 0.5)) for answers in measured.engines.values()]
        rows.append([name, *row, f"{len(ours)} + {len(loaded)}", *theirs])
    rows.append(together(measured))
    show("Uncached answers over HTTP; the others at rest, in process", columns, rows, markdown=markdown)


def together(measured: Measured) -> list[str]:
    """Write the times of all questions as if they were one."""
    ours, loaded = (
        [taken for each in part.times.values() for taken in each] for part in (measured.rest, measured.mixed)
    )
    row = [ms(quantile(times, share)) for times in (ours, loaded) for share in (0.5, 0.99)]
    return ["all of them", *row, f"{len(ours)} + {len(loaded)}", *("" for _ in measured.engines)]


def beside(answer: dict[str, Any], ours: float) -> str:  # Any: times and rows
    """Write an engine's median and p99, and its median as a multiple of ours."""
    middle = quantile(answer["times"], 0.5)
    p99 = f" / {ms(quantile(answer['times'], 0.99))}" if len(answer["times"]) > 1 else ""
    beyond = "" if answer["rows"] is not None else "> "
    times_ours = "" if math.isnan(ours) else f" ({ratio(middle / ours)})"
    return f"{beyond}{ms(middle)}{p99}{times_ours}"


def of_stream(stream: Stream, full: float, failed: int) -> str:
    """Write what a steady stream came to."""
    rate = f"{stream.rate:,.0f} of {stream.wanted:,.0f} events/s, {stream.rate / full:.0%} of full speed"
    return f"{rate}, p50 {ms(stream.p50_ms)}, p99 {ms(stream.p99_ms)}; failed: {stream.failed} sent, {failed} asked"


def of_fresh(fresh: Fresh) -> str:
    """Write how long the fresh numbers were waited for."""
    waits = f"p50 {ms(quantile(fresh.waits, 0.5))}, p99 {ms(quantile(fresh.waits, 0.99))}"
    return f"{waits}; {len(fresh.waits) - fresh.wrong} of {len(fresh.waits)} held it"


def memory_of(pids: Sequence[int], before: Sequence[float]) -> list[tuple[str, float, float, float]]:
    """Give the memory of each process: held before, held now, held at most; the first is the server."""
    names = ["memory of the server", *("memory of its child" for _ in pids[1:])]
    return [(name, held, *memory_mb(pid)) for name, pid, held in zip(names, pids, before, strict=True)]


def of_memory(found: list[tuple[str, float, float, float]]) -> list[tuple[str, str]]:
    """Write what each process of the server holds in memory, and all of them."""
    rows = [
        (name, f"{now:,.0f} MB ({held:,.0f} before the load, {most:,.0f} at most)") for name, held, now, most in found
    ]
    now, before = sum(part[2] for part in found), sum(part[1] for part in found)
    return [*rows, ("memory in all", f"{now:,.0f} MB ({before:,.0f} before the load)")]


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool) -> None:
    """Print a table whose first column is text and whose others are numbers."""
    if markdown:
        print(f"\n{title}\n\n| {' | '.join(columns)} |\n| --- |{' ---: |' * (len(columns) - 1)}")
        for row in rows:
            print(f"| {' | '.join(row)} |")
        return
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column != columns[0] else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def ms(value: float) -> str:
    """Write milliseconds with as many digits as say something; what wasn't measured is a dash."""
    if math.isnan(value):
        return "–"
    if value >= 1000:
        return f"{value / 1000:,.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def ratio(value: float) -> str:
    """Write a ratio."""
    return f"{value:,.0f} ×" if value >= 10 else f"{value:.1f} ×"
