"""How far columns have come: nothing that they hold a part of is forgotten before they hold all of it."""

from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.projection.reach import Reach
from aura_analytics.store.port import FeedPoint


def at(position: int) -> FeedPoint:
    return FeedPoint(position=position, moment=position)


def test_what_is_begun_moves_no_point_and_is_done_with_it() -> None:
    begun = Reach(at(1)).begun(at(5))
    assert begun == Reach(at(1), at(5))
    assert begun.done(at(5)) == Reach(at(5))


@given(furthest=st.integers(2, 9), done=st.integers(2, 9))
def test_what_lies_beyond_stays_until_the_point_has_come_there(furthest: int, done: int) -> None:
    reach = Reach(at(1)).begun(at(furthest)).begun(at(done))
    assert reach.ahead == at(max(furthest, done))
    assert reach.done(at(done)).ahead == (at(furthest) if furthest > done else None)
