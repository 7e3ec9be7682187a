"""What becomes of an interaction that the target may hold already."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_analytics.store.copying.comparison import compared
from aura_analytics.store.copying.merging import MOMENTS, Merge, Standing, means_the_same, merged
from aura_analytics.store.copying.page import Page
from aura_analytics.store.copying.sums import encoded
from aura_analytics.store.copying.tables import EVALUATIONS, OF_AN_INTERACTION, QUERIES, TableName

NOW = 1_000

# Any, throughout: a row of cells.
Rows = dict[TableName, list[Any]]


def query(text: str = "apples", received_at: int = 1) -> list[Any]:
    return [("q", "shop", None, None, 1, text, None, None, 0, "voice", None, None, received_at, None)]


def outcome(answer: str = "aisle 3", received_at: int = 2) -> list[Any]:
    return [("q", answer, *[None] * 11, 2, received_at, None, None)]


def label(name: str = "GOOD", at: int = 5, by: str = "auto", reason: str = "rule") -> list[Any]:
    return [("q", name, reason, 0.5, at, by, "rules", *[None] * 6)]


def work(due_at: int = 9, attempts: int = 0) -> list[Any]:
    return [("q", due_at, attempts, None, None)]


def page(*, leased: bool = False, **rows: Any) -> Page:
    names: dict[str, TableName] = {
        "query": "voice_queries",
        "outcome": "voice_outcomes",
        "label": "voice_evaluations",
        "history": "voice_evaluation_history",
        "work": "evaluation_queue",
    }
    held: dict[TableName, dict[str, Any]] = {table.name: {} for table in OF_AN_INTERACTION}
    for name, found in rows.items():
        if found:
            held[names[name]]["q"] = list(found)
    return Page(ids=["q"], rows=held, leased=frozenset(["q"] if leased and rows.get("work") else []))


def standing(target: Page) -> Standing:
    moments = {id: tuple(rows[0][place] for place in MOMENTS) for id, rows in target.rows["voice_queries"].items()}
    return Standing(moments=moments, outcomes=frozenset(target.rows["voice_outcomes"]), page=target)


def merge(source: Page, target: Page) -> Merge:
    return merged(source, standing(target), now=NOW)


def applied(target: Page, merge: Merge) -> Page:
    """What the target holds once a merge is written as the databases write it."""
    held = {name: {id: list(rows) for id, rows in found.items()} for name, found in target.rows.items()}
    leased = set(target.leased)
    for name, rows in merge.rows.items():
        for row in rows:
            if name == "voice_evaluation_history":
                held[name].setdefault("q", []).append(row)
            elif name in ("voice_queries", "voice_outcomes"):
                held[name].setdefault("q", [row])
            elif name == "evaluation_queue":
                held[name]["q"] = [row]
                leased.discard("q")
            elif not (name in held and "q" in held[name] and held[name]["q"][0][5] == "human" and row[5] != "human"):
                held[name]["q"] = [row]
    for id in merge.done:
        held["evaluation_queue"].pop(id, None)
        leased.discard(id)
    return Page(ids=["q"], rows=held, leased=frozenset(leased))


MAYBE_LABEL: st.SearchStrategy[Any] = st.just([]) | st.builds(
    label, st.sampled_from(["GOOD", "BAD"]), st.integers(4, 6), st.sampled_from(["auto", "human"])
)
PAGES = st.builds(
    page,
    leased=st.booleans(),
    query=st.just([]) | st.builds(query, received_at=st.sampled_from([1, 1, 7])),
    outcome=st.just([]) | st.builds(outcome, received_at=st.sampled_from([2, 2, 7])),
    label=MAYBE_LABEL,
    history=st.lists(MAYBE_LABEL.filter(bool).map(lambda rows: rows[0]), max_size=2),
    work=st.just([]) | st.builds(work, st.integers(8, 10)),
)


@given(PAGES, PAGES)
def test_after_a_merge_nothing_differs_and_nothing_is_left_to_write(source: Page, target: Page) -> None:
    there = applied(target, merge(source, target))
    assert all(row.state != "different" for _, rows in compared(source, there) for row in rows)
    again = applied(there, merge(source, there))
    assert again == there


@given(PAGES, PAGES)
def test_what_the_target_holds_stays_there(source: Page, target: Page) -> None:
    there = applied(target, merge(source, target))
    for name in ("voice_queries", "voice_outcomes"):
        assert target.rows[name].items() <= there.rows[name].items()
    for id, rows in target.rows["voice_evaluations"].items():
        stands, now = rows[0], there.rows["voice_evaluations"][id][0]
        assert stands[5] != "human" or now[5] == "human"
        assert (now[5] == "human", now[4]) >= (stands[5] == "human", stands[4])
    assert len(there.rows["voice_evaluation_history"].get("q", [])) >= len(
        target.rows["voice_evaluation_history"].get("q", [])
    )


@given(PAGES)
def test_into_nothing_all_of_it_is_copied(source: Page) -> None:
    assert applied(page(), merge(source, page())).rows == source.rows


@pytest.mark.parametrize(
    ("theirs", "ours", "taken"),
    [
        (label("BAD", 6), label("GOOD", 5), True),
        (label("BAD", 4), label("GOOD", 5), False),
        (label("BAD", 4, "human"), label("GOOD", 5), True),
        (label("BAD", 6), label("GOOD", 5, "human"), False),
        (label("BAD", 6, "human"), label("GOOD", 5, "human"), True),
        (label("GOOD", 5), label("GOOD", 5), False),
    ],
)
def test_a_later_label_is_taken_and_a_persons_before_an_automatic_one(theirs: Any, ours: Any, taken: bool) -> None:
    found = merge(page(query=query(), label=theirs), page(query=query(), label=ours))
    assert found.rows["voice_evaluations"] == (theirs if taken else [])
    assert found.rows["voice_evaluation_history"] == (ours if taken else [])


def test_a_label_that_gave_way_at_the_source_too_is_kept_once() -> None:
    source = page(query=query(), label=label("BAD", 6), history=label())
    assert merge(source, page(query=query(), label=label())).rows["voice_evaluation_history"] == label()


def test_an_interaction_of_the_targets_own_is_left_whole() -> None:
    source = page(query=query(), outcome=outcome(), label=label("BAD", 9), history=label(), work=work())
    found = merge(source, page(query=query(received_at=4)))
    assert not any(found.rows.values())
    assert {row.state for _, rows in compared(source, page(query=query(received_at=4))) for row in rows} == {"kept"}


@pytest.mark.parametrize(
    ("source", "target"), [({"query": query()}, {"outcome": outcome()}), ({"outcome": outcome()}, {"query": query()})]
)
def test_two_halves_come_together_and_are_queued_anew(source: Any, target: Any) -> None:
    there = page(**target, work=work(attempts=3), leased=True)
    found = merge(page(**source), there)
    assert found.rows["evaluation_queue"] == [("q", NOW, 0, None, None)]
    assert merge(page(**source, label=label()), applied(there, found)).done == []


def test_work_that_is_done_at_the_source_is_done_here_and_what_is_in_work_here_is_left() -> None:
    waiting = page(query=query(), work=work(), leased=True)
    assert merge(page(query=query(), label=label()), waiting).done == ["q"]
    assert merge(page(query=query(), work=work(12)), waiting).rows["evaluation_queue"] == []
    assert merge(page(query=query(), work=work(12)), page(query=query(), label=label())).rows["evaluation_queue"] == []


def test_a_row_that_is_another_one_than_it_should_be_is_a_difference() -> None:
    source = page(query=query(), outcome=outcome(), label=label())
    target = page(query=query("pears"), outcome=outcome("aisle 4"), label=label(at=4))
    assert [row.state for _, rows in compared(source, target) for row in rows] == ["different"] * 3
    assert [row.target for _, rows in compared(source, page()) for row in rows] == [None] * 3
    assert next(compared(source, target))[1][0].source == encoded(QUERIES, query()[0])
    assert EVALUATIONS in OF_AN_INTERACTION


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [((1, None), (7, 5), True), ((1, 5), (7, None), True), ((1, 5), (1, 5), True), ((1, 5), (1, 6), False), ((1, 5), (2, 5), False)],
)  # fmt: skip
def test_without_a_moment_of_receipt_the_id_alone_tells(
    one: tuple[Any, ...], other: tuple[Any, ...], same: bool
) -> None:
    assert means_the_same(one, other) is same
