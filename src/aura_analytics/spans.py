"""What is traced just now: the span that surrounds a piece of work, if anybody traces.

Rooms ask for the span that surrounds them and give their work one of its own below it. Who records spans, and whether
at all, is settled where objects are wired; outside of what is traced nothing happens here, at the cost of one look.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal, Protocol

from structlog.typing import EventDict, WrappedLogger

Value = str | bool | int | float
Attributes = Mapping[str, Value]
Kind = Literal["server", "client", "internal"]
# Name and value, as HTTP has them, names in small letters.
Headers = Sequence[tuple[bytes, bytes]]

# A span is linked with so many others at most.
MOST_LINKS = 128


class Span(Protocol):
    """A piece of work that is traced. Any thread may use it."""

    @property
    def trace_id(self) -> str:
        """Of the trace that it is a part of, in hexadecimal."""

    @property
    def span_id(self) -> str:
        """Its own, in hexadecimal."""

    @property
    def traceparent(self) -> str:
        """Both, as W3C's header hands them on."""

    @property
    def is_recorded(self) -> bool:
        """Whether it is going to be told."""

    @property
    def has_ended(self) -> bool:
        """Whether the work is done."""

    def child(self, name: str, kind: Kind, attributes: Attributes, linked: Sequence["Span"] = ()) -> "Span":
        """Begin a part of it; `linked` are others that this is the work of, too."""

    def link(self, other: "Span") -> None:
        """Link it with another one, where its work was done."""

    def note(self, attributes: Attributes) -> None:
        """Add what is known of it by now."""

    def end(self, error: str | None = None) -> None:
        """End it; with the kind of what went wrong, if something did."""


class Tracer(Protocol):
    """Begins what is part of nothing else here."""

    def begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        *,
        headers: Headers = (),
        start_ns: int | None = None,
    ) -> Span:
        """Begin a span.

        Args:
            name: of the kind of work, never of one piece of it.
            kind: which side of a call it is.
            attributes: what is known of it.
            headers: of a request; where they hold a trace (W3C), it is gone on with.
            start_ns: when it began, in nanoseconds since 1970; by default now.
        """


_CURRENT: ContextVar[Span | None] = ContextVar("aura_span", default=None)


def current() -> Span | None:
    """Give the span that surrounds this, if there is one that goes on."""
    span = _CURRENT.get()
    return None if span is None or span.has_ended else span


@contextlib.contextmanager
def surrounded_by(span: Span) -> Iterator[Span]:
    """Let a block be a part of a span; end the span with it."""
    token = _CURRENT.set(span)
    try:
        yield span
    except BaseException as error:
        span.end(type(error).__name__)
        raise
    else:
        span.end()
    finally:
        _CURRENT.reset(token)


@contextlib.contextmanager
def piece(name: str, kind: Kind, attributes: Attributes) -> Iterator[Span | None]:
    """Trace a block as a part of what surrounds it, if that is recorded."""
    around = current()
    if around is None or not around.is_recorded:
        yield None
        return
    with surrounded_by(around.child(name, kind, attributes)) as span:
        yield span


@contextlib.contextmanager
def together(name: str, kind: Kind, attributes: Attributes, around: Sequence[Span | None]) -> Iterator[Span | None]:
    """Trace a block that is the work of several at once: a part of the first, linked with the others, both ways."""
    recorded = [span for span in around if span is not None and span.is_recorded]
    if not recorded:
        yield None
        return
    first, *others = list(dict.fromkeys(recorded))[:MOST_LINKS]
    with surrounded_by(first.child(name, kind, attributes, others)) as span:
        for other in others:
            other.link(span)
        yield span


def name_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put into a line of the log which trace it belongs to."""
    if (span := current()) is not None:
        event["trace_id"], event["span_id"] = span.trace_id, span.span_id
    return event
