"""What is tried at the door from outside, on every route that there is; docs/security.md has it as a table."""

import asyncio
import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from acceptance.database import PATIENCE_S
from acceptance.service import Service, outcome, query
from aura_analytics.clock import now
from aura_analytics.guard import key
from aura_analytics.guard.access import ROUTES
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store.keys import KeyRecord

MINE, OTHER = "mine", "other"
ID = "q-mine"
SECRET = "saffron-coloured umbrella"
ORIGIN = "https://shop.example"
OFFICE = "192.0.2.0/24"
SIGNING = key.make_signing_secret()
MINUTE_MS = 60_000

# What anybody may ask, by name, so that a route never becomes open by accident: health, and the page, which holds no
# numbers.
OPEN = {"/health", "/", "/explore", "/browse", "/review", "/pipeline", "/assets/{file}"}

# What anybody may ask with one method only: to sign a browser in and out.
WAYS = {("POST", "/session"), ("DELETE", "/session")}

# What is about stores beside the statistics, and the one of these that isn't: it tells that something has changed.
NARROWED = ("/interactions", "/evaluations/queue", "/evaluations/failed", "/evaluations/retry")
LIVE = "/stats/live"

# A route as it is asked: its method, and its path with an id in it.
Route = tuple[str, str]

# What each key is, beside its name and its hash.
KEYS: Mapping[str, Mapping[str, Any]] = {
    "admin": {"scopes": ("admin",)},
    "writer": {"scopes": ("ingest",)},
    "reader": {"scopes": ("read",)},
    "revoked": {"scopes": ("admin",)},
    "expired": {"scopes": ("admin",), "expires_at": now() - MINUTE_MS},
    "other": {"scopes": ("admin",), "stores": (OTHER,)},
    "both": {"scopes": ("admin",), "stores": (MINE, OTHER)},
    "office": {"scopes": ("read", "ingest"), "networks": (OFFICE,)},
    "signed": {"scopes": ("ingest",), "signed_only": True, "signing_secret": SIGNING},
}


class House:
    """A service and the keys to it."""

    def __init__(self, service: Service, tokens: Mapping[str, str]) -> None:
        self.service = service
        self.tokens = tokens

    def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
        """Ask, and show a key; of an answer without an end, its start."""
        shown = {"X-API-Key": token} if token else {}
        headers = shown | more.pop("headers", {})
        with self.service.http.stream(method, path, headers=headers, timeout=PATIENCE_S, **more) as answer:
            endless = answer.headers.get("content-type", "").startswith("text/event-stream")
            content = next(answer.iter_bytes()) if endless else answer.read()
        return httpx.Response(answer.status_code, headers=plain(answer.headers), content=content)

    def ask_as(self, name: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Ask with one of the keys."""
        return self.ask(method, path, self.tokens[name], **more)

    def routes(self) -> list[Route]:
        """Every closed route that the service describes, and what of the table it doesn't."""
        described = self.ask_as("admin", "GET", "/openapi.json").json()["paths"]
        found = {(method.upper(), path) for path, methods in described.items() for method in methods}
        known = {(method, path.replace(":path}", "}")) for method, path in ROUTES}
        closed = {(method, path) for method, path in found | known if path not in OPEN} - WAYS
        return sorted({(method, re.sub(r"\{\w+\}", ID, path)) for method, path in closed})


def plain(headers: httpx.Headers) -> dict[str, str]:
    """Leave out how a body was packed: it is unpacked."""
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "content-length")}


async def make_keys(service: Service) -> dict[str, str]:
    """Keep the keys; give them."""
    made = {name: key.make() for name in KEYS}
    async with opened_store(Settings(aura_database_url=service.database_url)) as store:
        for name, fields in KEYS.items():
            record = KeyRecord(
                id=made[name].id, name=name, hash=made[name].hash, created_at=now() - 2 * MINUTE_MS, **fields
            )
            await store.keys.create(record, actor="test")
        await store.keys.revoke(made["revoked"].id, now=now(), actor="test")
    return {name: one.token for name, one in made.items()}


