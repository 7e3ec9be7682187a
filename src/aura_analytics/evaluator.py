"""The process that labels beside a server, until the server is gone; see `evaluation.process` for the other side."""

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections.abc import Callable, Coroutine

import msgspec
import structlog
import uvloop

from aura_analytics import logs
from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.judgement import Gate, Judge
from aura_analytics.evaluation.process import Checked
from aura_analytics.evaluation.rule import Rule
from aura_analytics.labelling import judging, make_evaluator, make_rules, prepare_judge
from aura_analytics.opening import opened_store
from aura_analytics.recent import relay
from aura_analytics.settings import Settings

log = structlog.get_logger()

# What comes in goes first: whoever labels takes what processors have left.
NICENESS = 10


async def evaluate() -> None:
    """Read the settings, look at them, and label from when that is asked for until nobody listens any more."""
    line = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(line), sys.stdin)
    settings = msgspec.json.decode(await line.readline(), type=Settings)
    logs.configure(settings.log_level, settings.log_format)
    try:
        rules, prepared = make_rules(settings), prepare_judge(settings)
    except SettingsError as error:
        _say(Checked(str(error)))
        return
    _say(Checked())
    if not await line.readline():
        return
    with logs.heard_by(relay(sys.stdout.fileno())):
        await _until_gone(label(settings, rules, prepared), line)


async def label(settings: Settings, rules: tuple[Rule, ...], prepared: Callable[[Gate], Judge] | None) -> None:
    """Label until cancelled; a database that isn't there is waited for, however long it takes."""
    async with opened_store(settings, patience_s=math.inf) as store, judging(settings, store, prepared) as judge:
        log.info("evaluating", interval_s=settings.eval_interval_seconds)
        await make_evaluator(settings, store, judge, rules).watch(settings.eval_interval_seconds)


async def _until_gone(work: Coroutine[None, None, None], line: asyncio.StreamReader) -> None:
    """Have work done until the other side closes the line, or the work fails."""
    working, gone = asyncio.create_task(work), asyncio.create_task(line.read())
    await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


def _say(checked: Checked) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(checked) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Run until the server is gone; its signals are its own business."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(evaluate())


if __name__ == "__main__":
    main()
