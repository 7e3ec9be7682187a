"""Callers of many servers: they tell events, again where no answer came, and check every number that they are given."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx

from ledger import Event, Interaction, Ledger
from machines import GRACE_S, Server

STORES = ("north", "south", "east", "west")
TEXTS = [f"where are the {what}" for what in ("apples", "pears", "shoes", "eggs", "candles", "nails", "pans", "cups")]
INTENTS = ("find", "buy", "ask", None)
HOUR_MS = 3_600_000
# How long a caller goes on with what it has to tell.
PERSISTENCE_S = 60.0
AGAIN_S = 0.05

# What an outcome is like, what the rules or the judge say of it, and how often it is so.
OUTCOMES: tuple[tuple[Event, str, str, int], ...] = (
    ({"action_success": 1, "latency_ms": 812.5}, "GOOD", "successful_fast_action", 60),
    ({"action_success": 1, "latency_ms": 9_000.0}, "REVIEW", "high_latency", 8),
    ({"error_flag": 1, "latency_ms": 300.25}, "BAD", "error_occurred", 10),
    ({"action_success": 0, "action_taken": "CART_ADD", "latency_ms": 2_000.0}, "REVIEW", "action_failed", 8),
    ({"latency_ms": 1_500.0}, "BAD", "wrong_answer", 5),
)
UNHEARD = ("BAD", "very_low_transcription_confidence")
JUDGED = ("BAD", "wrong_answer")


class Shop:
    """Makes up interactions, the same for the same seed but for the present."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._made = 0

    def interaction(self, *, together: bool, store: str | None = None) -> Interaction:
        """Make one; only what is told whole may lie in the past, since it isn't waited for."""
        self._made += 1
        id = f"q{self._made:07}"
        chance = self._random
        now = round(time.time() * 1000)
        created_at = now - chance.randrange(36 * HOUR_MS) if together else now
        found, label, reason, _ = chance.choices(OUTCOMES, [weight for *_, weight in OUTCOMES])[0]
        unheard = chance.random() < 0.06
        answered = together or chance.random() < 0.85
        store = store or chance.choice(STORES)
        if unheard:
            label, reason = UNHEARD
        elif not answered:
            label, reason = JUDGED
        return Interaction(
            id=id,
            store=store,
            created_at=created_at,
            query=self._query(id, store, created_at, unheard=unheard, judged=reason == JUDGED[1]),
            outcome=self._outcome(id, found) if answered else None,
            label=label,
            reason=reason,
            together=together,
        )

    def conversion(self, interaction: Interaction) -> Event:
        """Make one that names an interaction, or its session."""
        named = self._random.random() < 0.5
        return {
            "event_type": "voice_conversion",
            "conversion_id": f"c-{interaction.id}",
            "timestamp": interaction.created_at + 500,
            "value": 9.5,
            "currency": "EUR",
            **({"query_id": interaction.id} if named else {"session_id": interaction.query["session_id"]}),
        }

    def _query(self, id: str, store: str, created_at: int, *, unheard: bool, judged: bool) -> Event:
        chance = self._random
        # What the judge is asked about can be told apart.
        text = f"is there anything for {id}" if judged else chance.choice(TEXTS)
        return {
            "event_type": "voice_query",
            "query_id": id,
            "store_id": store,
            "session_id": f"{store}-{self._made // 24}",
            "timestamp": created_at,
            "query_text": text,
            "intent": chance.choice(INTENTS),
            "transcription_confidence": 0.25 if unheard else 0.9,
        }

    def _outcome(self, id: str, found: Event) -> Event:
        return {
            "event_type": "voice_outcome",
            "query_id": id,
            "answer_text": f"the answer to {id}",
            "cost_usd": self._random.choice((0.001, 0.002, 0.0005)),
            "tokens_prompt": self._random.randrange(200),
            "tokens_completion": self._random.randrange(80),
            **found,
        }


