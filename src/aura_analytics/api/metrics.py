"""`/metrics`: the service in numbers, as Prometheus reads them.

What is counted on the way of requests is of this server since its start. What the database says (the queue, the judge)
is the same at every server of it, so a query takes `max` of it, and is looked at again after some seconds only, however
often it is asked for. A part that can't be told is left out, and `aura_part_up` says so.
"""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.types import Receive, Scope, Send

from aura_analytics.api.meter import BOUNDS, STREAMS, Meter
from aura_analytics.clock import Clock, now
from aura_analytics.errors import AuraError
from aura_analytics.store.alerts import AlertStore
from aura_analytics.store.judging import CallSums
from aura_analytics.store.port import FeedPoint, QueueDepth
from aura_analytics.version import __version__

METRICS = "/metrics"
DAY_MS = 86_400_000
# So long is what the database said told again.
FRESH_S = 5.0
ANSWER_S = 2.0

log = structlog.get_logger()

Families = list[Metric]
Part = Callable[[], Awaitable[Families]]


class Counted(Protocol):
    """What is asked of the store."""

    async def queue_depth(self, *, now: int) -> QueueDepth:
        """Count what waits to be labelled."""

    async def judge_calls(self, *, since: int, until: int, store_id: str | None) -> list[CallSums]:
        """Sum up the requests to models."""

    async def spent_usd(self, *, now: int) -> float:
        """Give what the day has cost by now."""

    async def feed_head(self) -> FeedPoint:
        """Give the last committed point of the change feed."""

    @property
    def alerts(self) -> AlertStore:
        """How alerts stand."""


class Placed(Protocol):
    """Where columns are."""

    @property
    def phase(self) -> str:
        """What they do."""

    @property
    def position(self) -> int:
        """How much of the feed they hold."""


class Followed(Protocol):
    """Columns."""

    async def status(self) -> Placed:
        """Tell where they are."""


Sizes = Callable[[], Mapping[str, int]]


