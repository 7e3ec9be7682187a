"""A sample that anybody draws alike."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.store.choosing import Lowest


@settings(deadline=None)
@given(ids=st.lists(st.text(), unique=True), limit=st.integers(0, 9), size=st.integers(1, 5))
def test_the_lowest_hashes_are_kept_however_they_are_shown(ids: list[str], limit: int, size: int) -> None:
    lowest = Lowest(limit)
    for start in range(0, len(ids), size):
        lowest.show(ids[start : start + size])
    assert lowest.ids == sorted(ids, key=lambda one: hashlib.sha256(one.encode()).hexdigest())[:limit]
