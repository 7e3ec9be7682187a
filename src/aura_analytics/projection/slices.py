"""Which interactions a question is about: a window of time, and what they have in common."""

from typing import Any

import msgspec

# How a caller asks for interactions that have no intent, no label and so on.
ABSENT = "(none)"

# The column behind each filter of several values.
CHOICES = {
    "stores": "store_id",
    "intents": "intent",
    "models": "model_name",
    "sources": "query_source",
    "labels": "label",
    "reasons": "reason",
    "actions": "action_taken",
}
# The column behind each filter of one value.
EXACT = {"user": "user_id", "session": "session_id"}
# The column and the comparison behind each bound; both ends are included, and an absent value is never within.
BOUNDS = {
    "latency_min": "latency_ms >=",
    "latency_max": "latency_ms <=",
    "confidence_min": "transcription_conf >=",
    "confidence_max": "transcription_conf <=",
}
KINDS = ("intents", "models", "sources", "labels", "actions")


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """A window of epoch milliseconds with both ends included, and filters that all hold; what is None asks for nothing.

    `text` is looked for in what was said, whatever its case. `confidence` is the speech recogniser's.
    """

    start: int | None = None
    end: int | None = None
    stores: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    user: str | None = None
    session: str | None = None
    text: str | None = None
    latency_min: float | None = None
    latency_max: float | None = None
    confidence_min: float | None = None
    confidence_max: float | None = None

    @property
    def filters(self) -> frozenset[str]:
        """The names of the filters that ask for something."""
        return frozenset(name for name in (*CHOICES, *EXACT, *BOUNDS, "text") if getattr(self, name) not in (None, ()))

    @property
    def one_store(self) -> str | None:
        """The store, where exactly one is asked for."""
        return self.stores[0] if len(self.stores) == 1 else None

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of `where`. Any: DuckDB binds texts, numbers and lists alike."""
        given: dict[str, Any] = {"start": self.start, "end": self.end}
        for name in self.filters:
            value = getattr(self, name)
            given[f"f_{name}"] = [one for one in value if one != ABSENT] if isinstance(value, tuple) else value
        if "stores" in self.filters and self.one_store is not None:
            given["f_stores"] = self.one_store
        return given

    def conditions(self, *, window: bool = True) -> list[str]:
        """Give the conditions on a row of the wide table, over the names of `parameters`."""
        found = []
        if window and self.start is None and self.end is None:
            found.append("created_at IS NOT NULL")  # a moment that can't be read lies in no window
        if window and self.start is not None:
            found.append("created_at >= $start")
        if window and self.end is not None:
            found.append("created_at <= $end")
        return found + [self.condition(name) for name in sorted(self.filters)]

    def where(self, *, window: bool = True) -> str:
        """Give the conditions as one."""
        return " AND ".join(self.conditions(window=window)) or "true"

    def condition(self, name: str) -> str:
        """Give the condition of one filter."""
        if name == "text":
            return "contains(lower(query_text), lower($f_text))"
        if name in BOUNDS:
            return f"{BOUNDS[name]} $f_{name}"
        if name in EXACT:
            return f"{EXACT[name]} = $f_{name}"
        column = CHOICES[name]
        if name == "stores" and self.one_store is not None:
            return f"{column} = $f_{name}"
        among = f"coalesce(list_contains($f_{name}::VARCHAR[], {column}), false)"
        return f"({among} OR {column} IS NULL)" if ABSENT in getattr(self, name) else among
