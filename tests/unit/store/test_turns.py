"""What came before: told of rows whose cells others may have written."""

from aura_analytics.store.turns import previous_of, sessions_of
from contract.making import NOW, query


def test_each_session_is_named_once_and_none_is_no_session() -> None:
    asked = [query("a", session_id="t"), query("b", session_id="s"), query("c", session_id="t"), query("d")]
    assert sessions_of(asked) == ["t", "s"]


def test_a_moment_that_is_none_counts_as_the_first() -> None:
    rows = [("a", "shop", NOW), ("b", "shop", "yesterday"), ("c", "shop", None), ("d", b"\xff", NOW)]
    assert previous_of([query("z", session_id="s")], {"s": rows}, 9) == {"z": ["b", "c", "a"]}
