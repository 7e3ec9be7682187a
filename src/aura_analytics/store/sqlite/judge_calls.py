"""The requests to models: noted, summed up, and how many more may be made."""

import sqlite3
from collections.abc import Sequence

import msgspec

from aura_analytics.events.records import JudgeCall
from aura_analytics.store import queries
from aura_analytics.store.allowance import Level, correction_of, granted, names_of, spent_on
from aura_analytics.store.judging import AnsweredCalls, CallSums, Demand, Grant
from aura_analytics.store.sqlite.forgotten import Forgotten

SQL = queries.load("judge_calls", "sqlite")
ALLOWANCE = queries.load("allowance", "sqlite")


def note(connection: sqlite3.Connection, calls: Sequence[JudgeCall]) -> None:
    """Note requests, and put right what was reserved for them. In a write transaction."""
    connection.executemany(SQL["note"], [msgspec.structs.asdict(call) for call in Forgotten(connection).calls(calls)])
    correction = correction_of(calls)
    for name, amount in correction.tokens.items():
        connection.execute(ALLOWANCE["correct"], {"name": name, "amount": amount})
    for name, amount in correction.usd.items():
        at = max(call.called_at for call in calls)
        connection.execute(ALLOWANCE["spend"], {"name": name, "amount": amount, "at": at})


def reserve(connection: sqlite3.Connection, *, demand: Demand, now: int) -> Grant:
    """Take as much of a demand as may be had; see `Store.reserve`. In a write transaction."""
    found = {name: _level(connection, name) for name in names_of(demand, now)}
    grant, levels = granted(demand, {name: level for name, level in found.items() if level is not None}, now)
    if grant.requests:
        rows = [{"name": name, "level": level.level, "at": level.at} for name, level in levels.items()]
        connection.executemany(ALLOWANCE["save"], rows)
    return grant


def spent_usd(connection: sqlite3.Connection, *, now: int) -> float:
    """Give what a day has cost; see `Store.spent_usd`."""
    level = _level(connection, spent_on(now))
    return max(0.0, level.level) if level else 0.0


def judge_calls(connection: sqlite3.Connection, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
    """Sum up requests; see `Store.judge_calls`."""
    rows = connection.execute(SQL["sums"], {"since": since, "until": until, "store_id": store_id})
    return [CallSums(**dict(zip(CallSums.__struct_fields__, row, strict=True))) for row in sorted(rows)]


def answered_calls(connection: sqlite3.Connection, *, since: int, until: int, store_id: str | None) -> AnsweredCalls:
    """Look at the answered ones together; see `Store.answered_calls`."""
    row = connection.execute(SQL["answered"], {"since": since, "until": until, "store_id": store_id}).fetchone()
    return AnsweredCalls(**dict(zip(AnsweredCalls.__struct_fields__, row, strict=True)))


def _level(connection: sqlite3.Connection, name: str) -> Level | None:
    row = connection.execute(ALLOWANCE["level"], {"name": name}).fetchone()
    return Level(*row) if row else None
