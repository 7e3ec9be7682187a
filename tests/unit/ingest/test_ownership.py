"""Events of other stores aren't taken from a key that is kept to some."""

from collections.abc import Sequence

from aura_analytics.errors import Rejection
from aura_analytics.events.decode import Decoded
from aura_analytics.events.records import EarlyOutcome, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.guard.principal import LOCAL, Principal
from aura_analytics.ingest.ownership import kept_to, set_apart, stores_of


def query(id: str, store_id: str) -> VoiceQuery:
    return VoiceQuery(id=id, store_id=store_id, created_at=1, received_at=1, query_text="milk")


DECODED = Decoded(
    events=[
        query("0", "a"),
        query("2", "b"),
        VoiceOutcome(query_id="3", occurred_at=1, received_at=1),
        VoiceConversion(id="5", occurred_at=1, received_at=1, query_id="0", store_id="b"),
        VoiceConversion(id="6", occurred_at=1, received_at=1, query_id="0"),
        query("7", "a"),
    ],
    rejected=[
        Rejection(index=1, code="missing_field", field="store_id", message="m"),
        Rejection(index=4, code="malformed_json", field=None, message="m"),
    ],
)


SOME = Principal(key_id="k", name="k", scopes=frozenset({"ingest"}), stores=frozenset({"a"}))


def test_who_sees_all_writes_all() -> None:
    assert kept_to(LOCAL, DECODED, {"3": "b"}) is DECODED
    assert kept_to(None, DECODED, {"3": "b"}) is DECODED


def test_events_of_other_stores_are_rejected_at_their_places() -> None:
    found = kept_to(SOME, DECODED, {})
    assert [getattr(event, "id", None) or getattr(event, "query_id", None) for event in found.events] == ["0", "3", "7"]
    assert [(one.index, one.code) for one in found.rejected] == [
        (1, "missing_field"),
        (2, "forbidden_store"),
        (4, "malformed_json"),
        (5, "forbidden_store"),
        (6, "forbidden_store"),
    ]


class Rows:
    """A database that knows one query, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        self.asked += query_ids
        return {"known": "b"} if "known" in query_ids else {}


def outcomes(*ids: str) -> Decoded:
    return Decoded(events=[VoiceOutcome(query_id=id, occurred_at=1, received_at=1) for id in ids], rejected=[])


async def test_what_names_a_query_of_another_store_is_rejected() -> None:
    """An outcome before its query is taken, since it may be of any store; one after it isn't."""
    rows = Rows()
    sent = Decoded(
        events=[
            *outcomes("known", "later", "0", "9").events,
            query("0", "a"),
            query("9", "b"),
            query("known", "a"),  # a second one of an id changes nothing, and so makes nothing this one's
            VoiceConversion(id="c", occurred_at=1, received_at=1, query_id="known", store_id="a"),
        ],
        rejected=[],
    )
    found = kept_to(SOME, sent, await stores_of(SOME, sent, rows))
    assert [(one.index, one.field) for one in found.rejected] == [
        (0, "query_id"),
        (3, "query_id"),
        (5, "store_id"),
        (7, "store_id"),
    ]
    assert sorted(rows.asked) == ["0", "9", "known", "later"]


async def test_the_database_isn_t_asked_for_who_sees_all() -> None:
    rows = Rows()
    assert await stores_of(LOCAL, outcomes("known"), rows) == {}
    assert await stores_of(None, outcomes("known"), rows) == {}
    assert rows.asked == []


def test_outcomes_of_who_writes_into_some_stores_are_looked_at_again_and_nobody_else_s() -> None:
    events = DECODED.events
    assert set_apart(LOCAL, events) is events
    assert set_apart(None, events) is events
    found = set_apart(SOME, events)
    assert [(before, after) for before, after in zip(events, found, strict=True) if before is not after] == [
        (events[2], EarlyOutcome(outcome=events[2], stores=("a",)))
    ]
