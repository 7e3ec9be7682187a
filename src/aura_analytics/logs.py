"""The log: readable on a terminal, JSON lines else; always on standard error.

Nothing above the level debug holds what people said, or a key.
"""

import logging
import sys
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "console", "json"]


class Forwarder(logging.Handler):
    """Hands what libraries log through the standard library to structlog, so that one stream has one form."""

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record."""
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def configure(level: Level, form: Format = "auto") -> None:
    """Set up logging for this process."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    readable = form == "console" or (form == "auto" and sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_for_people() if readable else _for_machines()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr)
        if readable
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    # Libraries are heard when something is wrong; their chatter would double the canonical line of each request.
    logging.basicConfig(handlers=[Forwarder()], level=max(threshold, logging.WARNING), force=True)


def _for_people() -> list[Any]:  # Any: structlog's processors are callables of several shapes
    return [structlog.dev.ConsoleRenderer(colors=True)]


def _for_machines() -> list[Any]:  # Any: see above
    return [structlog.processors.dict_tracebacks, _encode]


def _encode(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=repr)
