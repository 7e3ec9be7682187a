"""What is kept of persons: what is masked before it is stored, and whether erasures have come to their end."""

from collections.abc import Iterable

from aura_analytics.doctor.finding import Finding, ok, skipped, warning
from aura_analytics.ingest.redacting import store_kinds
from aura_analytics.settings import Settings
from aura_analytics.store.inspection import Inspection


async def masked(settings: Settings) -> Iterable[Finding]:
    """Say what is taken out of texts.

    Raises:
        SettingsError: what is to be taken out of which store's texts can't be read.
    """
    named = [f"{store}: {', '.join(sorted(kinds)) or 'nothing'}" for store, kinds in store_kinds(settings).items()]
    told = [*([settings.redact] if settings.redact else []), *named]
    if not told:
        return [skipped("masking", "texts are stored as they come", "REDACT takes out what tells who somebody is")]
    return [ok("masking", "; ".join(told))]


def erased(seen: Inspection) -> Iterable[Finding]:
    """Say which erasures were broken off."""
    if seen.unended:
        advice = "aura-analytics forget, said again for the same person, goes on where it was"
        yield warning("erasures", f"{seen.unended:,} were begun and have not ended", advice)
