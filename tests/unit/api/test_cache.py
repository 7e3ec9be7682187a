"""No answer is older than its question, and nothing is computed twice without need."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from aura_analytics.api.cache import MOST_ANSWER_BYTES, OVERHEAD_BYTES, Cache, Head
from aura_analytics.errors import StoreUnavailable
from aura_analytics.guard.door import PRINCIPAL
from aura_analytics.guard.principal import Principal
from aura_analytics.store.port import FeedPoint
from unit.api.conftest import Reach

LASTING = "/stats/lasting"
PRESENT = "/stats/present"


class World:
    """Rows, a clock, and an application over them; each can be held up at a gate."""

    def __init__(self, *, gated: bool = False) -> None:
        self.gates: list[asyncio.Future[None]] = []
        self.gated = gated
        self.moments = [0]
        self.commits = 0
        self.token = "a"
        self.now = 1_000_000
        self.lost = False
        self.reads = 0
        self.computed: list[str] = []

    @property
    def point(self) -> FeedPoint:
        return FeedPoint(position=len(self.moments) - 1, moment=self.moments[-1])

    def commit(self) -> None:
        self.commits += 1
        self.moments.append(self.commits)

    def restore(self) -> None:
        del self.moments[1 + len(self.moments) // 2 :]

    def body(self, path: str) -> list[Any]:
        second = None if path == LASTING else self.now // 1000
        return [self.token, self.point.position, self.point.moment, second]

    async def gate(self) -> None:
        if self.gated:
            self.gates.append(asyncio.get_running_loop().create_future())
            await self.gates[-1]

    def open(self, index: int) -> None:
        gate = self.gates.pop(index)
        if not gate.done():  # who waited there may have gone away
            gate.set_result(None)

    async def feed_head(self) -> FeedPoint:
        self.reads += 1
        await self.gate()
        if self.lost:
            raise StoreUnavailable("locked")
        found = self.point
        await self.gate()
        return found

    async def identity(self) -> str:
        return self.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["method"] in ("GET", "POST")
        self.computed.append(scope["path"])
        await self.gate()
        body = json.dumps(self.body(scope["path"]))
        await self.gate()
        scope["aura_lasting"] = scope["path"] == LASTING
        await Response(body, media_type="application/json")(scope, receive, send)


def cached(world: World, app: Any = None, **more: Any) -> Cache:
    return Cache(app or world, world, clock=lambda: world.now, **more)


@pytest.fixture
def world() -> World:
    return World()


def answering(make: Callable[[Request], Response]) -> Any:
    """Make an application of a function."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await make(Request(scope))(scope, receive, send)

    return app