def housed(folder: Path, **settings: str) -> Iterator[House]:
    service = Service(folder, AURA_EVALUATE="off", **settings)
    tokens = asyncio.run(make_keys(service))
    with service:
        yield House(service, tokens)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service behind a proxy on this machine, with an interaction of a store."""
    for made in housed(tmp_path_factory.mktemp("house"), TRUSTED_PROXIES="127.0.0.1", CORS_ALLOW_ORIGINS=ORIGIN):
        sent = [query(ID, query_text=SECRET, store_id=MINE), query("q-other", store_id=OTHER)]
        assert made.ask_as("admin", "POST", "/ingest", json=sent).json()["accepted"] == 2
        assert SECRET in made.ask_as("admin", "GET", f"/interactions/{ID}").text
        assert len(made.routes()) > 30
        yield made


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service that nobody may ask often, and that believes no proxy."""
    rates = {"RATE_REQUESTS_PER_SECOND": "0.001", "RATE_REQUESTS_BURST": "4"}
    events = {"RATE_EVENTS_PER_SECOND": "0.001", "RATE_EVENTS_BURST": "10"}
    yield from housed(tmp_path_factory.mktemp("strict"), AURA_STATISTICS="off", **rates, **events)


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    """See that an answer is a refusal and nothing else; give what it says."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert told["code"] == code
    assert SECRET not in answer.text
    return str(told.get("detail"))


# Keys


def test_without_a_key_no_route_answers(house: House) -> None:
    for method, path in house.routes():
        refusal(answer := house.ask(method, path), 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="aura-analytics"'


@pytest.mark.parametrize("name", ["wrong", "revoked", "expired"])
def test_a_key_that_opens_nothing_is_refused_in_the_same_words_on_every_route(house: House, name: str) -> None:
    token = key.make().token if name == "wrong" else house.tokens[name]
    told = {refusal(house.ask(method, path, token), 401, "unauthorized") for method, path in house.routes()}
    assert told == {"this key isn't known here, or its time is over"}


def test_the_public_part_of_a_key_opens_nothing(house: House) -> None:
    public = house.tokens["admin"].rpartition("_")[0]
    for method, path in house.routes():
        refusal(house.ask(method, path, public), 401, "unauthorized")


def test_two_keys_at_once_are_refused(house: House) -> None:
    also = {"Authorization": f"Bearer {house.tokens['reader']}"}
    refusal(house.ask_as("admin", "GET", "/stats/summary", headers=also), 401, "unauthorized")


def test_a_key_that_writes_can_t_read_on_any_route(house: House) -> None:
    for method, path in set(house.routes()) - {("POST", "/ingest"), ("GET", "/session")}:
        assert "this needs the scope" in refusal(house.ask_as("writer", method, path), 403, "forbidden")


def test_a_key_that_reads_can_t_write_label_or_verify(house: House) -> None:
    tried = [("POST", "/ingest"), ("POST", f"/evaluations/{ID}"), ("GET", "/evaluations/queue"), ("GET", "/verify")]
    for method, path in tried:
        refusal(house.ask_as("reader", method, path), 403, "forbidden")


@pytest.mark.parametrize("path", ["/unknown", "/health/", "/stats/summary/", "//stats/summary", "/STATS/SUMMARY"])
def test_what_the_table_of_routes_doesn_t_name_is_for_administrators(house: House, path: str) -> None:
    refusal(house.ask_as("reader", "GET", path), 403, "forbidden")
    assert house.ask_as("admin", "GET", path).status_code == 404


# Stores


def test_a_key_of_another_store_is_told_nothing_on_any_route(house: House) -> None:
    label = {"label": "BAD"}
    for method, path in house.routes():
        body = [query("q-new", store_id=MINE)] if path == "/ingest" else label
        more: dict[str, Any] = {"json": body} if method == "POST" else {}
        # The one who sees all asks before and after, so that no kept answer is given to the wrong one.
        for _ in range(2):
            assert SECRET not in house.ask_as("other", method, path, **more).text
            if method == "GET":
                house.ask_as("admin", method, path)
        named = house.ask_as("other", method, path, params={"store": MINE}, **more)
        assert SECRET not in named.text
        if path in NARROWED or (path.startswith(("/stats/", "/insights/", "/export/")) and path != LIVE):
            refusal(named, 403, "forbidden")


def test_an_interaction_of_another_store_isn_t_there(house: House) -> None:
    for _ in range(2):
        assert house.ask_as("admin", "GET", f"/interactions/{ID}").status_code == 200
        refusal(house.ask_as("other", "GET", f"/interactions/{ID}"), 404, "not_found")
        refusal(house.ask_as("other", "GET", f"/interactions/{ID}", params={"store": OTHER}), 404, "not_found")
    assert house.ask_as("both", "GET", f"/interactions/{ID}").status_code == 200


def test_an_interaction_of_another_store_can_t_be_labelled(house: House) -> None:
    refusal(house.ask_as("other", "POST", f"/evaluations/{ID}", json={"label": "BAD"}), 404, "not_found")
    assert house.service.rows("SELECT label FROM voice_evaluations WHERE query_id = ?", ID) == []
    labelled = house.ask_as("other", "POST", "/evaluations/q-other", json={"label": "GOOD", "reviewer": "Ada"})
    assert labelled.status_code == 200
    assert house.service.row("voice_evaluations", "q-other")["label"] == "GOOD"


def test_what_failed_in_another_store_is_neither_told_nor_tried_again(house: House) -> None:
    with house.service.opened() as connection:
        connection.execute("UPDATE evaluation_queue SET failed_at = 1, last_error = 'cut off'")
    seen = house.ask_as("other", "GET", "/evaluations/failed").json()
    assert (seen["total"], [one["storeId"] for one in seen["items"]]) == (1, [OTHER])
    for chosen in ({"queryIds": [ID]}, {"cause": "nothing"}):
        assert house.ask_as("other", "POST", "/evaluations/retry", json=chosen).json() == {"retried": 0}
    assert house.ask_as("other", "POST", "/evaluations/retry", json={"all": True}).json() == {"retried": 1}
    left = house.ask_as("admin", "GET", "/evaluations/failed", params={"limit": 1}).json()
    assert (left["total"], left["causes"][0]["cause"], left["nextCursor"]) == (1, "cut off", None)
    assert house.ask_as("admin", "GET", "/evaluations/failed", params={"cursor": f"1.{ID}"}).json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/evaluations/failed", {"params": {"limit": "501"}}),
        ("GET", "/evaluations/failed", {"params": {"cursor": "1"}}),
        ("GET", "/evaluations/failed", {"params": {"cursor": "99999999999999999.x"}}),
        ("GET", "/evaluations/failed", {"params": {"intent": "x"}}),
        ("POST", "/evaluations/retry", {"json": {}}),
        ("POST", "/evaluations/retry", {"json": {"all": True, "cause": "x"}}),
        ("POST", "/evaluations/retry", {"json": {"queryIds": [1]}}),
        ("POST", "/evaluations/retry", {"json": {"queryIds": ["x"] * 1_001}}),
        ("POST", "/evaluations/retry", {"content": b"["}),
        ("DELETE", f"/evaluations/{ID}", {"params": {"givenAt": "-1"}}),
    ],
)
def test_what_can_t_be_read_is_said(house: House, method: str, path: str, more: dict[str, Any]) -> None:
    assert house.ask_as("admin", method, path, **more).status_code == 400


def test_events_of_another_store_are_rejected(house: House) -> None:
    sent = [query("q-in", store_id=OTHER), query("q-out", store_id=MINE)]
    answer = house.ask_as("other", "POST", "/ingest", json=sent)
    assert [(one["index"], one["code"]) for one in answer.json()["rejected"]] == [(1, "forbidden_store")]
    assert house.ask_as("admin", "GET", "/interactions/q-out").status_code == 404


def test_an_outcome_of_a_query_of_another_store_is_rejected(house: House) -> None:
    assert house.ask_as("admin", "POST", "/ingest", json=query("q-asked", store_id=MINE)).json()["accepted"] == 1
    sent = [outcome("q-asked", answer_text="forged"), outcome("q-not-yet")]
    answer = house.ask_as("other", "POST", "/ingest", json=sent).json()
    assert [(one["index"], one["code"]) for one in answer["rejected"]] == [(0, "forbidden_store")]
    assert house.service.rows("SELECT query_id FROM voice_outcomes WHERE query_id LIKE 'q-%'") == []


def test_an_outcome_before_its_query_is_its_sender_s_only_if_the_query_is(house: House) -> None:
    planted = [
        outcome("q-guessed", answer_text="forged"),
        outcome("q-own", answer_text="own"),
        {"event_type": "voice_conversion", "query_id": "q-guessed", "order_id": "o-1", "store_id": OTHER, "value": 9},
    ]
    assert house.ask_as("other", "POST", "/ingest", json=planted).json()["accepted"] == 3
    asked = [query("q-guessed", store_id=MINE), query("q-own", store_id=OTHER)]
    assert house.ask_as("admin", "POST", "/ingest", json=asked).json()["accepted"] == 2
    assert house.ask_as("admin", "POST", "/ingest", json=outcome("q-guessed")).json()["accepted"] == 1
    found = house.ask_as("admin", "GET", "/interactions/q-guessed").json()
    assert (found["outcome"]["answerText"], found["conversions"]) == (None, [])
    assert house.ask_as("admin", "GET", "/stats/conversions", params={"store": MINE}).json()["conversions"] == 0
    assert house.ask_as("other", "GET", "/interactions/q-own").json()["outcome"]["answerText"] == "own"
    assert "early_outcomes_dropped" in {line["event"] for line in house.service.log()}


def test_what_is_about_all_stores_is_closed_to_a_key_of_some(house: House) -> None:
    refusal(house.ask_as("other", "GET", "/verify"), 403, "forbidden")
    told = house.ask_as("other", "GET", "/stats/judge").json()
    assert (told["storeId"], told["queue"], told["today"]) == (OTHER, None, None)
    assert house.ask_as("both", "GET", "/stats/judge").status_code == 400
    assert house.ask_as("both", "GET", "/stats/judge", params={"store": MINE}).json()["storeId"] == MINE
    assert house.ask_as("other", "GET", "/stats/summary").json()["evaluationQueue"] is None
    assert house.ask_as("admin", "GET", "/stats/summary").json()["evaluationQueue"] is not None


# Signatures


def signed(house: House, body: str, message: str, *, ago_s: float = 0, secret: str = SIGNING) -> dict[str, str]:
    """Sign as the library of the specification does; of the key no more than its public part is shown."""
    at = datetime.fromtimestamp(int(time.time() - ago_s), UTC)
    return {
        "X-API-Key": house.tokens["signed"].rpartition("_")[0],
        "webhook-id": message,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message, at, body),
    }


def body_of(id: str) -> str:
    return json.dumps(query(id, store_id=MINE))


def test_a_signed_request_is_taken_once(house: House) -> None:
    body = body_of("q-signed")
    headers = signed(house, body, "m-once")
    assert house.ask("POST", "/ingest", content=body, headers=headers).json()["accepted"] == 1
    refusal(house.ask("POST", "/ingest", content=body, headers=headers), 409, "already_received")


@pytest.mark.parametrize("ago_s", [400, -400])
def test_a_signed_request_of_another_time_is_refused(house: House, ago_s: float) -> None:
    body = body_of("q-stale")
    headers = signed(house, body, f"m-{ago_s}", ago_s=ago_s)
    refusal(house.ask("POST", "/ingest", content=body, headers=headers), 401, "unauthorized")


@pytest.mark.parametrize("part", ["body", "id", "timestamp", "signature", "secret"])
def test_a_signed_request_that_was_tampered_with_is_refused(house: House, part: str) -> None:
    body = body_of("q-tampered")
    headers = signed(house, body, "m-2", secret=key.make_signing_secret() if part == "secret" else SIGNING)
    if part == "timestamp":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    elif part == "id":
        headers["webhook-id"] = "m-3"
    elif part == "signature":
        headers["webhook-signature"] = "v1," + "A" * 43 + "="
    sent = body.replace(MINE, OTHER) if part == "body" else body
    refusal(house.ask("POST", "/ingest", content=sent, headers=headers), 401, "unauthorized")
    assert house.ask_as("admin", "GET", "/interactions/q-tampered").status_code == 404


def test_a_key_that_signs_takes_nothing_unsigned(house: House) -> None:
    told = refusal(house.ask_as("signed", "POST", "/ingest", content=body_of("q-bare")), 401, "unauthorized")
    assert told == "this key takes signed requests only"


# Networks


def test_a_key_is_taken_from_its_network_only(house: House) -> None:
    def come(*hops: str) -> httpx.Response:
        return house.ask_as("office", "GET", "/stats/intents", headers={"X-Forwarded-For": ", ".join(hops)})

    assert come("192.0.2.7").status_code == 200
    refusal(come("198.51.100.1"), 403, "forbidden")
    # What a stranger claims stands before what the proxy saw.
    refusal(come("192.0.2.7", "198.51.100.1"), 403, "forbidden")
    refusal(house.ask_as("office", "GET", "/stats/intents"), 403, "forbidden")


def test_a_forwarded_address_isn_t_believed_of_who_is_no_proxy(strict: House) -> None:
    claims = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP"), "192.0.2.7")
    claims["Forwarded"] = "for=192.0.2.7"
    refusal(strict.ask_as("office", "POST", "/ingest", headers=claims), 403, "forbidden")


# Rates


def test_who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is(strict: House) -> None:
    answers = [strict.ask_as("admin", "GET", "/openapi.json") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert [answer.headers["ratelimit"][:14] for answer in answers[:4]] == [
        f'"requests";r={left}' for left in (3, 2, 1, 0)
    ]
    refusal(answers[4], 429, "too_many_requests")
    assert int(answers[4].headers["retry-after"]) > 0
    for answer in answers:
        assert answer.headers["ratelimit-policy"].startswith('"requests";q=4;w=')
    assert strict.ask_as("reader", "GET", "/openapi.json").status_code == 200


def test_who_sends_too_many_events_is_told_when_to_come_back(strict: House) -> None:
    first = strict.ask_as("writer", "POST", "/ingest", json=[query() for _ in range(10)])
    assert first.json()["accepted"] == 10
    assert '"events";r=0' in first.headers["ratelimit"]
    more = strict.ask_as("writer", "POST", "/ingest", json=query())
    refusal(more, 429, "too_many_requests")
    assert int(more.headers["retry-after"]) > 0


def test_who_tries_keys_out_is_stopped(strict: House) -> None:
    answers = [strict.ask("GET", "/openapi.json", key.make().token) for _ in range(6)]
    assert answers[-1].status_code == 429
    assert {answer.status_code for answer in answers} == {401, 429}


# Browsers

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.mark.parametrize("name", ["admin", None])
def test_every_answer_of_every_route_has_the_headers(house: House, name: str | None) -> None:
    opened = [("GET", path.replace("{file}", "none")) for path in sorted(OPEN)]
    for method, path in [*house.routes(), *opened]:
        answer = house.ask(method, path, house.tokens[name] if name else None)
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
        assert "strict-transport-security" not in answer.headers  # this was no HTTPS


def test_only_pages_of_the_allowed_origins_may_read(house: House) -> None:
    def asked(origin: str) -> httpx.Response:
        return house.ask_as("reader", "GET", "/stats/models", headers={"Origin": origin})

    assert asked(ORIGIN).headers["access-control-allow-origin"] == ORIGIN
    for origin in ("https://evil.example", f"{ORIGIN}.evil.example", "null", "http://shop.example"):
        assert "access-control-allow-origin" not in asked(origin).headers


def test_health_and_the_page_alone_are_open(house: House) -> None:
    assert {
        route[1].replace(":path}", "}") for route, need in ROUTES.items() if need.scope is None and route not in WAYS
    } == OPEN
    for path in sorted(OPEN - {"/assets/{file}"}):
        assert house.ask("GET", path).status_code == 200
        assert SECRET not in house.ask("GET", path).text
