"""The evaluator in a process of its own, as a server sees it: started, started anew if it dies, and ended with the server.

Where a model judges, each call takes milliseconds of a processor, which events that come in mustn't wait for.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import structlog

from aura_analytics.errors import SettingsError
from aura_analytics.settings import Settings

log = structlog.get_logger()

MODULE = "aura_analytics.evaluator"

# Between two tries to start the process anew; the pause grows where it doesn't stay.
RESTART_PAUSE_S, LONGEST_RESTART_PAUSE_S = 0.5, 60.0
STAYS_S = 60.0
# How long it may take to give back its claims when the server stops.
STOP_S = 10.0


class Checked(msgspec.Struct, frozen=True):
    """What the process says first: what is wrong with the settings, if something is."""

    error: str | None = None


class EvaluatorProcess:
    """The process that labels beside a server.

    Its standard input is the line to it: the settings, an empty line once it may begin, and its end, when the server is
    gone, however it went. On its standard output it says what it thinks of the settings, and then what it logs.

    Args:
        settings: all of them.
        hear: takes the lines that it logs, for who looks at them here.
    """

    def __init__(self, settings: Settings, hear: Callable[[bytes], None] | None = None) -> None:
        self._settings = settings
        self._hear = hear
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and have it look at the settings.

        Raises:
            SettingsError: a model, the rubric or the rules can't be used.
        """
        self._process = await self._spawn()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Have it label until the end of the block; it is started anew whenever it ends. Then stop it."""
        assert self._process is not None  # noqa: S101 (started before)
        _say(self._process, b"\n")
        watching = asyncio.create_task(self._watch(self._process), name="evaluator")
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            await self.stop()

    async def stop(self) -> None:
        """Let it give back what it has claimed, and end."""
        if self._process is not None:
            await _end(self._process)

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", MODULE, stdin=pipe, stdout=pipe)
        try:
            _say(process, msgspec.json.encode(self._settings) + b"\n")
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            said = await process.stdout.readline()
            checked = msgspec.json.decode(said, type=Checked) if said else Checked("the evaluator doesn't start")
        except BaseException:
            await asyncio.shield(_end(process))
            raise
        if checked.error is not None:
            await _end(process)
            raise SettingsError(checked.error)
        return process

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """See that there is always one."""
        pause_s, loop = RESTART_PAUSE_S, asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await self._listen(process)
            status = await process.wait()
            if loop.time() - begun > STAYS_S:
                pause_s = RESTART_PAUSE_S
            log.warning("evaluator_ended", status=status, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_RESTART_PAUSE_S)
            try:
                process = self._process = await self._spawn()
                _say(process, b"\n")
            except (SettingsError, OSError) as error:
                log.warning("evaluator_waits", error=str(error))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Take what it says until it ends: nobody else empties the pipe."""
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        while written := await process.stdout.readline():
            if self._hear is not None:
                self._hear(written)


def _say(process: asyncio.subprocess.Process, line: bytes) -> None:
    """Write to the process; one that is gone hears nothing, and is seen to be gone elsewhere."""
    if process.stdin is not None:
        process.stdin.write(line)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
