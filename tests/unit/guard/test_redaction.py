"""What is taken out, what stays, and that no text makes it slow."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from aura_analytics.guard.redaction import KINDS, Redaction, iban_length, is_card

WHOLE = Redaction()
SAID_AT = re.compile(" (at|ät|arroba|arobase) ", re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail jo@shop.example please", "mail [email] please"),
        ("jo.doe+x@mail.shop.example.co.uk.", "[email]."),
        ("<Jürgen@bücher.example>", "<[email]>"),
        ("a@b.de, c@d.fr", "[email], [email]"),
        ("my address is john dot smith at gmail dot com", "my address is [email]"),
        ("jane underscore doe at hotmail dot co", "jane underscore doe at hotmail dot co"),
        ("max punkt muster at gmx punkt de bitte", "[email] bitte"),
        ("john.smith at yahoo.com", "[email]"),
        ("juan arroba gmail punto com", "[email]"),
        ("max punkt muster ät gmail punkt de", "[email]"),
        ("jean arobase orange point fr", "[email]"),
        ("Max At Gmail Dot Com", "[email]"),
        ("max@example.com--", "[email]--"),
        ("max@example.com__", "[email]__"),
    ],
)
def test_an_email_address_is_taken_out(text: str, masked: str) -> None:
    assert Redaction(["email"]).text(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("it is 4111 1111 1111 1111 thanks", "it is [card] thanks"),
        ("4111111111111111", "[card]"),
        ("5500-0000-0000-0004.", "[card]."),
        ("amex 3782 822463 10005", "amex [card]"),
        ("diners 3056 9309 0259 04", "diners [card]"),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"),
        ("2 of 4111 1111 1111 1111", "2 of [card]"),
        ("12 4111 1111 1111 1111 123", "12 [card] 123"),
        ("4111 1111 1111 1111 5500 0000 0000 0004", "[card] [card]"),
        ("٤١١١ ١١١١ ١١١١ ١١١١", "[card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("9111 1111 1111 1111", "9111 1111 1111 1111"),
        ("card,4111111111111111", "card,[card]"),
        ("card.4111111111111111", "card.[card]"),
        ("4111  1111  1111  1111", "[card]"),
        ("4111_1111_1111_1111", "[card]"),
        ("4111/1111/1111/1111", "[card]"),
    ],
)
def test_a_card_is_taken_out(text: str, masked: str) -> None:
    assert Redaction(["card"]).text(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("DE89 3704 0044 0532 0130 00", "[iban]"),
        ("to de89370400440532013000 please", "to [iban] please"),
        ("GB82 WEST 1234 5698 7654 32 is it", "[iban] is it"),
        ("FR14-2004-1010-0505-0001-3M02-606", "[iban]"),
        ("NL91ABNA0417164300, BE68 5390 0754 7034", "[iban], [iban]"),
        ("DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"),
        ("DE89370400440532013000X", "DE89370400440532013000X"),
        ("XX89 3704 0044 0532 0130 00", "XX89 3704 0044 0532 0130 00"),
    ],
)
def test_an_iban_is_taken_out(text: str, masked: str) -> None:
    assert Redaction(["iban"]).text(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("from 192.168.1.17 to 10.0.0.1:80", "from [ip] to [ip]:80"),
        ("peer 2001:db8::1:2.", "peer [ip]."),
        ("fe80:0:0:0:1:2:3:4", "[ip]"),
        ("::ffff:192.0.2.7", "::ffff:[ip]"),
        ("version 1.2.3.4", "version 1.2.3.4"),
        ("1.2.3.4.5 and 256.1.1.1 and v1.2.3.4", "1.2.3.4.5 and 256.1.1.1 and v1.2.3.4"),
        ("at 12:30:45, std::string, a[::2], ::1", "at 12:30:45, std::string, a[::2], ::1"),
    ],
)
def test_an_address_of_a_machine_is_taken_out(text: str, masked: str) -> None:
    assert Redaction(["ip"]).text(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+49 30 901820", "[phone]"),
        ("call +1 (212) 736-5000 now", "call [phone] now"),
        ("+49 (0)30 901820", "[phone]"),
        ("+442079460018", "[phone]"),
        ("(212) 736-5000", "[phone]"),
        ("212-736-5000, ok", "[phone], ok"),
        ("tel: 030/901820-0", "tel: [phone]"),
        ("call me at 07700 900123", "call me at [phone]"),
        ("my number: 0171 1234567", "my number: [phone]"),
        ("ring 2127365000", "ring [phone]"),
        ("ruf mich an unter 01711234567", "ruf mich an unter [phone]"),
        ("c'est le 01 42 68 53 00", "c'est le [phone]"),
        ("2127365000", "2127365000"),
        ("article 0171 1234567", "article 0171 1234567"),
        ("order number is 212-736-5000", "order number is 212-736-5000"),
        ("+999 123 456 789", "+999 123 456 789"),
    ],
)
def test_a_telephone_number_is_taken_out(text: str, masked: str) -> None:
    assert Redaction(["phone"]).text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "EAN 4006381333931",
        "4006381333931",
        "0012345678905",
        "scan 5901234123457 and 96385074",
        "UPC 036000291452 please",
        "GTIN 10012345678902",
        "ISBN 978-3-16-148410-0",
        "isbn 0-306-40615-2",
        "ASIN B08N5WRWNW",
        "order 1234567890",
        "order number 112-3456789-0123456",
        "tracking 1Z999AA10123456784",
        "parcel 00340434161094042557",
        "article 204.670.05",
        "Bosch part 0 986 424 797",
        "sku 0400-123-456",
        "LEGO set 42143",
        "it costs 1.299,00 € or 1,299.00 $",
        "19.99 29.99 39.99 49.99",
        "prices from 0.99 2.49 3.99 4.99 5.99",
        "a box of 100 200 3000",
        "sizes 36 38 40 42 44 46",
        "waist 32 length 34 3 pairs",
        "05.10.2024 12:00 to 06.10.2024 18:00",
        "delivered 2024-10-05 between 08:00 and 12:00",
        "2024-10-05T12:00:00.000Z",
        "open 0800 - 1800",
        "1920x1080 at 144 Hz",
        "iPhone 15 128 256 512 GB",
        "resistor 470 ohm 100 pieces",
        "coordinates 52.520008, 13.404954",
        "epoch 1764400000000",
        "id 01JDX3A7V9K2M4P6R8T0W1Y3Z5",
        "session 550e8400-e29b-41d4-a716-446655440000",
        "look at home dot com",
        "shop at amazon dot com",
        "meet me at 5 dot",
        "@home and a@b and @",
        "error at line 12, column 345678901",
        "model XR-2000 1234-5678-9012-3456",
        "VAT DE123456789",
        "postcode SW1A 1AA",
        "build 1.2.3.4567",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
        "two hundred grams of 5 kg flour type 405",
        "show me a 500 ml bottle under 10 euros",
        "",
    ],
)
def test_what_shoppers_talk_about_stays(text: str) -> None:
    assert WHOLE.text(text) == text


def test_only_what_is_asked_for_is_taken_out() -> None:
    text = "jo@shop.example 4111 1111 1111 1111 DE89 3704 0044 0532 0130 00 10.0.0.1 +49 30 901820"
    assert WHOLE.text(text) == "[email] [card] [iban] [ip] [phone]"
    for kind in KINDS:
        assert f"[{kind}]" in Redaction([kind]).text(text)
        assert not any(f"[{other}]" in Redaction([kind]).text(text) for other in KINDS if other != kind)
    assert Redaction([]).text(text) == text


def test_where_a_number_without_a_country_is_from_can_be_said() -> None:
    assert Redaction(["phone"], regions=["JP"]).text("call 03-3224-5000") == "call [phone]"
    assert Redaction(["phone"], regions=[]).text("call 03-3224-5000") == "call 03-3224-5000"


def test_all_texts_of_a_value_are_masked_and_nothing_else() -> None:
    calls: Any = [{"name": "crm", "arguments": {"jo@shop.example": ["+49 30 901820", 4111111111111111, None, True]}}]
    assert WHOLE.value(calls) == [{"name": "crm", "arguments": {"[email]": ["[phone]", 4111111111111111, None, True]}}]


PIECES = st.sampled_from(
    [
        "jo@shop.example",
        "4111 1111 1111 1111",
        "DE89 3704 0044 0532 0130 00",
        "10.0.0.1",
        "2001:db8::1:2",
        "+49 30 901820",
        "212 736 5000",
        "call ",
        "at gmail dot com",
        " dot ",
        "@",
        "+",
        "4",
        "0",
        "[email]",
        "[",
        "]",
        ":",
        ".",
        " ",
        "-",
        "00",
        "a",
        "x.de",
    ]
)


@settings(max_examples=1_500)
@given(st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join))
def test_a_masked_text_stays_as_it_is(text: str) -> None:
    masked = WHOLE.text(text)
    assert WHOLE.text(masked) == masked


@given(st.text())
def test_a_text_without_digits_and_at_stays(text: str) -> None:
    if not any(letter.isdigit() or letter == "@" for letter in text) and not SAID_AT.search(text):
        assert WHOLE.text(text) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("depth", [10, 5_000])
def test_a_value_is_masked_however_deep_it_is(depth: int) -> None:
    value: Any = "jo@shop.example"
    for _ in range(depth):
        value = [{"jo@shop.example": value}]
    masked = WHOLE.value(value)
    for _ in range(depth):
        [[(name, masked)]] = [one.items() for one in masked]
        assert name == "[email]"
    assert masked == "[email]"


@given(json_values)
def test_what_holds_nothing_to_mask_stays_the_same_object(value: Any) -> None:
    masked = WHOLE.value(value)
    assert (masked is value) is (masked == value)


@given(json_values)
def test_any_value_is_masked_to_what_json_can_hold(value: Any) -> None:
    json.dumps(WHOLE.value(value))


@given(st.from_regex(r"4[0-9]{14}", fullmatch=True), st.sampled_from(["", " ", "-"]))
def test_every_visa_card_is_taken_out_however_it_is_grouped(digits: str, separator: str) -> None:
    number = digits + luhn.calc_check_digit(digits)
    assert is_card(number)
    grouped = separator.join(number[place : place + 4] for place in range(0, 16, 4))
    assert WHOLE.text(f"pay with {grouped} now") == "pay with [card] now"


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.sampled_from(["", "EAN ", "article "]))
def test_no_article_number_is_taken_for_anything(digits: str, before: str) -> None:
    odd, even = sum(map(int, digits[::2])), sum(map(int, digits[1::2]))
    number = f"{digits}{-(odd + 3 * even) % 10}"
    assert WHOLE.text(f"{before}{number}") == f"{before}{number}"


@given(st.decimals(0, 99_999, places=2), st.sampled_from(["€", "$", " euros"]))
def test_no_price_is_taken_for_anything(price: object, currency: str) -> None:
    assert (
        WHOLE.text(f"it costs {price}{currency}, was {price}{currency}")
        == f"it costs {price}{currency}, was {price}{currency}"
    )


@pytest.mark.parametrize(("country", "length"), [("DE", 22), ("GB", 22), ("NO", 15), ("MT", 31), ("XX", None)])
def test_an_iban_is_as_long_as_its_country_s_are(country: str, length: int | None) -> None:
    assert iban_length(country) == length


MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "piece",
    [
        "1", "1 ", "4 ", "0 ", "4111 ", "030 ", "+1 ", "212 736 5000 ", "a", "a@", "a.", "@", "@a.", "DE89 ", "DE89",
        ":", "a:", "1:", "1.", ".", "(", "+", "a dot ", " at ", "a at gmail dot", "call ", "call 12345678 ", "-", "\u00a0",
        "order ", "٤", "[email]", "a@b.cd ", "10.0.0.1 ", "4111 1111 1111 1111 ", "1:2:3:4:5:6:7:8 ",
    ],
)  # fmt: skip
@pytest.mark.timeout(60)
def test_no_megabyte_takes_longer_than_its_length(piece: str) -> None:
    # What grows with the square of the length wouldn't end within the time that a test has.
    text = piece * (MEGABYTE // len(piece))
    assert len(WHOLE.text(f"{text}!")) <= 2 * len(text)
