"""Keys from outside: made on the command line, shown to a server, taken back while it runs."""

import json
import re
from pathlib import Path

import httpx
import pytest

from acceptance.service import Service, aura, query, until


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path, AURA_EVALUATE="off")


def keys(service: Service, *arguments: str) -> str:
    ran = aura("keys", *arguments, "--database", service.database_url, folder=service.folder)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.decode()


def status(service: Service, path: str, token: str | None = None, **query: str) -> int:
    headers = {"X-API-Key": token} if token else {}
    return httpx.get(f"{service.url}{path}", headers=headers, params=query).status_code


def until_known(service: Service, token: str) -> None:
    """Wait until a server knows a key. Before it knows any, it is open to this machine, whatever is shown."""
    until(lambda: status(service, "/stats/summary") == 401 or None)
    until(lambda: status(service, "/stats/summary", token) == 200 or None)


def test_a_server_is_open_to_its_own_machine_until_there_is_a_key_and_closed_from_then_on(service: Service) -> None:
    with service:
        assert status(service, "/stats/summary") == 200
        token = keys(service, "create", "reader", "--scope", "read").strip()
        until(lambda: status(service, "/stats/summary") == 401 or None)
        assert status(service, "/stats/summary", token) == 200
        assert status(service, "/health") == 200

        [listed] = json.loads(keys(service, "list", "--json"))
        assert listed["state"] == "in use"
        assert token not in json.dumps(listed)

        keys(service, "revoke", token)
        until(lambda: status(service, "/stats/summary", token) == 401 or None)


def test_a_server_says_at_its_start_to_whom_it_is_open(service: Service, tmp_path: Path) -> None:
    def said(one: Service) -> tuple[str, str]:
        [line] = [line for line in one.log() if line["event"] == "door"]
        return line["open_to"], line["level"]

    with service:
        assert said(service) == ("this machine only", "info")
        keys(service, "create", "reader", "--scope", "read")
    with Service(tmp_path, AURA_EVALUATE="off") as closed:
        assert said(closed) == ("who shows a key", "info")
    with Service(tmp_path, AURA_EVALUATE="off", AUTH="off") as opened:
        assert said(opened) == ("everybody who reaches the address", "warning")
        assert status(opened, "/stats/summary") == 200


def test_a_key_that_sees_some_stores_reads_and_writes_only_them(service: Service) -> None:
    with service:
        writer = keys(service, "create", "w", "--scope", "ingest", "--store", "a").strip()
        reader = keys(service, "create", "r", "--scope", "read", "--store", "b").strip()
        every = keys(service, "create", "all", "--scope", "admin").strip()
        until_known(service, every)
        sent = [query("q-a", store_id="a"), query("q-b", store_id="b")]
        answer = httpx.post(f"{service.url}/ingest", json=sent, headers={"X-API-Key": writer})
        assert answer.status_code == 207
        assert [(one["index"], one["code"]) for one in answer.json()["rejected"]] == [(1, "forbidden_store")]
        assert status(service, "/interactions/q-a", reader) == 404
        assert status(service, "/interactions/q-a", every) == 200
        assert status(service, "/stats/summary", reader, store="a") == 403
        told = httpx.get(f"{service.url}/stats/summary", headers={"X-API-Key": reader}).json()
        assert (told["storeId"], told["totalQueries"]) == ("b", 0)
        assert status(service, "/stats/summary", writer) == 403


def test_a_key_is_exchanged_without_a_gap(service: Service) -> None:
    with service:
        old = keys(service, "create", "shop", "--scope", "read").strip()
        new = keys(service, "rotate", old, "--keep", "1h").strip()
        until_known(service, new)
        assert status(service, "/stats/summary", old) == 200


def test_a_signed_key_comes_with_its_secret_and_a_new_one_after_exchange(service: Service) -> None:
    with service:
        first = json.loads(keys(service, "create", "s", "--scope", "ingest", "--signed", "--json"))
        second = json.loads(keys(service, "rotate", first["id"], "--json"))
    for one in (first, second):
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", one["signing_secret"])
    assert first["signing_secret"] != second["signing_secret"]
    assert second["rotated_from"] == first["id"]


def test_commands_show_their_key_to_a_server(service: Service) -> None:
    with service:
        token = keys(service, "create", "me", "--scope", "read").strip()
        until_known(service, token)
        asked = ("stats", "summary", "--json", "--database", service.database_url)
        refused = aura(*asked, folder=service.folder)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b"this needs a key" in refused.stderr
        assert aura(*asked, folder=service.folder, settings={"AURA_API_KEY": token}).returncode == 0
    # Without a server, who has the database in hands needs none.
    assert aura(*asked, folder=service.folder).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x", "--scope", "write"], "is no scope"),
        (["create", "x", "--scope", "read", "--expires", "soon"], "--expires"),
        (["create", "x", "--scope", "read", "--network", "here"], "is no network"),
        (["create", "\n", "--scope", "read"], "name"),
        (["revoke", "nobody"], "in use"),
        (["rotate", "nobody"], "in use"),
    ],
)
def test_what_can_t_be_done_is_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    ran = aura("keys", *arguments, folder=tmp_path)
    assert ran.returncode == 1
    assert said in ran.stderr.decode()
    assert ran.stderr.count(b"\n") == 1


def test_what_tells_who_somebody_is_never_reaches_the_database(tmp_path: Path) -> None:
    said = "mail jo@shop.example or call +49 30 901820 about article 4006381333931"
    with Service(tmp_path, AURA_EVALUATE="off", REDACT="email, phone, card, iban, ip") as service:
        sent = [query("q-1", query_text=said, page={"mail": "jo@shop.example"})]
        assert httpx.post(f"{service.url}/ingest", json=sent).json()["accepted"] == 1
        found = httpx.get(f"{service.url}/interactions/q-1").json()
    assert found["query"]["queryText"] == "mail [email] or call [phone] about article 4006381333931"
    assert found["query"]["extra"] == {"page": {"mail": "[email]"}}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"jo@shop.example" in path.read_bytes()]
