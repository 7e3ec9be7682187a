"""A browser that signed in: what its cookie opens, when it ends, and what it never does for a page of somebody else's."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from aura_analytics.api import problems, session
from aura_analytics.guard import key, network
from aura_analytics.guard.door import Door, Policy
from aura_analytics.guard.keyring import Keyring
from aura_analytics.guard.principal import Scope as KeyScope
from aura_analytics.guard.session import LASTING_MS, Sessions, cookies
from aura_analytics.guard.standing import stands
from unit.guard.house import House, asked

PAGE = {"X-Aura-Page": "1"}
PROXY = "192.0.2.9"
LATER_MS = 5_000


class Server:
    """A door with sessions, before `/session` and a service that says what it was asked."""

    def __init__(self, house: House, **policy: Any) -> None:
        self.house = house
        kept = Policy(**policy)
        keyring = Keyring(house.store.keys, clock=house.watch)
        clocks: dict[str, Any] = {"clock": house.watch, "timer": house.watch.seconds}
        sessions = Sessions(house.store.sessions, keyring, trusted=kept.trusted, **clocks)
        self._reading = FastAPI()
        self._reading.include_router(session.router(sessions))
        problems.install(self._reading)
        self.door = Door(self._front, keyring, house.store.keys, kept, problems.answer, sessions=sessions, **clocks)

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.last = scope
        await (self._reading if scope["path"] == "/session" else asked)(scope, receive, send)

    def browser(self, *, scheme: str = "http", peer: str = "192.0.2.1", **headers: str) -> httpx.AsyncClient:
        """Make a browser with no cookies yet."""
        transport = httpx.ASGITransport(self.door, client=(peer, 1))
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://aura.example", headers=headers)


@pytest.fixture
async def server(house: House) -> AsyncIterator[Server]:
    """A server of a database."""
    return Server(house)


async def sign_in(browser: httpx.AsyncClient, token: str, **headers: str) -> httpx.Response:
    return await browser.post("/session", json={"key": token}, headers=PAGE | headers)


async def test_who_signs_in_is_known_by_the_cookie_and_told_what_they_may(server: Server) -> None:
    token = await server.house.key("review", stores=("b", "a"))
    async with server.browser() as browser:
        assert (await browser.get("/stats/summary")).status_code == 401
        answer = await sign_in(browser, f"  {token}\n")
        assert answer.status_code == 200
        assert answer.headers["set-cookie"].endswith("; Path=/; HttpOnly; SameSite=Strict; Max-Age=604800")
        assert token not in answer.text + answer.headers["set-cookie"]
        who = (await browser.get("/session")).json()
        assert who == answer.json()
        assert (who["by"], who["scopes"], who["stores"]) == ("session", ["read", "review", "metrics"], ["a", "b"])
        assert (await browser.get("/stats/summary")).json()["query"] == "store=a&store=b"
        assert (await browser.get("/verify")).status_code == 403


async def test_every_server_of_a_database_takes_it_and_none_of_another(server: Server) -> None:
    token = await server.house.key("read")
    async with server.browser() as browser, Server(server.house).browser() as other:
        await sign_in(browser, token)
        other.cookies.update(browser.cookies)
        assert (await other.get("/stats/summary")).status_code == 200
        other.cookies.clear()
        made_up = {"Cookie": "aura=somebody's"}
        assert (await other.get("/stats/summary", headers=made_up)).status_code == 401


@pytest.mark.parametrize(("scope", "all_of_them"), [("ingest", ["ingest"]), ("read", ["read", "metrics"])])
async def test_whoever_has_a_key_may_ask_who_they_are(server: Server, scope: KeyScope, all_of_them: list[str]) -> None:
    token = await server.house.key(scope)
    async with server.browser() as browser:
        assert (await browser.get("/session", headers={"X-API-Key": token})).json()["by"] == "key"
        assert (await sign_in(browser, token)).json()["scopes"] == all_of_them
        assert (await browser.get("/session")).json()["by"] == "session"
        may = (await browser.get("/stats/summary")).status_code
        assert may == (200 if scope == "read" else 403)


async def test_it_ends_with_its_key(server: Server) -> None:
    token = await server.house.key("read")
    await server.house.key("admin")
    async with server.browser() as browser:
        await sign_in(browser, token)
        await server.house.store.keys.revoke(key.id_of(token) or "", now=server.house.watch.now, actor="test")
        server.house.watch.now += LATER_MS
        assert (await browser.get("/stats/summary")).status_code == 401


async def test_it_ends_with_its_time_and_never_later_than_its_key(server: Server) -> None:
    lasting = await server.house.key("read")
    short = await server.house.key("read", expires_at=server.house.watch.now + 60_000)
    async with server.browser() as browser, server.browser() as other:
        await sign_in(browser, lasting)
        assert (await sign_in(other, short)).headers["set-cookie"].endswith("Max-Age=60")
        server.house.watch.now += LASTING_MS - 1
        assert (await browser.get("/stats/summary")).status_code == 200
        assert (await other.get("/stats/summary", headers={"Cookie": "aura=x"})).status_code == 401
        server.house.watch.now += 1
        assert (await browser.get("/stats/summary")).status_code == 401


async def test_where_the_clock_is_set_back_it_still_ends(server: Server) -> None:
    token = await server.house.key("read")
    async with server.browser() as browser, Server(server.house).browser() as other:
        server.house.watch.now += 3_600_000
        await sign_in(browser, token)
        other.cookies.update(browser.cookies)
        assert (await other.get("/stats/summary")).status_code == 200
        server.house.watch.now -= 3_600_000
        assert (await browser.delete("/session", headers=PAGE)).status_code == 204
        assert (await other.get("/stats/summary")).status_code == 401


async def test_who_signs_out_is_out_at_every_server(server: Server) -> None:
    token = await server.house.key("read")
    async with server.browser() as browser, Server(server.house).browser() as other:
        await sign_in(browser, token)
        other.cookies.update(browser.cookies)
        assert (await other.get("/stats/summary")).status_code == 200
        kept = browser.cookies["aura"]
        assert (await browser.delete("/session")).status_code == 403
        assert (await browser.delete("/session", headers=PAGE)).status_code == 204
        assert "aura" not in browser.cookies
        server.house.watch.now += LATER_MS
        for one in (browser, other):
            assert (await one.get("/stats/summary", headers={"Cookie": f"aura={kept}"})).status_code == 401
        assert (await browser.delete("/session", headers=PAGE)).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {},
        PAGE | {"Sec-Fetch-Site": "cross-site"},
        PAGE | {"Sec-Fetch-Site": "same-site"},
        PAGE | {"Origin": "http://elsewhere.example"},
        PAGE | {"Origin": "http://aura.example:8080"},
        PAGE | {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://aura.example"},
    ],
)
async def test_a_page_of_others_changes_nothing_and_signs_nobody_in(server: Server, headers: dict[str, str]) -> None:
    token = await server.house.key("admin")
    async with server.browser() as browser, server.browser() as other:
        await sign_in(browser, token)
        assert (await browser.post("/ingest", headers=headers)).status_code == 403
        assert (await browser.delete("/session", headers=headers)).status_code == 403
        assert (await other.post("/session", json={"key": token}, headers=headers)).status_code == 403
        assert not other.cookies
        assert (await browser.post("/ingest", headers=PAGE)).status_code == 200
        # A key that is shown is shown on purpose.
        assert (await other.post("/ingest", headers=headers | {"X-API-Key": token})).status_code == 200


async def test_nor_does_it_read(server: Server) -> None:
    token = await server.house.key("admin")
    async with server.browser() as browser:
        await sign_in(browser, token)
        for site, status in {"same-origin": 200, "none": 200, "same-site": 403, "cross-site": 403}.items():
            answer = await browser.get("/stats/summary", headers={"Sec-Fetch-Site": site})
            assert answer.status_code == status


async def test_by_https_only_the_cookie_counts_that_no_neighbour_can_set(house: House) -> None:
    server = Server(house, trusted=network.networks(PROXY))
    token = await house.key("read")
    by_https = {"X-Forwarded-Proto": "http, https"}
    async with server.browser(peer=PROXY) as browser:
        cookie = (await sign_in(browser, token, **by_https)).headers["set-cookie"]
        assert cookie.startswith("__Host-aura=")
        assert "; Secure; " in cookie
        given = cookie.partition(";")[0].partition("=")[2]
        for name, status in {"__Host-aura": 200, "aura": 401}.items():
            headers = by_https | {"Cookie": f"{name}={given}"}
            assert (await browser.get("/stats/summary", headers=headers)).status_code == status
    async with server.browser(scheme="https") as browser:
        assert (await sign_in(browser, token)).headers["set-cookie"].startswith("__Host-aura=")
    async with server.browser() as browser:
        # A proxy that isn't trusted isn't believed; the browser is, of itself.
        assert (await sign_in(browser, token, **by_https)).headers["set-cookie"].startswith("aura=")
        origin = {"Origin": "https://aura.example"}
        assert (await sign_in(browser, token, **origin)).headers["set-cookie"].startswith("__Host-aura=")


async def test_what_is_no_key_or_not_one_to_sign_in_with_opens_nothing(server: Server) -> None:
    signed = await server.house.key("ingest", signed_only=True, signing_secret=key.make_signing_secret())
    office = await server.house.key("read", networks=("198.51.100.0/24",))
    tried = {"": 401, "x": 401, key.make().token: 401, signed: 401, signed.rpartition("_")[0]: 401, office: 403}
    async with server.browser() as browser:
        for token, status in tried.items():
            answer = await sign_in(browser, token)
            assert (answer.status_code, answer.headers.get("set-cookie")) == (status, None)
            assert not token or token not in answer.text
    async with server.browser(peer="192.0.2.2") as browser:
        for body, status in {b"": 400, b"[]": 400, b'{"key": 1}': 400, b"[" * 4_000: 400, b" " * 5_000: 413}.items():
            assert (await browser.post("/session", content=body, headers=PAGE)).status_code == status


async def test_who_tries_keys_out_is_stopped_and_nobody_else_is(server: Server) -> None:
    token = await server.house.key("read")
    async with server.browser() as guesser, server.browser(peer="192.0.2.2") as other:
        tried = [(await sign_in(guesser, key.make().token)).status_code for _ in range(12)]
        assert tried == [401] * 10 + [429] * 2
        refused = await sign_in(guesser, token)
        assert int(refused.headers["retry-after"]) >= 1
        assert (await sign_in(other, token)).status_code == 200
        server.house.watch.now += 60_000
        assert (await sign_in(guesser, token)).status_code == 200


async def test_a_key_that_was_made_a_moment_ago_opens_at_once(server: Server) -> None:
    await server.house.key("admin")
    async with server.browser() as browser:
        assert (await browser.get("/stats/summary")).status_code == 401
        assert (await sign_in(browser, await server.house.key("read"))).status_code == 200


def test_a_cookie_is_found_among_others_and_the_first_of_a_name_counts() -> None:
    given = [
        (b"cookie", b"a=1; aura=x; aura=y"),
        (b"accept", b"aura=z"),
        (b"cookie", b"__Host-aura=s=="),
        (b"cookie", b";"),
    ]
    assert cookies(given) == {"aura": "x", "__Host-aura": "s=="}


async def test_what_a_browser_held_before_it_signed_in_opens_nothing_afterwards(server: Server) -> None:
    """Nobody can give a browser a cookie that becomes a session (fixation): each sign-in makes a new one."""
    token = await server.house.key("read")
    planted = "p" * 43
    async with server.browser(cookie=f"aura={planted}") as browser:
        given = (await sign_in(browser, token)).headers["set-cookie"]
    assert planted not in given
    async with server.browser(cookie=f"aura={planted}") as thief:
        assert (await thief.get("/stats/summary")).status_code == 401


async def test_a_stream_that_a_session_opened_ends_with_the_session(server: Server) -> None:
    token = await server.house.key("read")
    async with server.browser() as browser:
        await sign_in(browser, token)
        await browser.get("/stats/live")
        stream = server.last
        assert await stands(stream)
        await browser.delete("/session", headers=PAGE)
    assert not await stands(stream)
