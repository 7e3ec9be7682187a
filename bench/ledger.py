"""What a crowd of callers was told: which events were acknowledged, how often each was called new, and what must be seen."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

Event = dict[str, Any]  # Any: what JSON can hold
Key = tuple[str, str]


class Interaction(msgspec.Struct, kw_only=True, eq=False):
    """An interaction that is told to the service, and what becomes of it."""

    id: str
    store: str
    created_at: int
    query: Event
    outcome: Event | None
    label: str
    reason: str
    together: bool
    # Moments on the wall clock, in milliseconds, when each half was acknowledged first.
    query_at: float | None = None
    outcome_at: float | None = None

    @property
    def events(self) -> list[Event]:
        """Both halves."""
        return [self.query] if self.outcome is None else [self.query, self.outcome]

    @property
    def is_successful(self) -> bool:
        """Whether its action succeeded."""
        return self.outcome is not None and self.outcome.get("action_success") == 1

    def was_prompt(self, grace_ms: float) -> bool:
        """Whether the outcome was there before the query was due without it."""
        if self.together or self.outcome is None:
            return True
        return self.outcome_at is not None and self.outcome_at < self.created_at + grace_ms


def key_of(event: Event) -> Key:
    """Give what an event is stored once by."""
    kind = event["event_type"]
    return kind, event["conversion_id"] if kind == "voice_conversion" else event["query_id"]


class Ledger:
    """Counts what was sent and what was acknowledged. All counts are by store."""

    def __init__(self) -> None:
        self.interactions: dict[str, Interaction] = {}
        self.conversions: dict[str, Event] = {}
        self.acknowledged: set[Key] = set()
        self._answers: list[tuple[list[Key], int]] = []
        self._doubted: list[list[Key]] = []
        self._begun: set[Key] = set()
        self.asked_begun: Counter[str] = Counter()
        self.asked_known: Counter[str] = Counter()
        self.successes_known: Counter[str] = Counter()
        self.lost_answers = 0

    def add(self, interaction: Interaction) -> None:
        """Know an interaction that is about to be told."""
        self.interactions[interaction.id] = interaction

    def begin(self, events: Iterable[Event]) -> None:
        """Note that events are being sent: from now on they may be seen."""
        for event in events:
            key = key_of(event)
            if key not in self._begun:
                self._begun.add(key)
                if key[0] == "voice_query":
                    self.asked_begun[self.interactions[key[1]].store] += 1
                elif key[0] == "voice_conversion":
                    self.conversions[key[1]] = event

    def acknowledge(self, events: Sequence[Event], accepted: int, at: float) -> None:
        """Note an answer: from now on what was acknowledged has to be seen."""
        keys = [key_of(event) for event in events]
        self._answers.append((keys, accepted))
        for key in keys:
            if key not in self.acknowledged:
                self.acknowledged.add(key)
                self._acknowledge(key, at)

    def lose(self, events: Sequence[Event]) -> None:
        """Note that there was no answer, or none that tells: the events may be stored."""
        self.lost_answers += 1
        self.doubt(events)

    def doubt(self, events: Sequence[Event]) -> None:
        """Note that nobody may ever have been told that these were new."""
        self._doubted.append([key_of(event) for event in events])

    def _acknowledge(self, key: Key, at: float) -> None:
        kind, id = key
        interaction = self.interactions.get(id)
        if interaction is None or kind == "voice_conversion":
            return
        if kind == "voice_query":
            interaction.query_at = at
            self.asked_known[interaction.store] += 1
        else:
            interaction.outcome_at = at
        if interaction.is_successful and interaction.query_at is not None and interaction.outcome_at is not None:
            self.successes_known[interaction.store] += 1

    def miscounted(self) -> tuple[int, int]:
        """Compare how many events were called new with how many there are, by what was ever sent together.

        Returns:
            How many were called new too often, and how many too seldom though no answer was lost.
        """
        groups = Groups()
        for keys in (*(keys for keys, _ in self._answers), *self._doubted):
            groups.join(keys)
        new: Counter[Key] = Counter()
        for keys, accepted in self._answers:
            new[groups.of(keys[0])] += accepted
        doubted = {groups.of(keys[0]) for keys in self._doubted}
        sizes = Counter(groups.of(key) for key in self._begun)
        too_often = sum(max(0, new[group] - size) for group, size in sizes.items())
        too_seldom = sum(max(0, size - new[group]) for group, size in sizes.items() if group not in doubted)
        return too_often, too_seldom


class Groups:
    """Keys that belong together because something names both."""

    def __init__(self) -> None:
        self._parents: dict[Key, Key] = {}

    def of(self, key: Key) -> Key:
        """Give the key that stands for a group."""
        path = []
        while (parent := self._parents.setdefault(key, key)) != key:
            path.append(key)
            key = parent
        for passed in path:
            self._parents[passed] = key
        return key

    def join(self, keys: Sequence[Key]) -> None:
        """Put keys together."""
        first = self.of(keys[0])
        for key in keys[1:]:
            self._parents[self.of(key)] = first


def content_of(interaction: Interaction) -> dict[str, tuple[Any, ...]]:
    """Give the cells that its rows must hold, by table; Any: what a cell can be."""
    query, outcome = interaction.query, interaction.outcome
    asked = ("store_id", "session_id", "timestamp", "query_text", "intent", "transcription_confidence")
    became = (
        "answer_text",
        "latency_ms",
        "cost_usd",
        "tokens_prompt",
        "tokens_completion",
        "action_success",
        "error_flag",
    )
    rows: dict[str, tuple[Any, ...]] = {"voice_query": tuple(query.get(name) for name in asked)}
    if outcome is not None:
        rows["voice_outcome"] = tuple(outcome.get(name) for name in became)
    return rows


def by_kind(keys: Iterable[Key]) -> dict[str, set[str]]:
    """Sort keys by the kinds of their events."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind, id in keys:
        found[kind].add(id)
    return found
