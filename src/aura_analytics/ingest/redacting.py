"""Taking out of events what tells who somebody is, before they are stored: everywhere the same, or as each store wants it."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from aura_analytics.errors import SettingsError
from aura_analytics.events.records import Event, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.settings import REDACTED, Settings

if TYPE_CHECKING:
    from aura_analytics.guard.redaction import Kind, Redaction

# The fields that hold what was said, or whatever the caller put into them. Ids and names of shops, intents and models
# stay: the statistics are made of them.
_SAID: dict[type[msgspec.Struct], tuple[str, ...]] = {
    VoiceQuery: ("query_text", "extra"),
    VoiceOutcome: ("answer_text", "error_message", "tool_calls", "extra"),
}
_ELSE = ("extra",)

Kinds = frozenset[str]
EXAMPLE = "shop-1=email,phone;shop-2=all, or JSON such as {“shop-1”: “email,phone”}"


class Rows(Protocol):
    """What is asked of the row database."""

    async def stores_of(self, query_ids: Sequence[str]) -> dict[str, str]:
        """Give the stores of these interactions, as far as they are there."""


class Redactions:
    """What is taken out in which store. `others` is for the stores that aren't named."""

    def __init__(self, named: Mapping[str, Kinds], others: Kinds, regions: Sequence[str]) -> None:
        # Imported here: the numbering plans of the world take a moment to load.
        from aura_analytics.guard.redaction import KINDS, Redaction  # noqa: PLC0415

        def made(kinds: Kinds) -> "Redaction | None":
            wanted: list[Kind] = [kind for kind in KINDS if kind in kinds]
            return Redaction(wanted, regions=regions) if wanted else None

        by_kinds = {kinds: made(kinds) for kinds in (*named.values(), others, others.union(*named.values()))}
        self._named = {store: by_kinds[kinds] for store, kinds in named.items()}
        self._others = by_kinds[others]
        self._strictest = by_kinds[others.union(*named.values())]
        self.by_store = bool(named)

    def of(self, event: Event, stores: Mapping[str, str]) -> "Redaction | None":
        """Give what an event is masked with: by its store, or that of its query; where that isn't known, by all there is."""
        if not self.by_store:
            return self._others
        store = event.store_id if isinstance(event, VoiceQuery | VoiceConversion) else None
        if store is None and not isinstance(event, VoiceQuery):
            store = stores.get(event.query_id or "")
        return self._strictest if store is None else self._named.get(store, self._others)


def make_redaction(settings: Settings) -> Redactions | None:
    """Make what the settings ask for; None where nothing is taken out.

    Raises:
        SettingsError: the stores or what is taken out of theirs can't be read.
    """
    named, others = store_kinds(settings), _split(settings.redact)
    if not others.union(*named.values()):
        return None
    return Redactions(named, others, settings.redact_phone_regions.replace(",", " ").split())


def store_kinds(settings: Settings) -> dict[str, Kinds]:
    """Read what is taken out of the texts of which stores.

    Raises:
        SettingsError: it can't be read; the message names the store and what it may have.
    """
    text = settings.redact_stores.strip()
    told = _from_json(text) if text.startswith("{") else _from_pairs(text)
    return {store: _kinds(store, kinds) for store, kinds in told.items()}


async def stores_of(events: Sequence[Event], redactions: Redactions | None, rows: Rows) -> dict[str, str]:
    """Give the stores of the queries that events name which name no store themselves, as far as these are known."""
    if redactions is None or not redactions.by_store:
        return {}
    here = {event.id: event.store_id for event in events if isinstance(event, VoiceQuery)}
    named = {event.query_id for event in events if not isinstance(event, VoiceQuery) and event.query_id is not None}
    # What is stored already counts: of two queries of one id, the first one stands.
    return here | (await rows.stores_of(sorted(named)) if named else {})


def redacted(
    events: Sequence[Event], redactions: Redactions | None, stores: Mapping[str, str] | None = None
) -> list[Event]:
    """Mask the texts of events; one with nothing to mask stays the same object.

    Args:
        events: any mix.
        redactions: None leaves them as they are.
        stores: of queries, by their ids (`stores_of`).
    """
    if redactions is None:
        return list(events)
    return [_redacted(event, redactions.of(event, stores or {})) for event in events]


def _redacted(event: Event, redaction: "Redaction | None") -> Event:
    if redaction is None:
        return event
    changed = {}
    for field in _SAID.get(type(event), _ELSE):
        value = getattr(event, field)
        if value is not None and (masked := redaction.value(value)) is not value:
            changed[field] = masked
    return msgspec.structs.replace(event, **changed) if changed else event


def _from_json(text: str) -> dict[str, str | list[str]]:
    try:
        return msgspec.json.decode(text, type=dict[str, str | list[str]])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(f"REDACT_STORES is no JSON of stores and what is taken out; it takes {EXAMPLE}") from error


def _from_pairs(text: str) -> dict[str, str | list[str]]:
    told: dict[str, str | list[str]] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        store, equals, kinds = pair.rpartition("=")
        if not equals or not store.strip():
            raise SettingsError(f"REDACT_STORES has “{pair}”; it takes {EXAMPLE}")
        if store.strip() in told:
            raise SettingsError(f"REDACT_STORES names {store.strip()} twice")
        told[store.strip()] = kinds
    return told


def _kinds(store: str, told: str | Collection[str]) -> Kinds:
    given = _split(told if isinstance(told, str) else " ".join(told))
    if unknown := sorted(given - {*REDACTED, "all", "none"}):
        raise SettingsError(
            f"REDACT_STORES has “{unknown[0]}” for {store}; it takes {', '.join(REDACTED)}, all or none"
        )
    if not given or (len(given) > 1 and given & {"all", "none"}):
        raise SettingsError(f"REDACT_STORES says for {store} neither all, none, nor which of {', '.join(REDACTED)}")
    return frozenset(REDACTED) if given == {"all"} else given - {"none"}


def _split(text: str) -> Kinds:
    return frozenset(text.replace(",", " ").split())
