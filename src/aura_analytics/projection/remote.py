"""The columns in a process of their own, as a server sees them: asked over a socket, started anew if they die."""

import asyncio
import contextlib
import itertools
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import structlog

from aura_analytics.errors import ProjectionFailed, ProjectionOwned, ProjectionUnavailable
from aura_analytics.projection import frames
from aura_analytics.projection.port import ProjectionStatus, Verification
from aura_analytics.projection.question import Question
from aura_analytics.settings import Settings

log = structlog.get_logger()

# Between two tries to start the process anew; the pause grows where it doesn't start, such as without a row database.
RESTART_PAUSE_S, LONGEST_RESTART_PAUSE_S = 0.5, 10.0
# The longest question: comparing all rows and columns of ten million interactions takes minutes.
ANSWER_S = 900.0
# How long a process of columns may take to let go of its file when the server stops.
STOP_S = 20.0


class RemoteProjection:
    """The columns that another process keeps for this one; implements `Columns`.

    Args:
        settings: name the database and the file.
        hear: takes the lines that the process logs, for who looks at them here.
    """

    def __init__(self, settings: Settings, hear: Callable[[bytes], None] | None = None) -> None:
        self._settings = settings
        self._hear = hear
        self._heard: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, and see that it starts again whenever it ends.

        Raises:
            ProjectionOwned: another server keeps the columns of this database.
            ProjectionUnavailable: the process doesn't start.
        """
        reader = await self._spawn()
        self._task = asyncio.create_task(self._listen(reader), name="columns")

    async def stop(self) -> None:
        """Let the process finish what it does, and end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._hang_up()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), STOP_S)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._heard is not None:
            self._heard.cancel()

    async def ask(self, question: Question, *, staleness_ms: int = 0) -> list[Any]:
        """Answer a question with all that was committed when it came. Any: what a cell can be."""
        rows: list[Any] = await self._call(partial(frames.ask, question=question, staleness_ms=staleness_ms))
        return rows

    async def status(self) -> ProjectionStatus:
        """Tell where the columns are."""
        return msgspec.convert(await self._call(partial(frames.Call, method="status", arguments={})), ProjectionStatus)

    async def verify(self, *, rebuild: bool = False) -> Verification:
        """Compare rows and columns, after building the columns anew where asked."""
        call = partial(frames.Call, method="verify", arguments={"rebuild": rebuild})
        return msgspec.convert(await self._call(call), Verification)

    async def _call(self, frame: Callable[[int], frames.Call | frames.Ask]) -> Any:  # Any: each method's own
        if self._writer is None or self._writer.is_closing():
            raise ProjectionUnavailable("the statistics are starting")
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            frames.write(self._writer, frame(number))
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError as error:
            raise ProjectionUnavailable("the statistics don't answer", retry_after_s=5) from error
        finally:
            self._asked.pop(number, None)

    async def _spawn(self) -> asyncio.StreamReader:
        """Start the process and wait until it has the file."""
        ours, theirs = socket.socketpair()
        with theirs:
            module = "aura_analytics.projection.host"
            descriptor = theirs.fileno()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                str(descriptor),
                pass_fds=[descriptor],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
        # It ends with the process, which closes its side.
        self._heard = asyncio.create_task(self._overhear(self._process), name="columns-log")
        reader, writer = await asyncio.open_connection(sock=ours)
        frames.write(writer, frames.Start(self._settings))
        started = await frames.read(reader)
        if not isinstance(started, frames.Started):
            writer.close()
            raise ProjectionUnavailable("the statistics don't start")
        if started.owned_elsewhere is not None:
            writer.close()
            raise ProjectionOwned(started.owned_elsewhere)
        if started.unavailable is not None:
            writer.close()
            raise ProjectionUnavailable(started.unavailable)
        self._writer = writer
        return reader

    async def _overhear(self, process: asyncio.subprocess.Process) -> None:
        """Take what the process logs until it ends: nobody else empties the pipe."""
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        while written := await process.stdout.readline():
            if self._hear is not None:
                self._hear(written)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Hand answers to those who asked; when the process ends, tell them, and start another."""
        while True:
            while (frame := await frames.read(reader)) is not None:
                self._hand_over(frame)
            self._hang_up()
            log.warning("columns_ended", status=self._process.returncode if self._process else None)
            reader = await self._respawn()

    async def _respawn(self) -> asyncio.StreamReader:
        """Start the process anew, however often it takes."""
        pause_s = RESTART_PAUSE_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                return await self._spawn()
            except (ProjectionUnavailable, ProjectionOwned, OSError) as error:
                log.warning("columns_wait", error=str(error))
            pause_s = min(2 * pause_s, LONGEST_RESTART_PAUSE_S)

    def _hand_over(self, frame: frames.Frame) -> None:
        if not isinstance(frame, frames.Answer | frames.Failure):
            return
        answer = self._asked.get(frame.number)
        if answer is None or answer.done():
            return
        if isinstance(frame, frames.Answer):
            answer.set_result(frame.result)
        elif frame.unavailable:
            answer.set_exception(ProjectionUnavailable(frame.message, frame.retry_after_s))
        else:
            answer.set_exception(ProjectionFailed(frame.message))

    def _hang_up(self) -> None:
        """Close our side; whoever still waits for an answer is told that there won't be one."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(ProjectionUnavailable("the statistics are starting anew"))