class Metrics:
    """Plain ASGI that tells the metrics.

    Args:
        meter: what was counted on the way of requests.
        store: the row database.
        columns: the columns.
        sizes: gives bytes by what they are of (`database`, `database_disk_free`, `columns_disk_free`); on a thread.
        budget_usd: what the judge may cost in a day; None is no limit.
        clock: the present.
    """

    def __init__(
        self,
        meter: Meter,
        store: Counted,
        columns: Followed,
        *,
        sizes: Sizes,
        budget_usd: float | None,
        clock: Clock = now,
    ) -> None:
        self._meter = meter
        self._store = store
        self._columns = columns
        self._sizes = sizes
        self._budget_usd = budget_usd
        self._clock = clock
        self._behind: FeedPoint | None = None
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._parts: dict[str, Part] = {
            "queue": self._queue,
            "judge": self._judge,
            "columns": self._follows,
            "sizes": self._size,
            "alerts": self._alerts,
        }
        self._kept: tuple[float, Families] = (0.0, [])
        self._looking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        shown = next((value for name, value in scope["headers"] if name == b"accept"), b"").decode("latin-1")
        encode, kind = choose_encoder(shown)
        families = [*_build(), *_served(self._meter), *await self._looked()]
        body = encode(_Once(families)) + encode(self._registry)
        if "openmetrics" in kind:  # each part ends with a mark, and there may be one
            body = body.replace(b"# EOF\n", b"") + b"# EOF\n"
        headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _looked(self) -> Families:
        """Look at what isn't counted here; within some seconds once, whoever asks."""
        async with self._looking:
            at, families = self._kept
            if not at or time.monotonic() - at > FRESH_S:
                families = await self._look()
                self._kept = (time.monotonic(), families)
            return families

    async def _look(self) -> Families:
        told = await asyncio.gather(*(_told(name, part) for name, part in self._parts.items()))
        up = GaugeMetricFamily("aura_part_up", "Whether a part of these metrics could be told.", labels=["part"])
        for name, families in zip(self._parts, told, strict=True):
            up.add_metric([name], float(families is not None))
        return [up, *(family for families in told for family in families or ())]

    async def _queue(self) -> Families:
        depth = await self._store.queue_depth(now=self._clock())
        held = GaugeMetricFamily(
            "aura_evaluation_queue_interactions",
            "Interactions without a label, by what they wait for.",
            labels=["state"],
        )
        for state, count in (("due", depth.due), ("waiting", depth.waiting), ("failed", depth.failed)):
            held.add_metric([state], count)
        age = 0.0 if depth.since is None else max(0.0, (self._clock() - depth.since) / 1000)
        oldest = "aura_evaluation_queue_oldest_age_seconds"
        return [held, GaugeMetricFamily(oldest, "For how long the interaction waits that was due first.", age)]

    async def _judge(self) -> Families:
        moment = self._clock()
        since = moment - moment % DAY_MS
        day = "since the day (UTC) began"
        calls = CounterMetricFamily("aura_judge_calls", f"Requests to models {day}.", labels=["model", "outcome"])
        cost = CounterMetricFamily("aura_judge_cost_usd", f"What they cost {day}, in dollars.", labels=["model"])
        by_end: dict[tuple[str, str], float] = {}
        by_model: dict[str, float] = {}
        for one in await self._store.judge_calls(since=since, until=moment, store_id=None):
            by_end[one.model, one.outcome] = by_end.get((one.model, one.outcome), 0) + one.calls
            by_model[one.model] = by_model.get(one.model, 0.0) + one.cost_usd
        for (model, outcome), count in by_end.items():
            calls.add_metric([model, outcome], count)
        for model, usd in by_model.items():
            cost.add_metric([model], usd)
        spent = await self._store.spent_usd(now=moment)
        told = [calls, cost, GaugeMetricFamily("aura_judge_spent_usd", f"Spent and reserved {day}, in dollars.", spent)]
        if self._budget_usd is not None:
            told.append(
                GaugeMetricFamily("aura_judge_budget_usd", "What a day may cost, in dollars.", self._budget_usd)
            )
        return told

    async def _follows(self) -> Families:
        head, status = await asyncio.gather(self._store.feed_head(), self._columns.status())
        if self._behind is None or status.position >= self._behind.position:
            self._behind = head if status.position < head.position else None
        lag = 0.0 if self._behind is None else max(0.0, (self._clock() - self._behind.moment) / 1000)
        following = float(status.phase == "following")
        return [
            GaugeMetricFamily("aura_columns_lag_seconds", "How old the first change is that the columns lack.", lag),
            GaugeMetricFamily("aura_columns_following", "Whether the columns are built and follow.", following),
        ]

    async def _alerts(self) -> Families:
        raised = GaugeMetricFamily("aura_alert_raised", "Whether an alert is raised.", labels=["alert"])
        for state in await self._store.alerts.states():
            raised.add_metric([state.rule], float(state.state == "raised"))
        return [raised]

    async def _size(self) -> Families:
        sizes = await asyncio.to_thread(self._sizes)
        free = GaugeMetricFamily("aura_disk_free_bytes", "Free space where files of the service lie.", labels=["of"])
        for name in ("database", "columns"):
            if (size := sizes.get(f"{name}_disk_free")) is not None:
                free.add_metric([name], size)
        return [GaugeMetricFamily("aura_database_size_bytes", "Size of the row database.", sizes["database"]), free]


async def _told(name: str, part: Part) -> Families | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await part()
    except (AuraError, TimeoutError, OSError) as error:
        log.debug("metrics_lack", part=name, error=str(error) or type(error).__name__)
        return None


def _build() -> Iterable[Metric]:
    yield InfoMetricFamily(
        "aura_build", "What runs here.", {"version": __version__, "python": platform.python_version()}
    )


def _served(meter: Meter) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "aura_http_requests", "Requests that have ended.", labels=["method", "route", "status"]
    )
    durations = HistogramMetricFamily(
        "aura_http_request_duration_seconds", "How long requests took, but for streams.", labels=["method", "route"]
    )
    for (method, route), served in meter.served.items():
        for status, count in served.statuses.items():
            requests.add_metric([method, route, str(status or "none")], count)
        if route not in STREAMS:
            durations.add_metric([method, route], _buckets(served.counts), served.sum_s)
    yield requests
    yield durations
    events = CounterMetricFamily(
        "aura_ingest_events", "Events that were sent, by what became of them.", labels=["outcome"]
    )
    for outcome, count in meter.events.items():
        events.add_metric([outcome.removesuffix("s")], count)
    yield events
    refusals = CounterMetricFamily("aura_refusals", "Requests that were refused or failed, by why.", labels=["code"])
    for code, count in meter.refusals.items():
        refusals.add_metric([code], count)
    yield refusals


def _buckets(counts: list[int]) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
        total += count
        found.append((bound, float(total)))
    return found


class _Once(Collector):
    """Families that are here already, as a registry."""

    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Give them."""
        return iter(self._families)
