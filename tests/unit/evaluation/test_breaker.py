"""A breaker keeps everybody from a model in trouble, and lets them back slowly."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.evaluation import breaker as limits
from aura_analytics.evaluation.breaker import Breaker, Change


class Seconds:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """A breaker with its clock, and requests that end as a test says. They all fly as far as there is room."""

    def __init__(self, jitter: float = 0.0) -> None:
        self.clock = Seconds()
        self.breaker = Breaker(self.clock, lambda: jitter)

    def one(self, end: Callable[[Breaker], Change | None]) -> Change | None:
        """Let one request begin and end."""
        assert self.breaker.room() > 0
        self.breaker.begun()
        return end(self.breaker)

    def fill(self) -> int:
        """Let as many begin as may; tell how many."""
        begun = 0
        while self.breaker.room() and begun < 1_000:
            self.breaker.begun()
            begun += 1
        return begun

    def round(self, end: Callable[[Breaker], Change | None]) -> tuple[int, list[Change]]:
        """Let as many begin as may, and all of them end; tell how many, and what changed."""
        begun = self.fill()
        return begun, [change for change in (end(self.breaker) for _ in range(begun)) if change]

    def known(self) -> "Asked":
        """Have it answer until there is no limit any more."""
        while self.breaker.room() < limits.UNLIMITED:
            self.one(Breaker.answered)
        return self

    def resting(self) -> "Asked":
        """Have it fail until it rests."""
        while not self.breaker.wait_s():
            self.one(Breaker.failed)
        return self

    def rested(self) -> "Asked":
        """Wait until it may be asked again."""
        self.clock.now += self.breaker.wait_s()
        return self


def test_failures_in_a_row_open_it() -> None:
    asked = Asked().known()
    changes = [asked.one(Breaker.failed) for _ in range(limits.FAILURES)]
    assert changes == [None] * (limits.FAILURES - 1) + ["rests"]
    assert (asked.breaker.room(), asked.breaker.wait_s()) == (0, pytest.approx(0.75 * limits.FIRST_PAUSE_S))


def test_an_answer_between_them_keeps_it_closed() -> None:
    asked = Asked().known()
    for _ in range(20):
        for _ in range(limits.FAILURES - 1):
            assert asked.one(Breaker.failed) is None
        asked.one(Breaker.answered)
    assert asked.breaker.room() == limits.UNLIMITED


def test_after_the_rest_one_goes_first_then_ever_more() -> None:
    asked = Asked().known().resting().rested()
    rounds = [asked.round(Breaker.answered)[0] for _ in range(8)]
    assert rounds == [1, 2, 4, 8, 16, 32, 64, 1_000]


def test_a_return_is_told_once() -> None:
    asked = Asked().known().resting().rested()
    changes = [change for _ in range(8) for change in asked.round(Breaker.answered)[1]]
    assert changes == ["answers"]


def test_the_one_that_goes_first_and_fails_makes_the_rest_longer() -> None:
    asked, pauses = Asked(jitter=1.0).known().resting(), []
    for _ in range(9):
        pauses.append(asked.breaker.wait_s())
        assert asked.rested().round(Breaker.failed) == (1, [])
    assert pauses == pytest.approx([5, 10, 20, 40, 80, 160, 300, 300, 300])


def test_a_provider_that_asks_for_peace_gets_it_at_once() -> None:
    asked = Asked().known()
    assert asked.one(lambda breaker: breaker.failed(17.0)) == "rests"
    assert asked.breaker.wait_s() == pytest.approx(17)
    assert asked.rested().fill() == 1


def test_a_longer_peace_counts_while_it_rests_and_an_endless_one_does_not() -> None:
    asked = Asked().known()
    asked.fill()
    for seconds, wait_s in [(17.0, 17), (40.0, 40), (20.0, 40), (1e9, limits.LONGEST_ASKED_S)]:
        asked.breaker.failed(seconds)
        assert asked.breaker.wait_s() == pytest.approx(wait_s)


def test_what_was_asked_before_the_trouble_says_nothing_when_it_ends() -> None:
    asked = Asked().known()
    asked.fill()
    for _ in range(limits.FAILURES):
        asked.breaker.failed()
    wait_s = asked.breaker.wait_s()
    late: list[Callable[[], Change | None]] = [asked.breaker.failed, asked.breaker.refused, asked.breaker.answered]
    assert [end() for end in late] == [None] * 3
    assert (asked.breaker.wait_s(), asked.breaker.is_refused) == (wait_s, False)


def test_a_key_that_was_never_right_is_refused_at_the_first_word() -> None:
    asked = Asked()
    assert asked.fill() == limits.FIRST_LIMIT
    assert [asked.breaker.refused() for _ in range(limits.FIRST_LIMIT)] == ["refused", None, None, None]
    assert asked.breaker.is_refused
    assert asked.breaker.wait_s() == pytest.approx(limits.REFUSED_PAUSE_S)
    assert asked.rested().round(Breaker.refused) == (1, [])
    assert asked.rested().round(Breaker.answered) == (1, ["accepted"])
    assert not asked.breaker.is_refused
    assert asked.fill() == 2


def test_one_request_that_is_refused_is_no_wrong_key() -> None:
    asked = Asked().known()
    for _ in range(10):
        assert [asked.one(Breaker.refused) for _ in range(limits.REFUSALS - 1)] == [None] * (limits.REFUSALS - 1)
        asked.one(Breaker.answered)
    assert asked.breaker.room() == limits.UNLIMITED
    assert [asked.one(Breaker.refused) for _ in range(limits.REFUSALS)][-1] == "refused"


def test_a_request_that_never_ends_does_not_keep_the_others_out_for_ever() -> None:
    asked = Asked().known().resting().rested()
    assert asked.fill() == 1
    assert asked.breaker.room() == 0
    asked.clock.now += asked.breaker.full_for_s()
    assert asked.breaker.room() == 1


def test_one_that_is_abandoned_makes_room() -> None:
    asked = Asked().known().resting().rested()
    asked.fill()
    asked.breaker.abandoned()
    assert asked.breaker.room() == 1


ENDS: dict[str, Callable[[Breaker], Change | None]] = {
    "answered": Breaker.answered,
    "failed": Breaker.failed,
    "asks for peace": lambda breaker: breaker.failed(30.0),
    "refused": Breaker.refused,
}
Happening = tuple[str, float]
happenings = st.lists(
    st.tuples(st.sampled_from(["begin", "wait", *ENDS]), st.floats(0.1, 400, allow_nan=False)), max_size=200
)


@given(happenings, st.floats(0, 1))
def test_whatever_happens_it_bears_and_comes_back(story: list[Happening], jitter: float) -> None:
    """Nobody gets through while it rests; the limit holds; and when all is well again, so is it."""
    asked = Asked(jitter)
    breaker, flying, told = asked.breaker, 0, list[Change]()
    for what, seconds in story:
        if what == "wait":
            asked.clock.now += seconds
            flying = 0 if seconds >= 120 else flying  # lost
        elif what == "begin" and breaker.room():
            breaker.begun()
            flying += 1
        elif what in ENDS and flying:
            flying -= 1
            change = ENDS[what](breaker)
            told += [change] if change else []
        assert breaker.room() >= 0
        assert not (breaker.wait_s() and breaker.room())
        assert 0 <= breaker.wait_s() <= 1.1 * limits.LONGEST_ASKED_S
    for pair in (("rests", "answers"), ("refused", "accepted")):
        said = [change for change in told if change in pair]
        assert said == [pair[n % 2] for n in range(len(said))], "said once, until it is over"
    asked.clock.now += 4_000
    asked.known()
    assert not breaker.is_refused


@given(st.integers(0, 12), st.integers(1, 10))
def test_growth_after_a_rest_at_most_doubles_with_a_round(failed_probes: int, rounds: int) -> None:
    asked = Asked().known().resting()
    for _ in range(failed_probes):
        asked.rested().round(Breaker.failed)
    asked.rested()
    begun = [asked.round(Breaker.answered)[0] for _ in range(rounds)]
    assert begun[0] == 1
    assert all(after <= 2 * before for before, after in itertools.pairwise(begun) if before < limits.FULL / 2)
