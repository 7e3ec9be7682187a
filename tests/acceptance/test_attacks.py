"""What an attacker writes differently: paths, headers, texts, addresses; docs/security.md has it as a table."""

import csv
import http.client
import io
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from acceptance.service import aura, outcome, query, until
from acceptance.test_security import ID, MINE, OTHER, SECRET, House, body_of, housed, refusal, signed
from aura_analytics.guard import key
from aura_analytics.stats.formula import FORMULA

EVIL = "evil.example"
# Where a spreadsheet, or a terminal, would do something of its own.
FORMULAS = ("=cmd|'/c calc'!A1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "＝1+1", '"=1', "\u200b=1")
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\nforged line\x9b31m"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A service behind a proxy on this machine; what two stores have said would be a formula for a spreadsheet."""
    for made in housed(tmp_path_factory.mktemp("attacked"), TRUSTED_PROXIES="127.0.0.1"):
        sent = [query(ID, query_text=SECRET, store_id=MINE), query("q-other", store_id=OTHER)]
        for number, text in enumerate(FORMULAS):
            fields: dict[str, Any] = dict.fromkeys(("query_text", "store_id", "session_id", "user_id", "intent"), text)
            said = dict.fromkeys(("answer_text", "model_name", "action_taken", "error_message"), text)
            sent += [query(f"{text}{number}", **fields), outcome(f"{text}{number}", **said, tools_used=[text])]
        assert made.ask_as("admin", "POST", "/ingest", json=sent).json()["accepted"] == len(sent)
        yield made


def raw(house: House, method: str, target: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Ask for a target as it is written, which no client would send so."""
    url = httpx.URL(house.service.url)
    with closing(http.client.HTTPConnection(url.host, url.port or 80, timeout=30)) as connection:
        connection.putrequest(method, target, skip_host=bool(headers and "Host" in headers), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()


# Paths


def spellings(path: str) -> list[str]:
    """Other ways to write a path, which some proxies and frameworks take for it."""
    bare = path.removeprefix("/")
    return [
        *(
            f"{before}{path}"
            for before in ("/", "//", "/.", "/%2e", "/x/..", "/health/..", "/assets/..", "/assets/%2e%2e")
        ),
        *(f"{before}{bare}" for before in ("/%2f", "/%5c", "/assets/%2e%2e%2f", "/health%2f..%2f", "/health;/")),
        *(
            f"{path}{after}"
            for after in ("/", "//", "/.", "%2f", ".", "%2e", "%20", "%00", "%0a", ";x=1", ".json", "/health")
        ),
        path.upper(),
        f"/%{ord(bare[0]):02x}{bare[1:]}",
        f"/%25{ord(bare[0]):02x}{bare[1:]}",
        f"http://localhost{path}",
        f"http://{EVIL}{path}",
    ]


def test_no_spelling_of_a_path_opens_what_is_closed(house: House) -> None:
    answers = {
        (method, target): raw(house, method, target) for method, path in house.routes() for target in spellings(path)
    }
    assert {status for status, _ in answers.values()} <= {400, 401, 404, 405}
    assert len(answers) > 1_000
    assert [asked for asked, (_, body) in answers.items() if SECRET.encode() in body] == []


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_makes_a_method_another_one(house: House, name: str) -> None:
    refusal(house.ask_as("writer", "POST", "/stats/summary", headers={name: "GET"}), 403, "forbidden")
    assert house.ask_as("reader", "GET", f"/interactions/{ID}", headers={name: "DELETE"}).status_code == 200
    refusal(house.ask("GET", "/audit", headers={name: "OPTIONS"}), 401, "unauthorized")
    refusal(house.ask("OPTIONS", "/audit", headers={name: "GET"}), 401, "unauthorized")


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Uri"])
def test_no_header_makes_a_path_another_one(house: House, name: str) -> None:
    assert house.ask("GET", "/health", headers={name: "/stats/summary"}).json()["worker"] == "analytics"
    refusal(house.ask("GET", "/stats/summary", headers={name: "/health"}), 401, "unauthorized")


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
def test_a_made_up_host_comes_back_nowhere(house: House, name: str) -> None:
    shown = {"X-API-Key": house.tokens["admin"], name: EVIL}
    url = httpx.URL(house.service.url)
    for method, path in house.routes():
        if path in ("/stats/live", "/logs/tail") or method == "DELETE":
            continue
        for target in (path, f"{path}/", f"//{EVIL}{path}"):
            with closing(http.client.HTTPConnection(url.host, url.port or 80, timeout=30)) as connection:
                connection.request(method, target, headers=shown)
                answer = connection.getresponse()
                assert EVIL not in str(answer.headers)
                assert EVIL.encode() not in answer.read().replace(f"//{EVIL}".encode(), b"")
                assert answer.status not in range(300, 400)


# Keys


def test_a_key_in_an_address_is_refused_also_beside_one_in_a_header(house: House) -> None:
    token = house.tokens["admin"]
    for target in (f"/stats/summary?api_key={token}", f"/interactions/{token}", f"/stats/summary?k=%61{token[1:]}"):
        for shown in ({}, {"X-API-Key": token}):
            status, body = raw(house, "GET", target, shown)
            assert (status, json.loads(body)["code"]) == (401, "unauthorized")
            assert token[-40:].encode() not in body


def test_a_header_is_the_same_however_it_is_written_and_counts_once(house: House) -> None:
    body = body_of("q-case")
    shown = {name.upper(): value for name, value in signed(house, body, "m-case").items()}
    assert house.ask("POST", "/ingest", content=body, headers=shown).json()["accepted"] == 1
    once = signed(house, body, "m-twice")
    wrong = "v1," + "A" * 43 + "="
    several = once | {"webhook-signature": f"{wrong} v2,other {once['webhook-signature']}"}
    assert house.ask("POST", "/ingest", content=body, headers=several).json()["duplicates"] == 1
    again = signed(house, body, "m-thrice")
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        twice = [*again.items(), (name, again[name])]
        refused = httpx.post(f"{house.service.url}/ingest", content=body, headers=twice)
        refusal(refused, 401, "unauthorized")


@pytest.mark.parametrize(
    ("hops", "status"),
    [
        ("::ffff:192.0.2.7", 200),
        ("[::ffff:c000:207]:443", 200),
        ("192.0.2.7:1234", 200),
        ("::ffff:198.51.100.1", 403),
        ("192.0.2.7, ", 403),
        ("192.0.2.7, unknown", 403),
        ("192.0.2.7, 127.0.0.1", 200),  # the last hop is the proxy itself
        ("192.0.2.7,, 198.51.100.1", 403),
        ("192.0.2.7.", 403),
        ("192.0.02.7", 403),
        ("3221225991", 403),
        ("192.0.2.7\t", 200),
        (", ".join(["192.0.2.7"] * 500), 200),
        ("x" * 20_000, 403),
    ],
)
def test_an_address_is_read_as_the_proxy_means_it(house: House, hops: str, status: int) -> None:
    shown = {"X-API-Key": house.tokens["office"], "X-Forwarded-For": hops}
    assert raw(house, "GET", "/stats/intents", shown)[0] == status


# Answers that are kept


def test_no_answer_is_kept_for_others(house: House) -> None:
    for method, path in house.routes():
        for name in ("admin", "other", None):
            answer = house.ask(method, path, house.tokens[name] if name else None)
            kept = answer.headers["cache-control"]
            assert "no-store" in kept or kept.startswith("private"), (method, path)


def test_the_tag_of_one_key_s_answer_gets_another_key_nothing_of_it(house: House) -> None:
    tagged = 0
    for method, path in house.routes():
        if method != "GET" or "etag" not in (mine := house.ask_as("admin", "GET", path)).headers:
            continue
        tagged += 1
        theirs = house.ask_as("other", "GET", path, headers={"If-None-Match": mine.headers["etag"]})
        if theirs.status_code == 304:
            assert house.ask_as("other", "GET", path).content == mine.content
        refusal(house.ask("GET", path, headers={"If-None-Match": mine.headers["etag"]}), 401, "unauthorized")
    assert tagged > 10


# Texts


def test_no_cell_of_any_csv_is_a_formula(house: House) -> None:
    described = house.ask_as("admin", "GET", "/openapi.json").json()["paths"]
    asked = [
        path
        for path, methods in described.items()
        if any(one["name"] == "format" for one in methods.get("get", {}).get("parameters", ()))
    ]
    assert len(asked) > 10
    seen = 0
    for path in asked:
        answer = house.ask_as("admin", "GET", path, params={"period": "all", "format": "csv"})
        if not answer.headers["content-type"].startswith("text/csv"):
            assert answer.status_code == 400, path  # it wants something to be named
            continue
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        cells = [cell for row in rows for cell in row]
        seen += sum(cell.startswith("'") for cell in cells)
        # An apostrophe before all else says that a text follows.
        meant = [cell for cell in cells if FORMULA.match(cell) and not cell.startswith("'")]
        assert [cell for cell in meant if not _is_number(cell)] == []
    assert seen > len(FORMULAS)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_nothing_that_a_caller_sends_begins_a_line_of_the_log_or_moves_a_terminal(house: House) -> None:
    shown = {"X-API-Key": house.tokens["admin"], "X-Correlation-ID": "a\x1b[2Jb"}
    raw(house, "GET", "/%0d%0a%1b%5b2J%1b%5d0;owned%07forged", shown)
    sent = query("q-escapes", correlation_id=ESCAPES, store_id=ESCAPES, query_text=ESCAPES)
    assert house.ask_as("admin", "POST", "/ingest", json=sent).json()["accepted"] == 1
    named = {"store": ESCAPES}
    assert ESCAPES not in str(house.ask_as("admin", "GET", "/stats/summary", params=named).headers)
    until(lambda: [line for line in house.service.log() if ESCAPES in line.get("stores", [])])
    environment = {"AURA_API_KEY": house.tokens["admin"]}
    asked = ("tail", "--no-follow", "--url", house.service.url)
    ran = aura(*asked, folder=house.service.folder, settings=environment)
    assert ran.returncode == 0, ran
    lines = ran.stdout.decode().splitlines()
    assert len(lines) > 10
    assert [line for line in lines if not line.isprintable() or line.startswith("forged")] == []


def test_no_key_stands_in_a_log_a_metric_or_a_file(house: House) -> None:
    """The last of them: whatever was tried before, nobody has noted more of a key than what everybody may see."""
    wrong = key.make().token
    for path in (f"/{wrong}", f"/stats/summary?store={wrong}", f"/interactions/{wrong}?store={wrong}"):
        house.ask("GET", path, wrong, headers={"X-Correlation-ID": "c"})
        house.ask_as("reader", "GET", path)
    told = house.ask_as("admin", "GET", "/metrics").text + house.ask_as("admin", "GET", "/audit").text
    log = json.dumps(house.service.log())
    assert wrong[:20] in log
    secrets = [token.rpartition("_")[2] for token in (*house.tokens.values(), wrong)]
    assert [secret for secret in secrets if secret in told or secret in log] == []
    for path in house.service.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path.name