class TestKept:
    async def test_an_answer_is_computed_once_until_something_changes(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        first = await client.get(LASTING)
        world.now += 86_400_000
        assert (await client.get(LASTING)).content == first.content
        assert len(world.computed) == 1
        world.commit()
        assert (await client.get(LASTING)).json() == world.body(LASTING)
        assert len(world.computed) == 2

    async def test_one_about_the_present_holds_for_its_second(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        for moment, computed in ((1_000_100, 1), (1_000_999, 1), (1_001_000, 2), (1_000_999, 3)):
            world.now = moment
            assert (await client.get(PRESENT)).json() == world.body(PRESENT)
            assert len(world.computed) == computed

    @pytest.mark.parametrize("other", ["/stats/lasting/2", "/stats/lasting?", "/stats/lasting?a=1", "/insights/x"])
    async def test_another_question_has_another_answer(self, world: World, reach: Reach, other: str) -> None:
        client = reach(cached(world))
        await client.get("/stats/lasting?a=2")
        await client.get(other)
        assert len(world.computed) == 2

    async def test_who_sees_other_stores_has_another_answer(self, world: World, reach: Reach) -> None:
        cache = cached(world)

        def reached(*stores: str) -> httpx.AsyncClient:
            """Come as somebody who sees these stores; none are all."""
            whose = Principal(key_id="k", name="k", scopes=frozenset({"read"}), stores=frozenset(stores) or None)

            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                await cache({**scope, PRINCIPAL: whose}, receive, send)

            return reach(app)

        for client in (reached(), reached("a"), reached("b"), reached("a", "b")) * 2:
            await client.get(LASTING)
        assert len(world.computed) == 4
        await reach(cache).get(LASTING)  # who has the database in hands sees all
        assert len(world.computed) == 4

    async def test_another_form_has_another_answer(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        for accept in ("text/csv", "application/json", "text/csv;q=0.9", "text/html, */*", "nonsense"):
            await client.get(LASTING, headers={"accept": accept})
        assert len(world.computed) == 2

    @pytest.mark.parametrize("path", ["/health", "/verify", "/export/training-data", "/docs", "/statsx", "/"])
    async def test_elsewhere_nothing_is_kept_nor_changed(self, world: World, reach: Reach, path: str) -> None:
        client = reach(cached(world))
        answers = [await client.get(path) for _ in range(2)]
        assert (len(world.computed), world.reads) == (2, 0)
        assert not {"etag", "cache-control", "vary"} & set(answers[0].headers)

    async def test_another_method_passes_by(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        for _ in range(2):
            assert "etag" not in (await client.post(LASTING)).headers
        assert len(world.computed) == 2

    async def test_a_database_that_took_the_place_of_another_before_its_first_change_is_noticed(
        self, world: World, reach: Reach
    ) -> None:
        client = reach(cached(world))
        await client.get(LASTING)
        world.token = "b"
        assert (await client.get(LASTING)).json() == world.body(LASTING)

    async def test_a_hit_is_noted_for_the_log(self, world: World) -> None:
        cache = cached(world)
        noted: list[dict[str, Any]] = []
        for _ in range(2):
            noted.append({})
            await ask(cache, LASTING, aura_facts=noted[-1])
        assert noted == [{}, {"cached": True}]

    async def test_an_endpoint_of_the_framework_can_say_that_it_lasts(self, world: World, reach: Reach) -> None:
        app = FastAPI()

        @app.get("/stats/x")
        async def lasts(request: Request) -> int:
            request.scope["aura_lasting"] = True
            world.computed.append("x")
            return 1

        client = reach(cached(world, app))
        for _ in range(3):
            world.now += 1_000
            assert (await client.get("/stats/x")).json() == 1
        assert len(world.computed) == 1


class TestNotKept:
    @pytest.mark.parametrize("status", [201, 400, 404, 500, 503])
    async def test_an_error_goes_on_as_it_is(self, world: World, reach: Reach, status: int) -> None:
        asked = []

        def refuse(request: Request) -> Response:
            asked.append(request)
            return Response(b"why", status, headers={"retry-after": "3"})

        client = reach(cached(world, answering(refuse)))
        for _ in range(2):
            answer = await client.get(LASTING)
            assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (status, b"why", "3")
            assert answer.headers["cache-control"] == "no-store"
            assert "etag" not in answer.headers
        assert len(asked) == 2

    async def test_a_bug_goes_on_to_those_who_know_what_to_do(self, world: World) -> None:
        async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
            raise RuntimeError

        cache = cached(world, fail)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await ask(cache, LASTING)

    @pytest.mark.parametrize("size", [MOST_ANSWER_BYTES, MOST_ANSWER_BYTES + 1])
    async def test_a_large_answer_is_given_but_not_kept(self, world: World, reach: Reach, size: int) -> None:
        asked = []

        def answer(request: Request) -> Response:
            asked.append(request)
            return Response(b"x" * size)

        client = reach(cached(world, answering(answer)))
        for _ in range(2):
            assert len((await client.get(LASTING)).content) == size
        assert len(asked) == (1 if size <= MOST_ANSWER_BYTES else 2)

    async def test_a_stream_is_given_piece_by_piece(self, world: World) -> None:
        async def pieces() -> Any:
            yield b"a"
            yield b"b"

        cache = cached(world, answering(lambda _: StreamingResponse(pieces())))
        sent = await ask(cache, LASTING)
        assert [message.get("body") for message in sent] == [None, b"a", b"b", b""]
        assert (b"cache-control", b"private, no-cache") in sent[0]["headers"]

    async def test_without_the_head_the_application_answers(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        await client.get(LASTING)
        world.lost = True
        for _ in range(2):
            assert (await client.get(LASTING)).status_code == 200
        assert len(world.computed) == 3

    async def test_the_least_recently_used_makes_room(self, world: World, reach: Reach) -> None:
        size = OVERHEAD_BYTES + len("/stats/1") + len(json.dumps(world.body("/stats/1")))
        client = reach(cached(world, most_bytes=2 * size + 1))
        for number in (1, 2, 1, 3, 1, 2):
            await client.get(f"/stats/{number}")
        assert [path[-1] for path in world.computed] == ["1", "2", "3", "2"]

    async def test_without_room_nothing_is_kept(self, world: World, reach: Reach) -> None:
        client = reach(cached(world, most_bytes=0))
        for _ in range(2):
            assert (await client.get(LASTING)).status_code == 200
        assert len(world.computed) == 2


class TestTags:
    @pytest.mark.parametrize("given", ["{}", "W/{}", '"other", {}', 'W/"x" ,W/{}', "*", " * "])
    async def test_what_the_client_has_is_not_sent_again(self, world: World, reach: Reach, given: str) -> None:
        client = reach(cached(world))
        tag = (await client.get(LASTING)).headers["etag"]
        answer = await client.get(LASTING, headers={"if-none-match": given.format(tag)})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private, no-cache", "Accept")

    @pytest.mark.parametrize("given", ['"other"', "", "nonsense", '"', 'W/"x", *'])
    async def test_anything_else_is(self, world: World, reach: Reach, given: str) -> None:
        client = reach(cached(world))
        for _ in range(2):
            assert (await client.get(LASTING, headers={"if-none-match": given})).status_code == 200

    async def test_an_answer_that_was_just_computed_has_its_tag_too(self, world: World, reach: Reach) -> None:
        tag = (await reach(cached(world)).get(LASTING)).headers["etag"]
        answer = await reach(cached(world)).get(LASTING, headers={"if-none-match": tag})
        assert answer.status_code == 304

    async def test_two_answers_never_share_one(self, world: World, reach: Reach) -> None:
        client = reach(cached(world))
        tags = []
        for _ in range(3):
            tags += [(await client.get(path)).headers["etag"] for path in (LASTING, PRESENT)]
            world.commit()
        assert len(set(tags)) == len(tags)

    async def test_the_head_of_an_answer_is_its_head(self, world: World) -> None:
        cache = cached(world)
        computed, kept, whole = [await ask(cache, LASTING, method=method) for method in ("HEAD", "HEAD", "GET")]
        assert computed == kept
        assert kept[0] == whole[0]
        assert (kept[1]["body"], len(world.computed)) == (b"", 1)
        assert (b"content-length", str(len(whole[1]["body"])).encode()) in kept[0]["headers"]


class TestStaleness:
    async def test_a_young_answer_will_do_whatever_has_changed(self, world: World, reach: Reach) -> None:
        client = reach(cached(world, staleness_ms=500))
        before = (await client.get(PRESENT)).json()
        world.commit()
        world.now += 500
        assert (await client.get(PRESENT)).json() == before
        world.now += 1
        assert (await client.get(PRESENT)).json() == world.body(PRESENT)
        world.now -= 2
        await client.get(PRESENT)
        assert len(world.computed) == 3

    async def test_an_old_one_will_not_though_nothing_has_changed(self, world: World, reach: Reach) -> None:
        client = reach(cached(world, staleness_ms=500))
        for _ in range(2):
            await client.get(LASTING)
            world.now += 501
        assert len(world.computed) == 2


class TestSharing:
    async def test_those_who_ask_the_same_at_once_share_a_computation(self) -> None:
        world = World(gated=True)
        cache = cached(world)
        asking = [asyncio.create_task(ask(cache, LASTING)) for _ in range(10)]
        await through(world, asking)
        assert (len(world.computed), world.reads) == (1, 2)
        assert len({task.result()[1]["body"] for task in asking}) == 1

    @pytest.mark.parametrize("gone", [0, 1])
    async def test_if_one_goes_away_the_others_do_not(self, gone: int) -> None:
        world = World(gated=True)
        cache = cached(world)
        asking = [asyncio.create_task(ask(cache, LASTING)) for _ in range(3)]
        await until_computing(world)
        asking[gone].cancel()
        await through(world, asking)
        assert asking.pop(gone).cancelled()
        assert {json.dumps(world.body(LASTING)).encode()} == {task.result()[1]["body"] for task in asking}

    @pytest.mark.parametrize("change", ["commit", "tick"])
    async def test_one_that_was_begun_before_something_changed_is_not_shared(self, change: str) -> None:
        world = World(gated=True)
        cache = cached(world)
        early = asyncio.create_task(ask(cache, PRESENT))
        await until_computing(world)
        await release(world, 0)  # it holds its numbers, and is on its way back
        before = world.body(PRESENT)
        move(world, change)
        late = asyncio.create_task(ask(cache, PRESENT))
        await through(world, [early, late])
        assert json.loads(early.result()[1]["body"]) == before
        assert json.loads(late.result()[1]["body"]) == world.body(PRESENT) != before

    @pytest.mark.parametrize("change", ["commit", "tick"])
    async def test_one_during_which_something_changed_is_not_kept(self, change: str) -> None:
        world = World(gated=True)
        cache = cached(world)
        asking = asyncio.create_task(ask(cache, PRESENT))
        await until_computing(world)
        moments, now = list(world.moments), world.now
        move(world, change)
        await through(world, [asking])
        world.moments, world.now = moments, now  # put back from a copy, set back
        again = asyncio.create_task(ask(cache, PRESENT))
        await through(world, [again])
        assert json.loads(again.result()[1]["body"]) == world.body(PRESENT)

    async def test_one_who_waits_with_others_may_go_away(self) -> None:
        world = World(gated=True)
        head = Head(world)
        waiting = [asyncio.create_task(head.read()) for _ in range(3)]
        await turns()
        waiting[1].cancel()
        await through(world, waiting)
        assert [task.cancelled() for task in waiting] == [False, True, False]

    async def test_a_reading_that_has_begun_is_not_for_those_who_come_now(self) -> None:
        world = World(gated=True)
        head = Head(world)
        early = asyncio.create_task(head.read())
        await release(world, 0)  # it has found the state, and is on its way back
        world.commit()
        late = [asyncio.create_task(head.read()) for _ in range(5)]
        await turns()
        assert world.reads == 1
        await through(world, [early, *late])
        assert early.result()[0].position == 0
        assert {task.result()[0].position for task in late} == {1}
        assert world.reads == 2


ACTIONS = st.lists(
    st.sampled_from(["commit", "restore", "tick", LASTING, PRESENT, PRESENT, "first", "last", "all"]),
    min_size=10,
    max_size=60,
)


class Timeline:
    """Runs actions, and notes after each of them what would have been a right answer at that moment."""

    def __init__(self, staleness_ms: int) -> None:
        self.world = World(gated=True)
        self.cache = cached(self.world, staleness_ms=staleness_ms)
        self.right: list[tuple[int, dict[str, Any]]] = []
        self.asked: list[tuple[int, str, asyncio.Task[tuple[int, Any]]]] = []
        self.note()

    def note(self) -> None:
        self.right.append((self.world.now, {path: self.world.body(path) for path in (LASTING, PRESENT)}))

    async def act(self, action: str) -> None:
        world = self.world
        if action == "commit":
            world.commit()
        elif action == "restore" and not self.cache._computing:  # nobody can tell what a file was during a computation
            world.restore()
        elif action == "tick":
            world.now += 500
        elif action in (LASTING, PRESENT):
            self.asked.append((len(self.right) - 1, action, asyncio.create_task(self.ask(action))))
        elif action in ("first", "last", "all"):
            for gate in {"first": [0], "last": [-1], "all": [0] * len(world.gates)}[action] if world.gates else []:
                world.open(gate)
        self.note()
        await turns()

    async def ask(self, path: str) -> tuple[int, Any]:
        sent = await ask(self.cache, path)
        return len(self.right), json.loads(sent[1]["body"])


@settings(max_examples=400, deadline=None)
@given(ACTIONS, st.sampled_from([0, 0, 700]))
def test_every_answer_was_right_at_some_moment_after_its_question(actions: list[str], staleness_ms: int) -> None:
    async def run() -> None:
        timeline = Timeline(staleness_ms)
        for action in actions:
            await timeline.act(action)
        while timeline.world.gates:
            await timeline.act("first")
        for asked, path, task in timeline.asked:
            answered, body = await task
            oldest = timeline.right[asked][0] - staleness_ms
            young = next(index for index, (moment, _) in enumerate(timeline.right) if moment >= oldest)
            begin = young if staleness_ms else asked
            assert body in [right[path] for _, right in timeline.right[begin:answered]]

    asyncio.run(run())


async def ask(app: Any, path: str, method: str = "GET", **more: Any) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": [], **more}
    await app(scope, receive, send)
    return sent


async def turns() -> None:
    """Let everything go on that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def move(world: World, change: str) -> None:
    if change == "commit":
        world.commit()
    else:
        world.now += 1_000


async def until_computing(world: World) -> None:
    while not world.computed:
        await release(world, 0)


async def release(world: World, index: int) -> None:
    await turns()
    world.open(index)
    await turns()


async def through(world: World, tasks: list[asyncio.Task[Any]]) -> None:
    """Open every gate until all is done."""
    await turns()
    while world.gates:
        await release(world, 0)
    pending: list[Awaitable[Any]] = list(tasks)
    await asyncio.gather(*pending, return_exceptions=True)
