"""The log: readable on a terminal, JSON lines else; always on standard error.

Nothing above the level debug holds what people said, or a key.
"""

import asyncio
import atexit
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from aura_analytics.recent import Hear, encode

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]


# structlog knows these and no others.
LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)


# Never the values of variables: they are what people said, or a key.
_EXCEPTIONS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


class Forwarder(logging.Handler):
    """Hands what libraries log through the standard library to structlog, so that one stream has one form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # the arguments don't fit; what was meant is still worth a line
            message = str(record.msg)
        level = max((known for known in LEVELS if known <= record.levelno), default=logging.DEBUG)
        structlog.get_logger(record.name).log(level, message, logger=record.name, exc_info=record.exc_info or None)


class Lines:
    """A logger, and its own factory, that writes what the event loop logged within a moment in one go.

    A write a line would let go of the interpreter's lock for each request, and a busy thread would keep it. Threads
    other than the event loop's write at once.
    """

    GATHER_S = 0.02

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        self._lock = threading.Lock()
        atexit.register(self._flush)

    def __call__(self, *_: object) -> "Lines":
        """Give the logger."""
        return self

    def msg(self, line: bytes) -> None:
        """Write a line, a moment later at the latest."""
        loop: asyncio.AbstractEventLoop | None
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            first = not self._waiting
            self._waiting.append(line)
        if loop is None:
            self._flush()
        elif first:
            loop.call_later(self.GATHER_S, self._flush)

    debug = info = warning = error = critical = exception = fatal = log = msg

    def _flush(self) -> None:
        with self._lock:
            lines, self._waiting = self._waiting, []
        with contextlib.suppress(OSError, ValueError):  # whoever read the log is gone; the service goes on
            self._file.write(b"".join(line + b"\n" for line in lines))
            self._file.flush()


class Stamper:
    """Puts the moment into an event: ISO 8601, UTC, milliseconds. The second is written once a second, not once a line."""

    def __init__(self) -> None:
        self._second = 0
        self._text = ""

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Stamp one event."""
        second, millisecond = divmod(time.time_ns() // 1_000_000, 1000)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event["timestamp"] = f"{self._text}.{millisecond:03}Z"
        return event


def configure(level: Level, form: Format = "auto") -> None:
    """Set up logging for this process."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    readable = form == "console" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            Stamper(),
            *(_for_people() if readable else _for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr) if readable else Lines(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    # Libraries are heard when something is wrong; their chatter would double the canonical line of each request.
    logging.basicConfig(handlers=[Forwarder()], level=max(threshold, logging.WARNING), force=True)


@contextlib.contextmanager
def processed_by(process: Processor) -> Iterator[None]:
    """Have a processor look at each line first, until the end of the block."""
    processors = structlog.get_config()["processors"]
    processors.insert(0, process)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            processors.remove(process)


@contextlib.contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Have every line that is written from now on heard as well, until the end of the block.

    Whoever hears it gets a copy in which an exception is as JSON has it. The list of processors is changed in place: the
    loggers of modules that have logged already hold on to it.
    """
    processors = structlog.get_config()["processors"]

    def overhear(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        copied = dict(event)
        if copied.get("exc_info"):
            copied = dict(_EXCEPTIONS(_logger, _method, copied))
        hear(copied)
        return event

    processors.insert(max(0, len(processors) - 1), overhear)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            processors.remove(overhear)


def _for_people() -> list[Any]:  # Any: structlog's processors are callables of several shapes
    formatter = structlog.dev.RichTracebackFormatter(show_locals=False)  # as above
    return [_harmless, structlog.dev.ConsoleRenderer(colors=True, exception_formatter=formatter)]


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take from texts what a terminal would act on: paths and names are the callers'."""
    return {name: plain(value) if isinstance(value, str) else value for name, value in event.items()}


def plain(text: str) -> str:
    """Make what people said harmless to a terminal: no escape sequence, no control character, one line."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _for_machines() -> list[Any]:  # Any: see above
    return [_EXCEPTIONS, _encode]


def _encode(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return encode(event)
