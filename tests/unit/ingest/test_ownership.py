"""Events of other stores aren't taken from a key that is kept to some."""

from aura_analytics.errors import Rejection
from aura_analytics.events.decode import Decoded
from aura_analytics.events.records import VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.guard.principal import LOCAL, Principal
from aura_analytics.ingest.ownership import kept_to


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


def test_who_sees_all_writes_all() -> None:
    assert kept_to(LOCAL, DECODED) is DECODED
    assert kept_to(None, DECODED) is DECODED


def test_events_of_other_stores_are_rejected_at_their_places() -> None:
    some = Principal(key_id="k", name="k", scopes=frozenset({"ingest"}), stores=frozenset({"a"}))
    found = kept_to(some, DECODED)
    assert [getattr(event, "id", None) or getattr(event, "query_id", None) for event in found.events] == ["0", "3", "7"]
    assert [(one.index, one.code) for one in found.rejected] == [
        (1, "missing_field"),
        (2, "forbidden_store"),
        (4, "malformed_json"),
        (5, "forbidden_store"),
        (6, "forbidden_store"),
    ]
