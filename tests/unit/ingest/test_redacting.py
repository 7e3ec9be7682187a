"""Which fields of events are masked, and which the statistics need as they are."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from aura_analytics.errors import SettingsError
from aura_analytics.events.decode import Limits, decode_event
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.ingest.redacting import make_redaction, redacted, stores_of
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


@pytest.mark.parametrize("depth", [300, 500, 700, 900])
def test_what_can_be_read_can_be_masked_however_deep_it_is(depth: int) -> None:
    nested = f'{"[" * depth}"{MAIL}"{"]" * depth}'
    told = f'{{"type": "outcome", "queryId": "q", "toolCalls": {nested}}}'.encode()

    def taken() -> list[Event]:
        return redacted([decode_event(told, limits=Limits(), received_at=1)], REDACTION)

    # On a thread, as the service does: who calls this has used up some of what may be nested.
    with ThreadPoolExecutor(1) as threads:
        [masked] = threads.submit(taken).result()
    assert isinstance(masked, VoiceOutcome)
    assert msgspec.json.encode(masked.tool_calls) == b"[" * depth + b'"[email]"' + b"]" * depth


def test_nothing_is_masked_unless_it_is_asked_for() -> None:
    assert make_redaction(Settings()) is None
    assert redacted([QUERY], None) == [QUERY]


class Known:
    """A row database that holds one query."""

    def __init__(self, query_id: str, store_id: str) -> None:
        self._known = {query_id: store_id}

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give it where it is asked for."""
        return {id: store for id, store in self._known.items() if id in query_ids}


def said(id: str, store_id: str) -> VoiceQuery:
    return VoiceQuery(id=id, store_id=store_id, created_at=1, received_at=1, query_text=f"{MAIL} {PHONE}")


def answered(query_id: str) -> VoiceOutcome:
    return VoiceOutcome(query_id=query_id, occurred_at=1, received_at=1, answer_text=f"{MAIL} {PHONE}")


@pytest.mark.parametrize(
    "stores", ["s1=email; s2=all ;s3=none;", '{"s1": "email", "s2": ["all"], "s3": "none"}'], ids=["pairs", "json"]
)
async def test_each_store_has_taken_out_what_it_wants(stores: str) -> None:
    redactions = make_redaction(Settings(redact="phone", redact_stores=stores))
    events: list[Event] = [
        *(said(f"q{n}", f"s{n}") for n in range(1, 5)),
        *(answered(f"q{n}") for n in range(1, 5)),
        answered("stored"),
        answered("unknown"),
        VoiceConversion(id="c", query_id="stored", occurred_at=1, received_at=1, extra={"a": MAIL, "b": PHONE}),
    ]
    known = await stores_of(events, redactions, Known("stored", "s1"))
    found = redacted(events, redactions, known)
    masked = [f"[email] {PHONE}", "[email] [phone]", f"{MAIL} {PHONE}", f"{MAIL} [phone]"]
    assert [event.query_text for event in found if isinstance(event, VoiceQuery)] == masked
    told = [event.answer_text for event in found if isinstance(event, VoiceOutcome)]
    assert told == [*masked, f"[email] {PHONE}", "[email] [phone]"]
    assert found[-1].extra == {"a": "[email]", "b": PHONE}


@pytest.mark.parametrize(
    ("stores", "words"),
    [
        ("shop-1=mail", "“mail” for shop-1; it takes email, phone, card, iban, ip, all or none"),
        ("shop-1", "“shop-1”; it takes shop-1=email,phone"),
        ("=email", "“=email”"),
        ("s=", "neither all, none"),
        ("s=all,email", "neither all, none"),
        ("s=email;s=phone", "names s twice"),
        ('{"s": 1}', "no JSON of stores"),
        ('{"s": "email"', "no JSON of stores"),
        ('{"s": ["email", "fax"]}', "“fax” for s"),
    ],
)
def test_what_can_t_be_read_is_named(stores: str, words: str) -> None:
    with pytest.raises(SettingsError, match=f"REDACT_STORES.*{re.escape(words)}"):
        make_redaction(Settings(redact_stores=stores))


async def test_where_all_stores_have_the_same_nothing_is_looked_up() -> None:
    assert await stores_of([answered("stored")], REDACTION, Known("stored", "s1")) == {}
    assert make_redaction(Settings(redact_stores="s=none")) is None
