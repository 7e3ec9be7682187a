"""Taking out of events what tells who somebody is, before they are stored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from aura_analytics.events.records import Event, VoiceOutcome, VoiceQuery
from aura_analytics.settings import Settings

if TYPE_CHECKING:
    from aura_analytics.guard.redaction import Redaction

# The fields that hold what was said, or whatever the caller put into them. Ids and names of shops, intents and models
# stay: the statistics are made of them.
_SAID: dict[type[msgspec.Struct], tuple[str, ...]] = {
    VoiceQuery: ("query_text", "extra"),
    VoiceOutcome: ("answer_text", "error_message", "tool_calls", "extra"),
}
_ELSE = ("extra",)


def make_redaction(settings: Settings) -> "Redaction | None":
    """Make what the settings ask for; None where nothing is taken out."""
    if not settings.redact:
        return None
    # Imported here: the numbering plans of the world take a moment to load.
    from aura_analytics.guard.redaction import KINDS, Redaction  # noqa: PLC0415

    wanted = settings.redact.replace(",", " ").split()
    kinds = [kind for kind in KINDS if kind in wanted]
    regions = settings.redact_phone_regions.replace(",", " ").split()
    return Redaction(kinds, regions=regions)


def redacted(events: Sequence[Event], redaction: "Redaction | None") -> list[Event]:
    """Mask the texts of events; one with nothing to mask stays the same object."""
    if redaction is None:
        return list(events)
    return [_redacted(event, redaction) for event in events]


def _redacted(event: Event, redaction: "Redaction") -> Event:
    changed = {}
    for field in _SAID.get(type(event), _ELSE):
        value = getattr(event, field)
        if value is not None and (masked := redaction.value(value)) != value:
            changed[field] = masked
    return msgspec.structs.replace(event, **changed) if changed else event
