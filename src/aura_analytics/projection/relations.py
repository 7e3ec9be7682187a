"""The relations that a question may name, each as the SQL that reads it fastest: from cubes where they hold it, else rows."""

import re
from collections.abc import Callable, Collection
from typing import Any

from aura_analytics.projection import cubes, sequence
from aura_analytics.projection.coverage import DAY_MS, HOUR_MS, Coverage, Range, cells_in, covered
from aura_analytics.projection.cubes import floored
from aura_analytics.projection.measures import MEASURES, OF_TURNS
from aura_analytics.projection.question import Question
from aura_analytics.projection.slices import KINDS

Stale = Callable[[], Collection[int]]
_PARAMETER = re.compile(r"\$(\w+)")
NAMES = ("rows", "turns", "cells", "texts", "latencies")


class Relations:
    """The relations of one question, and the values that their SQL binds.

    Args:
        question: what is asked.
        stale_hours: tells which hours the cubes can't answer; asked only where it matters.
        stale_days: the same for days.
    """

    def __init__(self, question: Question, *, stale_hours: Stale, stale_days: Stale) -> None:
        self._question = question
        self._about = question.about
        self._stale_hours = stale_hours
        self._stale_days = stale_days
        self._bound: dict[str, Any] = {}
        self._without_window = self._about.where(window=False)

    def expanded(self) -> tuple[str, dict[str, Any]]:
        """Give the SQL with its relations put in, and the values that it binds."""
        sql = self._question.sql
        makers = (self._rows, self._turns, self._cells, self._texts, self._latencies)
        for name, make in zip(NAMES, makers, strict=True):
            if f"{{{name}}}" in sql:
                sql = sql.replace(f"{{{name}}}", f"({make()})")
        given = {"answered_until": self._question.answered_until} | self._about.parameters | self._question.parameters
        named = set(_PARAMETER.findall(sql))
        return sql, {name: value for name, value in (given | self._bound).items() if name in named}

    def _rows(self) -> str:
        return f"SELECT * FROM interactions WHERE {self._about.where()}"

    # Turns: settled hours know which were said again, for the others it is looked up now.

    def _turns(self) -> str:
        coverage = self._covered(HOUR_MS)
        parts = [self._turns_now(coverage, "t")]
        if coverage.first is not None:
            parts.append(sequence.settled_turns(f"{self._moments(coverage, 's')} AND {self._without_window}"))
        return " UNION ALL BY NAME ".join(parts)

    def _turns_now(self, coverage: Coverage, prefix: str) -> str:
        near = [(low, high + sequence.REPHRASE_GAP_MS) for low, high in coverage.ranges]
        looked_at = self._within(near, f"{prefix}n")
        for name in self._about.filters & {"stores", "session"}:  # a session is one store's
            looked_at = f"{looked_at} AND {self._about.condition(name)}"
        turns = sequence.turns(self._within(coverage.ranges, prefix), looked_at)
        return f"SELECT * FROM ({turns}) WHERE {self._without_window}"

    # What adds up, by the hour.

    def _cells(self) -> str:
        measures = self._question.measures
        cube = self._hour_cube()
        coverage = self._covered(HOUR_MS) if cube else self._uncovered()
        split = f", {self._question.split}" if self._question.split else ""
        sums = ", ".join(f"{MEASURES[name]} AS {name}" for name in measures)
        raw = self._rows_in(coverage, "c")
        if OF_TURNS.keys() & set(measures):
            raw = self._turns_now(coverage, "c") if cube else self._turns()
        parts = [f"SELECT {self._bucket_of_moment()} AS bucket{split}, {sums} FROM ({raw}) GROUP BY ALL"]
        if cube and coverage.first is not None:
            table, condition = cube
            within = self._units(coverage, HOUR_MS, "hour", "h")
            parts.append(
                f"SELECT {self._bucket_of_cell('hour', HOUR_MS)} AS bucket{split}, {', '.join(measures)} FROM {table}"
                f" WHERE {within} AND {condition}"
            )
        return " UNION ALL ".join(parts)

    def _hour_cube(self) -> tuple[str, str] | None:
        """Choose the hour cube that holds the question, and the condition on its rows; None where none does."""
        filters, split, buckets = self._about.filters, self._question.split, self._question.buckets
        if buckets is not None and buckets.unit_ms % HOUR_MS:
            return None
        if filters <= {"stores"} and split in (None, "store_id"):
            if filters:
                return "cells", f"store_id IS NOT NULL AND {self._without_window}"
            return "cells", "store_id IS NULL" if split is None else "store_id IS NOT NULL"
        if filters <= set(KINDS) and split in (None, *cubes.KIND_COLUMNS) and "sessions" not in self._question.measures:
            return "kinds", self._without_window
        return None

    # What was said, and how long it took, by the day.

    def _texts(self) -> str:
        cube = self._text_cube()
        coverage = self._covered(DAY_MS) if cube else self._uncovered()
        sums = ", ".join(f"{sql} AS {name}" for name, sql in cubes.TEXT_MEASURES.items())
        raw = self._rows_in(coverage, "x")
        parts = [f"SELECT query_text, intent, {sums} FROM ({raw}) GROUP BY query_text, intent"]
        if cube and coverage.first is not None:
            within = self._units(coverage, DAY_MS, "day", "xd")
            names = ", ".join(cubes.TEXT_MEASURES)
            parts.append(f"SELECT query_text, intent, {names} FROM {cube} WHERE {within} AND {self._without_window}")
        return " UNION ALL ".join(parts)

    def _text_cube(self) -> str | None:
        filters = self._about.filters
        if filters <= {"intents", "text"}:
            return "texts"
        return "store_texts" if filters <= {"stores", "intents", "text"} else None

    def _latencies(self) -> str:
        buckets, split = self._question.buckets, self._question.split
        by_day = buckets is None or buckets.unit_ms == DAY_MS
        usable = self._about.filters <= {"stores"} and split in (None, "store_id") and by_day
        coverage = self._covered(DAY_MS) if usable else self._uncovered()
        keys = f"bucket, {split}, latency_ms" if split else "bucket, latency_ms"
        raw = f"{self._rows_in(coverage, 'l')} AND latency_ms IS NOT NULL"
        source = f"SELECT *, {self._bucket_of_moment()} AS bucket FROM ({raw})"
        parts = [f"SELECT {keys}, count(*) AS queries FROM ({source}) GROUP BY ALL"]
        if usable and coverage.first is not None:
            within = self._units(coverage, DAY_MS, "day", "ld")
            table = "store_latencies" if self._about.filters or split else "latencies"
            parts.append(
                f"SELECT {keys}, queries FROM (SELECT *, {self._bucket_of_cell('day', DAY_MS)} AS bucket FROM {table})"
                f" WHERE {within} AND {self._without_window}"
            )
        return " UNION ALL ".join(parts)

    # Windows, as conditions.

    def _covered(self, unit_ms: int) -> Coverage:
        about = self._about
        stale = self._stale_hours() if unit_ms == HOUR_MS else self._stale_days()
        return covered(about.start, about.end, until=self._question.answered_until, unit_ms=unit_ms, stale=stale)

    def _uncovered(self) -> Coverage:
        about = self._about
        return covered(about.start, about.end, until=-(2**62), unit_ms=HOUR_MS, stale=())

    def _rows_in(self, coverage: Coverage, prefix: str) -> str:
        return f"SELECT * FROM interactions WHERE {self._within(coverage.ranges, prefix)} AND {self._without_window}"

    def _within(self, ranges: list[Range], prefix: str) -> str:
        """Give the condition that a row lies in one of some ranges; such a one lets a scan skip all the rest."""
        conditions = [self._between("created_at", one, f"{prefix}{n}") for n, one in enumerate(ranges)]
        return f"({' OR '.join(conditions) or 'false'})"

    def _units(self, coverage: Coverage, unit_ms: int, column: str, prefix: str) -> str:
        """Give the condition on the cells of a coverage, without those that its ranges hold."""
        assert coverage.first is not None  # noqa: S101 (the callers have looked)
        assert coverage.last is not None  # noqa: S101
        conditions = [self._between(column, (coverage.first, coverage.last), prefix)]
        for n, held in enumerate(cells_in(coverage, unit_ms)):
            conditions.append(f"NOT ({self._between(column, held, f'{prefix}o{n}')})")
        return " AND ".join(conditions)

    def _moments(self, coverage: Coverage, prefix: str) -> str:
        """Give the same condition on the moments of rows."""
        assert coverage.first is not None  # noqa: S101 (the callers have looked)
        assert coverage.last is not None  # noqa: S101
        whole = (coverage.first * HOUR_MS, (coverage.last + 1) * HOUR_MS - 1)
        conditions = [self._between("created_at", whole, prefix)]
        for n, (low, high) in enumerate(cells_in(coverage, HOUR_MS)):
            held = (low * HOUR_MS, (high + 1) * HOUR_MS - 1)
            conditions.append(f"NOT ({self._between('created_at', held, f'{prefix}o{n}')})")
        return " AND ".join(conditions)

    def _between(self, column: str, ends: Range, name: str) -> str:
        self._bound |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
        return f"{column} BETWEEN ${name}_low AND ${name}_high"

    # The steps of a series.

    def _bucket_of_moment(self) -> str:
        buckets = self._question.buckets
        return "0" if buckets is None else floored("created_at", buckets.unit_ms)

    def _bucket_of_cell(self, column: str, cell_ms: int) -> str:
        buckets = self._question.buckets
        return "0" if buckets is None else floored(column, buckets.unit_ms // cell_ms)
