"""What surrounds a piece of work, and what becomes of it: by a recorder that remembers."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest

from aura_analytics import spans
from aura_analytics.spans import Attributes, Kind, Span

NUMBERS = count(1)


class Remembered:
    """A span that remembers."""

    def __init__(self, name: str, *, parent: "Remembered | None" = None, recorded: bool = True) -> None:
        self.name, self.parent, self.is_recorded = name, parent, recorded
        self.trace_id: str = parent.trace_id if parent else f"trace-{next(NUMBERS)}"
        self.span_id = self.traceparent = f"span-{next(NUMBERS)}"
        self.has_ended = False
        self.children: list[Remembered] = []
        self.linked: list[Span] = []
        self.error: str | None = None

    def child(self, name: str, kind: Kind, attributes: Attributes, linked: Sequence[Span] = ()) -> Span:
        del kind, attributes
        self.children.append(Remembered(name, parent=self, recorded=self.is_recorded))
        self.children[-1].linked += linked
        return self.children[-1]

    def link(self, other: Span) -> None:
        self.linked.append(other)

    def note(self, attributes: Attributes) -> None:
        raise AssertionError(attributes)

    def end(self, error: str | None = None) -> None:
        if not self.has_ended:
            self.has_ended, self.error = True, error


def test_outside_of_what_is_traced_there_is_nothing() -> None:
    assert spans.current() is None
    with spans.piece("work", "internal", {}) as none, spans.together("work", "internal", {}, [None, None]) as neither:
        assert none is neither is spans.current() is None


def test_a_piece_is_a_part_of_what_surrounds_it_and_ends_with_its_block() -> None:
    with spans.surrounded_by(Remembered("all")) as around:
        with spans.piece("work", "internal", {}) as piece:
            assert spans.current() is piece
            assert piece in around.children  # type: ignore[attr-defined] # what was given
        assert piece is not None
        assert piece.has_ended
        assert spans.current() is around
    assert around.has_ended
    assert spans.current() is None


def test_what_goes_wrong_is_told_by_its_kind_alone() -> None:
    around = Remembered("all")
    with pytest.raises(ValueError, match="a secret"), spans.surrounded_by(around):
        raise ValueError("a secret")
    assert around.error == "ValueError"
    with pytest.raises(asyncio.CancelledError), spans.surrounded_by(cancelled := Remembered("all")):
        raise asyncio.CancelledError
    assert cancelled.error == "CancelledError"


def test_of_what_isn_t_recorded_no_part_is() -> None:
    with spans.surrounded_by(Remembered("all", recorded=False)) as around:
        with spans.piece("work", "internal", {}) as piece:
            assert piece is None
        assert spans.current() is around  # the log names its trace all the same


async def test_what_outlives_a_request_isn_t_a_part_of_it() -> None:
    begun = asyncio.Event()

    async def outlives() -> Span | None:
        await begun.wait()
        return spans.current()

    with spans.surrounded_by(Remembered("request")):
        task = asyncio.create_task(outlives())
    begun.set()
    assert await task is None


def test_what_is_done_for_several_is_a_part_of_the_first_and_linked_with_the_others() -> None:
    first, second, unrecorded = Remembered("1"), Remembered("2"), Remembered("3", recorded=False)
    with spans.together("work", "internal", {}, [None, unrecorded, first, second, first]) as work:
        assert spans.current() is work
    assert first.children == [work]
    assert first.children[0].linked == [second]
    assert (first.linked, second.linked, unrecorded.linked) == ([], [work], [])


def test_no_more_are_linked_than_may_be() -> None:
    many = [Remembered(str(n)) for n in range(2 * spans.MOST_LINKS)]
    with spans.together("work", "internal", {}, many):
        pass
    assert len(many[0].children[0].linked) == spans.MOST_LINKS - 1


def test_a_line_of_the_log_names_its_trace() -> None:
    assert spans.name_trace(None, "info", {"event": "e"}) == {"event": "e"}
    with spans.surrounded_by(Remembered("all")) as around:
        named = spans.name_trace(None, "info", {"event": "e"})
    assert named == {"event": "e", "trace_id": around.trace_id, "span_id": around.span_id}
