"""Which fields of events are masked, and which the statistics need as they are."""

import pytest

from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.ingest.redacting import make_redaction, redacted
from aura_analytics.settings import Settings

MAIL, PHONE = "jo@shop.example", "+49 30 901820"
REDACTION = make_redaction(Settings(redact="email, phone"))

QUERY = VoiceQuery(
    id=MAIL,
    store_id=MAIL,
    session_id=MAIL,
    created_at=1,
    received_at=2,
    query_text=f"write to {MAIL}",
    intent=MAIL,
    extra={"page": {"about": [PHONE]}, MAIL: 1},
)
OUTCOME = VoiceOutcome(
    query_id=MAIL,
    occurred_at=1,
    received_at=2,
    answer_text=f"I call {PHONE}",
    error_message=f"no {MAIL}",
    tool_calls=[{"to": MAIL, "card": "4111 1111 1111 1111"}, "mail"],
    extra={"note": MAIL},
)
CONVERSION = VoiceConversion(id="c", query_id="q", occurred_at=1, received_at=2, order_id=MAIL, extra={"note": MAIL})


def test_texts_are_masked_and_ids_stay() -> None:
    query, outcome, conversion = redacted([QUERY, OUTCOME, CONVERSION], REDACTION)
    assert isinstance(query, VoiceQuery)
    assert query.query_text == "write to [email]"
    assert query.extra == {"page": {"about": ["[phone]"]}, "[email]": 1}
    assert (query.id, query.store_id, query.session_id, query.intent) == (MAIL, MAIL, MAIL, MAIL)
    assert isinstance(outcome, VoiceOutcome)
    assert (outcome.answer_text, outcome.error_message) == ("I call [phone]", "no [email]")
    assert outcome.tool_calls == [{"to": "[email]", "card": "4111 1111 1111 1111"}, "mail"]
    assert outcome.extra == {"note": "[email]"}
    assert isinstance(conversion, VoiceConversion)
    assert (conversion.order_id, conversion.extra) == (MAIL, {"note": "[email]"})


@pytest.mark.parametrize(
    "event", [VoiceQuery(id="q", store_id="s", created_at=1, received_at=1, query_text="red apples"), CONVERSION]
)
def test_an_event_with_nothing_to_mask_stays_the_same(event: Event) -> None:
    assert redacted([event], make_redaction(Settings(redact="card")))[0] is event


def test_nothing_is_masked_unless_it_is_asked_for() -> None:
    assert make_redaction(Settings()) is None
    assert redacted([QUERY], None) == [QUERY]
