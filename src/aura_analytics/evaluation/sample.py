"""The sample: which interactions the judge is asked about, where it isn't asked about all. No I/O."""

import hashlib

from aura_analytics.events.records import Interaction

_SPAN = 1 << 64


def is_chosen(interaction: Interaction, rate: float) -> bool:
    """Tell whether the judge is asked: about every failure, and about this share (0…1) of all others.

    It goes by the id alone, so that it is the same in every process and at every time, and who is chosen at a lower rate
    is chosen at a higher one too.
    """
    return rate >= 1 or _failed(interaction) or share_of(interaction.query.id) < rate


def share_of(query_id: str) -> float:
    """Give where an id lies from 0 (included) to 1, as evenly spread as SHA-256 is."""
    return (int.from_bytes(hashlib.sha256(query_id.encode("utf-8", "surrogatepass")).digest()[:8]) >> 11) / (
        _SPAN >> 11
    )


def _failed(interaction: Interaction) -> bool:
    outcome = interaction.outcome
    return outcome is None or bool(outcome.error_flag) or outcome.action_success is False
