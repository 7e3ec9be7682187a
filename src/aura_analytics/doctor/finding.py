"""What a check has found, and how one is made: within a time, and so that whatever goes wrong is a finding."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Literal

import msgspec

from aura_analytics.errors import AuraError

State = Literal["ok", "skipped", "warning", "fail"]
# By the exit code that the worst of them has.
EXIT: dict[State, int] = {"ok": 0, "skipped": 0, "warning": 1, "fail": 2}
WITHIN_S = 10.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what was looked at, how it is, what was seen, and what to do about it."""

    name: str
    state: State
    seen: str
    advice: str | None = None


Check = Callable[[], Awaitable[Iterable[Finding]]]


def ok(name: str, seen: str) -> Finding:
    """Say that something is well."""
    return Finding(name=name, state="ok", seen=seen)


def skipped(name: str, seen: str, advice: str | None = None) -> Finding:
    """Say that there was nothing to look at."""
    return Finding(name=name, state="skipped", seen=seen, advice=advice)


def warning(name: str, seen: str, advice: str) -> Finding:
    """Say that something may become bad."""
    return Finding(name=name, state="warning", seen=seen, advice=advice)


def fail(name: str, seen: str, advice: str) -> Finding:
    """Say that something doesn't work."""
    return Finding(name=name, state="fail", seen=seen, advice=advice)


async def within(name: str, check: Check, advice: str, seconds: float = WITHIN_S) -> list[Finding]:
    """Make a check; one that takes too long, or that can't be made, has failed.

    Args:
        name: of the line, where the check has none to give.
        check: what is looked at.
        advice: what to do where it fails.
        seconds: how long it may take.
    """
    try:
        async with asyncio.timeout(seconds):
            return list(await check())
    except TimeoutError:
        return [fail(name, f"no answer within {seconds:g} s", advice)]
    except AuraError as error:
        return [fail(name, str(error), advice)]


def exit_code(findings: Iterable[Finding]) -> int:
    """Give the exit code: 0 all is well, 1 something may become bad, 2 something doesn't work."""
    return max((EXIT[finding.state] for finding in findings), default=0)


def span(milliseconds: float) -> str:
    """Write a length of time for people."""
    seconds = max(0, round(milliseconds / 1000))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7_200 else f"{seconds // 3_600} h"
