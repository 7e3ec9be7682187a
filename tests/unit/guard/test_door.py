"""Who is let in, who isn't, and what either is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import ClassVar

import httpx
import pytest
from starlette.types import Message, Scope

from aura_analytics.errors import QueueFull
from aura_analytics.guard import key, network, signature
from aura_analytics.guard.budget import Budget
from aura_analytics.guard.door import Door
from aura_analytics.guard.keyring import FRESH_MS
from aura_analytics.guard.rate import Quota
from aura_analytics.guard.standing import stands
from unit.guard.house import House


def shown(token: str) -> dict[str, str]:
    return {"X-API-Key": token}


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = json.loads(answer.content)
    assert told["status"] == status
    return str(told["detail"])


class Slowly:
    """A body of two pieces; the second one comes when it may."""

    def __init__(self, size: int = 1) -> None:
        self._piece = b"x" * size
        self.begun, self.goes_on = asyncio.Event(), asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun.set()
        yield self._piece
        await self.goes_on.wait()
        yield self._piece


class TestWithoutKeys:
    async def test_who_is_here_may_do_everything(self, house: House) -> None:
        async with house.client() as client:
            answers = [await client.get("/stats/summary"), await client.post("/ingest"), await client.get("/verify")]
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert answers[0].json()["key"] == "local"

    @pytest.mark.parametrize(
        ("peer", "host", "headers"),
        [
            ("192.0.2.1", "127.0.0.1", {}),
            ("127.0.0.1", "rebound.example", {}),
            ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
            ("127.0.0.1", "127.0.0.1", {"Origin": "https://elsewhere.example"}),
        ],
    )
    async def test_nobody_else_is_let_in(self, house: House, peer: str, host: str, headers: dict[str, str]) -> None:
        async with house.client(peer=peer, host=host) as client:
            answer = await client.get("/stats/summary", headers=headers)
            assert "no keys yet" in problem(answer, 401)
            assert answer.headers["www-authenticate"] == 'Bearer realm="aura-analytics"'
            assert (await client.get("/health", headers=headers)).status_code == 200

    async def test_a_page_of_an_origin_that_is_allowed_may_ask(self, house: House) -> None:
        async with house.client(origins=frozenset({"https://shop.example"})) as client:
            answer = await client.get("/stats/summary", headers={"Origin": "https://shop.example"})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"

    async def test_everybody_is_let_in_where_that_is_said(self, house: House) -> None:
        await house.key("read")
        async with house.client(peer="192.0.2.1", closed=False) as client:
            assert (await client.get("/verify")).status_code == 200


class TestWithKeys:
    async def test_who_shows_a_key_may_do_what_it_is_for(self, house: House) -> None:
        token = await house.key("ingest")
        async with house.client(peer="192.0.2.1", host="aura.example") as client:
            assert (await client.post("/ingest", headers=shown(token))).json()["key"] == "ingest"
            assert (await client.post("/ingest", headers={"Authorization": f"Bearer {token}"})).status_code == 200
            assert "scope read" in problem(await client.get("/stats/summary", headers=shown(token)), 403)
            assert "scope admin" in problem(await client.get("/unknown", headers=shown(token)), 403)

    async def test_without_one_nobody_is_let_in_not_even_from_here(self, house: House) -> None:
        await house.key("read")
        async with house.client() as client:
            answer = await client.get("/stats/summary")
            problem(answer, 401)
            assert answer.headers["www-authenticate"] == 'Bearer realm="aura-analytics"'
            assert (await client.get("/health")).status_code == 200

    async def test_a_key_that_isn_t_known_is_refused_in_the_same_words_whatever_is_wrong_with_it(
        self, house: House
    ) -> None:
        revoked = await house.key("read")
        await house.store.keys.revoke(key.id_of(revoked) or "", now=house.watch.now, actor="test")
        expired = await house.key("read", expires_at=house.watch.now)
        known = await house.key("read")
        forged = known[: len("aura_sk_") + 13] + key.make().token[len("aura_sk_") + 13 : -6]
        forged += key.checksum(forged)
        async with house.client() as client:
            told = {
                problem(await client.get("/stats/summary", headers=shown(token)), 401)
                for token in (revoked, expired, forged, key.make().token)
            }
            assert len(told) == 1
            assert (await client.get("/stats/summary", headers=shown(known))).status_code == 200

    async def test_when_the_last_key_is_taken_back_nobody_is_let_in(self, house: House) -> None:
        token = await house.key("admin")
        await house.store.keys.revoke(key.id_of(token) or "", now=house.watch.now, actor="test")
        async with house.client() as client:
            assert (await client.get("/stats/summary")).status_code == 401

    async def test_a_key_counts_and_ends_soon_after_another_process_says_so(self, house: House) -> None:
        first = await house.key("read")
        async with house.client() as client:
            assert (await client.get("/stats/summary", headers=shown(first))).status_code == 200
            second = await house.key("read")
            await house.store.keys.revoke(key.id_of(first) or "", now=house.watch.now, actor="test")
            house.watch.now += 5_000
            assert (await client.get("/stats/summary", headers=shown(first))).status_code == 401
            assert (await client.get("/stats/summary", headers=shown(second))).status_code == 200

    async def test_a_key_is_taken_only_from_its_networks_even_behind_a_proxy(self, house: House) -> None:
        token = await house.key("read", networks=("198.51.100.0/24",))
        proxies = network.networks("10.0.0.0/8")
        async with house.client(peer="10.0.0.1", trusted=proxies) as client:
            there = {**shown(token), "X-Forwarded-For": "1.1.1.1, 198.51.100.7"}
            elsewhere = {**shown(token), "X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
            assert (await client.get("/stats/summary", headers=there)).status_code == 200
            assert "network" in problem(await client.get("/stats/summary", headers=elsewhere), 403)
        async with house.client(peer="203.0.113.9", trusted=proxies) as client:
            assert (await client.get("/stats/summary", headers=there)).status_code == 403

    async def test_when_a_key_was_last_used_is_noted(self, house: House) -> None:
        token = await house.key("read")
        door = house.door()
        async with house.client(door) as client:
            await client.get("/stats/summary", headers=shown(token))
        await door._keyring.close()
        [record] = await house.store.keys.keys()
        assert record.last_used_at == house.watch.now


class TestStores:
    async def test_a_key_that_sees_some_stores_asks_for_those(self, house: House) -> None:
        token = await house.key("read", stores=("a", "b c"))
        async with house.client() as client:

            async def get(path: str) -> httpx.Response:
                return await client.get(path, headers=shown(token))

            assert (await get("/stats/summary")).json()["query"] == "store=a&store=b+c"
            assert (await get("/stats/summary?period=1h")).json()["query"] == "period=1h&store=a&store=b+c"
            assert (await get("/stats/summary?storeId=a")).json()["query"] == "storeId=a"
            problem(await get("/stats/summary?store=a&store=x"), 403)
            problem(await get("/verify"), 403)


class TestSigned:
    def signed(self, token: str, secret: str, body: bytes, *, at: int, message: str = "m1") -> dict[str, str]:
        return {
            "X-API-Key": token,
            "webhook-id": message,
            "webhook-timestamp": str(at),
            "webhook-signature": signature.sign(secret, message=message, timestamp=at, body=body),
        }

    async def test_what_waits_at_the_door_counts_among_the_bodies_in_the_process(self, house: House) -> None:
        secret = key.make_signing_secret()
        token = await house.key("ingest", signing_secret=secret, signed_only=True)
        budget = Budget(100)
        door = house.door(budget=budget)
        body = b"a" * 80
        async with house.client(door) as client:
            budget.take(50)  # another request's
            for message in ("m1", "m2"):
                headers = self.signed(token, secret, body, at=house.watch.now // 1000, message=message)
                answer = await client.post("/ingest", content=body, headers=headers)
                assert answer.status_code == (503 if message == "m1" else 200)
                budget.give_back(50 if message == "m1" else 0)
            forged = self.signed(token, key.make_signing_secret(), body, at=house.watch.now // 1000, message="m3")
            problem(await client.post("/ingest", content=body, headers=forged), 401)
            budget.take(100)
            with pytest.raises(QueueFull):  # all that was taken was given back, and not more
                budget.take(1)

    async def test_who_signs_needs_to_show_no_secret_and_comes_once(self, house: House) -> None:
        secret = key.make_signing_secret()
        token = await house.key("ingest", signing_secret=secret, signed_only=True)
        public, at, body = token[:20], house.watch.now // 1000, b'{"a": "\xff"}'
        headers = self.signed(public, secret, body, at=at)
        doors = [house.door(), house.door()]  # two servers on one database
        async with house.client(doors[0]) as client, house.client(doors[1]) as other:
            answer = await client.post("/ingest", content=body, headers=headers)
            assert answer.status_code == 200
            assert answer.json()["body"] == body.decode("latin-1")
            assert "anew" in problem(await other.post("/ingest", content=body, headers=headers), 409)
            assert "fit" in problem(await client.post("/ingest", content=body + b" ", headers=headers), 401)
            unsigned = await client.post("/ingest", content=body, headers={"X-API-Key": token})
            assert "signed requests only" in problem(unsigned, 401)
            assert "no signature" in problem(await client.post("/ingest", headers={"X-API-Key": public}), 401)
            house.watch.now += 301_000
            old = self.signed(public, secret, body, at=at, message="m2")
            assert "5 minutes" in problem(await client.post("/ingest", content=body, headers=old), 401)

    async def test_a_key_without_a_secret_can_t_be_signed_with(self, house: House) -> None:
        token = await house.key("ingest")
        headers = self.signed(token, key.make_signing_secret(), b"", at=house.watch.now // 1000)
        async with house.client() as client:
            assert "no secret" in problem(await client.post("/ingest", headers=headers), 401)

    async def test_a_stale_one_is_refused_before_its_body_is_read(self, house: House) -> None:
        secret = key.make_signing_secret()
        token = await house.key("ingest", signing_secret=secret)
        headers = self.signed(token, secret, b"", at=house.watch.now // 1000 - 301)
        sent = Slowly()
        async with house.client() as client:
            assert "minutes from now" in problem(await client.post("/ingest", content=sent, headers=headers), 401)
        assert not sent.begun.is_set()

    async def test_bodies_that_nobody_has_proven_leave_room_for_others(self, house: House) -> None:
        """Who knows a key's public part can't have us hold more than a part of what may be in the process."""
        token = await house.key("ingest", signing_secret=key.make_signing_secret())
        other = await house.key("ingest", signing_secret=(secret := key.make_signing_secret()))
        budget = Budget(64)
        door = house.door(budget=budget)
        headers = self.signed(token, key.make_signing_secret(), b"", at=house.watch.now // 1000)
        bodies = [Slowly(4) for _ in range(20)]
        async with asyncio.TaskGroup() as tasks, house.client(door) as client:
            posts = [tasks.create_task(client.post("/ingest", content=body, headers=headers)) for body in bodies]
            async with asyncio.timeout(10):
                await asyncio.gather(*[body.begun.wait() for body in bodies])
            budget.take(32)  # there is room for others' bodies
            budget.give_back(32)
            body = b"[]"
            signed = self.signed(other, secret, body, at=house.watch.now // 1000)
            async with house.client(door, peer="192.0.2.7") as neighbour:
                assert (await neighbour.post("/ingest", content=body, headers=signed)).status_code == 200
            for one in bodies:
                one.goes_on.set()
        codes = sorted(post.result().status_code for post in posts)
        assert set(codes) == {401, 503}
        assert budget.is_idle

    async def test_a_body_that_is_too_large_isn_t_read_to_its_end(self, house: House) -> None:
        secret = key.make_signing_secret()
        token = await house.key("ingest", signing_secret=secret)
        headers = self.signed(token, secret, b"x" * 100, at=house.watch.now // 1000)
        async with house.client(most_body_bytes=99) as client:
            problem(await client.post("/ingest", content=b"x" * 100, headers=headers), 413)


class TestRates:
    FEW = Quota(name="requests", per_second=1, burst=3)
    EVENTS = Quota(name="events", per_second=10, burst=100, unit="events")

    async def test_a_key_sends_so_much_and_is_told_what_is_left(self, house: House) -> None:
        one, other = await house.key("read"), await house.key("read")
        async with house.client(requests=self.FEW) as client:
            answers = [await client.get("/stats/summary", headers=shown(one)) for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[0].headers["ratelimit"] == '"requests";r=2;t=1'
            assert answers[3].headers["retry-after"] == "1"
            assert answers[3].headers.get_list("ratelimit") == ['"requests";r=0;t=3']
            assert (await client.get("/stats/summary", headers=shown(other))).status_code == 200
            house.watch.now += 1_000
            assert (await client.get("/stats/summary", headers=shown(one))).status_code == 200

    async def test_who_tries_keys_out_is_stopped_by_address_and_nobody_else_is(self, house: House) -> None:
        known = await house.key("read")
        public = {"X-API-Key": known[:20]}
        door = house.door(requests=self.FEW)
        async with house.client(door, peer="192.0.2.1") as guesser, house.client(door, peer="192.0.2.2") as caller:
            tried = [await guesser.get("/stats/summary", headers=public) for _ in range(5)]
            assert [answer.status_code for answer in tried] == [401, 401, 401, 429, 429]
            assert (await caller.get("/stats/summary", headers=shown(known))).status_code == 200

    async def test_whatever_is_refused_is_counted_by_address(self, house: House) -> None:
        secret = key.make_signing_secret()
        elsewhere = await house.key("ingest", networks=("192.0.2.9",))
        signed = TestSigned().signed(
            await house.key("ingest", signing_secret=secret), secret, b"x" * 100, at=house.watch.now // 1000
        )
        for headers, code in ((shown(elsewhere), 403), (shown(await house.key("ingest")), 403), (signed, 413)):
            door = house.door(requests=self.FEW, most_body_bytes=99)
            path = "/ingest" if code == 413 or headers == shown(elsewhere) else "/verify"
            async with house.client(door, peer="192.0.2.1") as client:
                tried = [await client.post(path, content=b"x" * 100, headers=headers) for _ in range(4)]
            assert [answer.status_code for answer in tried] == [code, code, code, 429]

    async def test_events_are_counted_too(self, house: House) -> None:
        token = await house.key("ingest")
        async with house.client(requests=self.FEW, events=self.EVENTS) as client:
            answers = [
                await client.post("/ingest", headers={**shown(token), "events": str(count)}) for count in (60, 60)
            ]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[0].headers["ratelimit"] == '"requests";r=2;t=1, "events";r=40;t=6'
        assert answers[1].headers["retry-after"] == "2"


class TestBrowsers:
    ALLOWED = frozenset({"https://shop.example"})
    ASKING: ClassVar = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key, content-type",
    }

    async def test_a_preflight_needs_no_key(self, house: House) -> None:
        await house.key("read")
        async with house.client(peer="192.0.2.1", origins=self.ALLOWED) as client:
            answer = await client.options("/ingest", headers=self.ASKING)
        assert answer.status_code == 204
        assert answer.headers.get_list("access-control-allow-origin") == ["https://shop.example"]
        assert "X-API-Key" in answer.headers["access-control-allow-headers"]

    async def test_a_preflight_of_others_is_told_nothing(self, house: House) -> None:
        async with house.client(origins=self.ALLOWED) as client:
            answer = await client.options("/ingest", headers={**self.ASKING, "Origin": "https://other.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]

    async def test_options_alone_are_no_preflight(self, house: House) -> None:
        await house.key("read")
        async with house.client() as client:
            assert (await client.options("/ingest")).status_code == 401

    async def test_every_answer_says_what_it_may_load_and_who_may_read_it(self, house: House) -> None:
        await house.key("read")
        async with house.client(origins=self.ALLOWED) as client:
            answers = [await client.get(path, headers={"Origin": "https://shop.example"}) for path in ("/health", "/x")]
        assert [answer.status_code for answer in answers] == [200, 401]
        for answer in answers:
            assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            assert answer.headers["vary"] == "Origin"


async def test_no_other_protocol_comes_through(house: House) -> None:
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    await house.door()({"type": "websocket", "path": "/ingest", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def test_while_the_database_is_away_known_keys_go_on_and_unknown_state_isn_t_open(house: House) -> None:
    token = await house.key("read")
    door, new = house.door(), house.door()
    async with house.client(door) as client, house.client(new) as other:
        assert (await client.get("/stats/summary", headers=shown(token))).status_code == 200
        await house.store.close()
        house.watch.now += 10_000
        assert (await client.get("/stats/summary", headers=shown(token))).status_code == 200
        house.watch.now += 60_000
        assert (await client.get("/stats/summary", headers=shown(token))).status_code == 503
        assert (await other.get("/stats/summary")).status_code == 503
        assert (await other.get("/health")).status_code == 200


class TestStreams:
    async def test_what_goes_on_holds_as_long_as_its_key(self, house: House) -> None:
        id = key.id_of(token := await house.key("read"))
        assert id is not None
        scope = await streamed(house.door(), token)
        assert await stands(scope)
        house.watch.now += 60_000
        assert await stands(scope)
        await house.store.keys.revoke(id, now=house.watch.now, actor="test")
        house.watch.now += 2 * FRESH_MS + 1
        assert not await stands(scope)

    async def test_and_while_nobody_is_asked_for_one_until_somebody_is(self, house: House) -> None:
        scope = await streamed(house.door(), None)
        assert await stands(scope)
        await house.key("read")
        house.watch.now += 2 * FRESH_MS + 1
        assert not await stands(scope)
        assert await stands(await streamed(house.door(closed=False), None))
        assert await stands({"type": "http"})  # no door was there


async def streamed(door: Door, token: str | None) -> Scope:
    """Come through a door; give what stands behind it of the request."""
    headers = [(b"host", b"127.0.0.1"), *([(b"x-api-key", token.encode())] if token else [])]
    scope = {"type": "http", "method": "GET", "path": "/stats/live", "query_string": b"", "headers": headers}
    scope["client"] = ("127.0.0.1", 1)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    await door(scope, receive, send)
    return scope