class Crowd:
    """Everybody who calls, and what they saw.

    Args:
        servers: all of one database.
        ledger: of what was told.
        rate: interactions a second.
        seed: of what is made up.
    """

    def __init__(self, servers: Sequence[Server], ledger: Ledger, *, rate: float, seed: int) -> None:
        self._servers = servers
        self._clients = {server.name: server.client() for server in servers}
        self._ledger = ledger
        self._rate = rate
        self._random = random.Random(seed + 1)
        self._shop = Shop(seed)
        self._recent: list[Interaction] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._probes = 0
        self.ended = asyncio.Event()
        self.restarting = asyncio.Event()
        self.ingest_ms: list[float] = []
        self.until_acknowledged_ms: list[float] = []
        self.reading_ms: list[float] = []
        self.fresh_ms: list[float] = []
        self.events = 0
        self.requests = 0
        self.refused: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.checked = 0
        self.longest_silence_s = 0.0
        self._acknowledged_at = time.monotonic()

    def renewed(self, server: Server) -> None:
        """Know a server's new address."""
        self._clients[server.name] = server.client()

    async def run(self, seconds: float) -> None:
        """Call for so long; returns when all that was begun is told."""
        until = time.monotonic() + seconds
        readers = [asyncio.create_task(self._read()) for _ in range(3)]
        readers += [asyncio.create_task(self._probe()) for _ in range(2)]
        while time.monotonic() < until:
            self._soon(self._some())
            await asyncio.sleep(self._random.expovariate(self._rate / 3))
        while self._telling:
            await asyncio.gather(*self._telling)
        self.ended.set()
        await asyncio.gather(*readers)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine sends and takes
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _some(self) -> None:
        """Tell three interactions on the average: two thirds of them in batches."""
        chance = self._random.random()
        if chance < 0.2:
            await self._batch(self._random.randint(5, 15))
        elif chance < 0.9:
            await self._halves(self._random.randint(1, 2))
        else:
            await self._mixed()

    def _made(self, *, together: bool) -> Interaction:
        interaction = self._shop.interaction(together=together)
        self._ledger.add(interaction)
        return interaction

    async def _batch(self, count: int) -> None:
        """Tell whole interactions at once; now and then to two servers at the same moment, and once more later."""
        made = [self._made(together=True) for _ in range(count)]
        events = [event for one in made for event in one.events]
        events += [self._shop.conversion(one) for one in made if self._random.random() < 0.1]
        self._random.shuffle(events)
        self._recent = [*made, *self._recent[:60]]
        await self._several_times(events)

    async def _halves(self, count: int) -> None:
        """Tell the parts of interactions by themselves, in any order."""
        for _ in range(count):
            one = self._made(together=False)
            parts = [[event] for event in one.events]
            if self._random.random() < 0.1:
                parts.append([self._shop.conversion(one)])
            order = self._random.random()
            if order > 0.94 and one.outcome is not None:  # the judge may be looking at the query alone just then
                await self._several_times(parts[0])
                await asyncio.sleep(GRACE_S + self._random.uniform(-0.2, 1))
                await self._several_times(parts[1])
                continue
            if order < 0.35:  # all at the same moment, each to a server of its own
                await asyncio.gather(*(self._several_times(part) for part in parts))
                continue
            if order < 0.6:
                parts.reverse()
            for part in parts:
                await self._several_times(part)
                await asyncio.sleep(self._random.uniform(0, 0.4))

    async def _mixed(self) -> None:
        """Tell again what others may be telling just now, in another order."""
        if self._recent:
            some = self._random.sample(self._recent, min(len(self._recent), 12))
            events = [event for one in some for event in one.events]
            self._random.shuffle(events)
            await self._tell(events)

    async def _several_times(self, events: Sequence[Event]) -> None:
        chance = self._random.random()
        if chance < 0.15:
            first, second = self._random.sample([*self._servers, *self._servers], 2)
            await asyncio.gather(self._tell(events, first), self._tell(events[::-1], second))
        else:
            await self._tell(events)
        if chance > 0.9:
            self._soon(self._again(list(events)))

    async def _again(self, events: list[Event]) -> None:
        await asyncio.sleep(self._random.uniform(0.5, 3))
        self._random.shuffle(events)
        await self._tell(events)

    async def _tell(self, events: Sequence[Event], server: Server | None = None) -> None:
        """Send events until somebody acknowledges them."""
        self._ledger.begin(events)
        started = time.monotonic()
        while time.monotonic() - started < PERSISTENCE_S:
            server = server or self._random.choice(self._servers)
            if await self._told(server, events):
                self.until_acknowledged_ms.append((time.monotonic() - started) * 1000)
                return
            server = None
            await asyncio.sleep(AGAIN_S)
        self.wrong.append(f"{len(events)} events weren't taken within {PERSISTENCE_S:g} s")

    async def _told(self, server: Server, events: Sequence[Event]) -> bool:
        """Send events to a server; tell whether they are acknowledged."""
        started = time.perf_counter()
        doubtful = self.restarting.is_set()
        try:
            answer = await self._clients[server.name].post("/ingest", json=list(events) if events[1:] else events[0])
        except httpx.ConnectError:
            self.refused["ingest: no connection"] += 1
            return False
        except httpx.HTTPError as error:
            self.refused[f"ingest: {type(error).__name__}"] += 1
            self._ledger.lose(events)
            return False
        if answer.status_code != 200:
            self._not_taken(answer, events)
            return False
        if doubtful or self.restarting.is_set():
            self._ledger.doubt(events)
        self._taken(answer.json(), events, (time.perf_counter() - started) * 1000)
        return True

    def _not_taken(self, answer: httpx.Response, events: Sequence[Event]) -> None:
        self.refused[f"ingest: {_said(answer)}"] += 1
        self._ledger.lose(events)
        if answer.status_code != 503:
            self.wrong.append(f"ingest answered {answer.status_code}: {answer.text[:300]}")

    def _taken(self, receipt: Any, events: Sequence[Event], ms: float) -> None:  # Any: JSON
        now = time.monotonic()
        self.longest_silence_s = max(self.longest_silence_s, now - self._acknowledged_at)
        self._acknowledged_at = now
        self.ingest_ms.append(ms)
        self.events += len(events)
        self.requests += 1
        if receipt["accepted"] + receipt["duplicates"] != len(events) or receipt["rejected"]:
            self.wrong.append(f"a receipt doesn't add up: {receipt}")
        self._ledger.acknowledge(events, receipt["accepted"], time.time() * 1000)

    async def _read(self) -> None:
        """Ask anybody anything, and see that it holds all that was acknowledged before, and nothing that wasn't sent."""
        while not self.ended.is_set():
            store, server = self._random.choice(STORES), self._random.choice(self._servers)
            path, read = self._random.choice(COUNTED)
            known, succeeded = self._ledger.asked_known[store], self._ledger.successes_known[store]
            found = await self._get(server, path, store)
            if found is not None:
                self.checked += 1
                queries, successes = read(found)
                begun = self._ledger.asked_begun[store]
                if not known <= queries <= begun or (successes is not None and successes < succeeded):
                    self.wrong.append(
                        f"{server.name} {path} {store}: {queries} of {known} to {begun} queries, "
                        f"{successes} of {succeeded} successes"
                    )
            await asyncio.sleep(self._random.uniform(0, 0.3))

    async def _probe(self) -> None:
        """Tell one server something of a store that nobody else tells of, and ask another one for it at once."""
        while not self.ended.is_set():
            self._probes += 1
            store = f"probe-{self._probes}"
            one = self._shop.interaction(together=True, store=store)
            self._ledger.add(one)
            await self._tell(one.events)
            server = self._random.choice(self._servers)
            started = time.perf_counter()
            found = await self._get(server, "/stats/summary", store)
            if found is not None:
                self.checked += 1
                self.fresh_ms.append((time.perf_counter() - started) * 1000)
                if found["totalQueries"] != 1:
                    self.wrong.append(f"{server.name} doesn't know what another server acknowledged: {found}")
            await asyncio.sleep(self._random.uniform(0.1, 0.5))

    async def _get(self, server: Server, path: str, store: str) -> Any:  # Any: JSON
        """Ask a question; give the answer, None where there is none just now."""
        started = time.perf_counter()
        parameters = {"period": "all", "store": store}
        if path in ("/stats/top-queries", "/stats/hourly"):
            parameters["limit"] = "100000"
        if path == "/stats/timeseries":
            parameters |= {"metric": "queries,successes", "step": "day"}
        try:
            answer = await self._clients[server.name].get(path, params=parameters)
        except httpx.HTTPError as error:
            self.refused[f"reading: {type(error).__name__}"] += 1
            return None
        if answer.status_code != 200:
            self.refused[f"reading: {_said(answer)}"] += 1
            if answer.status_code != 503:
                self.wrong.append(f"{path} answered {answer.status_code}: {answer.text[:300]}")
            return None
        self.reading_ms.append((time.perf_counter() - started) * 1000)
        return answer.json()


def _said(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return f"{answer.status_code}"
    return f"{answer.status_code} {found.get('detail') or found}"


Read = Callable[[Any], tuple[int, int | None]]
# Each way to count a store's queries and successes.
COUNTED: tuple[tuple[str, Read], ...] = (
    ("/stats/summary", lambda found: (found["totalQueries"], found["successfulQueries"])),
    ("/stats/hourly", lambda found: (sum(one["queries"] for one in found), sum(one["successes"] for one in found))),
    ("/stats/top-queries", lambda found: (sum(one["count"] for one in found), None)),
    (
        "/stats/timeseries",
        lambda found: (
            sum(one["queries"] for one in found["series"][0]["points"]),
            sum(one["successes"] for one in found["series"][0]["points"]),
        ),
    ),
)
# Whatever is late is late by this.
GRACE_MS = GRACE_S * 1000
