"""One interaction out of the rows that hold its parts."""

from collections.abc import Iterable

from msgspec.structs import replace

from aura_analytics.events.records import Interaction, InteractionDetails
from aura_analytics.store.past import history_of, whole_row
from aura_analytics.store.queries import Row
from aura_analytics.store.shelved import Rows
from aura_analytics.store.tolerance import (
    conversion_of,
    extra_of,
    interaction_of,
    number_of,
    text_of,
    verdict_of,
)

# What a claim carries of an interaction; the rest of a row of `whole` is only for readers.
CLAIMED = 24


def details_of(
    whole: Row, *, verdicts: Iterable[Row], history: Iterable[Row], conversions: Iterable[Row]
) -> InteractionDetails:
    """Read an interaction: a row of `whole`, and the rows of its verdict, of those before it, and of its conversions."""
    found = _whole(whole)
    return InteractionDetails(
        query=found.query,
        outcome=found.outcome,
        verdict=next((verdict_of(row) for row in verdicts), None),
        history=[verdict_of(row) for row in history],
        conversions=[conversion_of(row) for row in conversions],
    )


def past_details(rows: Rows, conversions: Iterable[Row]) -> InteractionDetails:
    """Read an interaction that lies in the archive."""
    return details_of(
        whole_row(rows),
        verdicts=rows.get("voice_evaluations", []),
        history=history_of(rows),
        conversions=conversions,
    )


def _whole(row: Row) -> Interaction:
    """Read a row of `whole`; a moment that wasn't noted is that of the query."""
    found = interaction_of(row[:CLAIMED])
    received_at, correlation_id, extra, *of_outcome = row[CLAIMED:]
    query = replace(
        found.query,
        received_at=number_of(received_at) or found.query.received_at,
        correlation_id=text_of(correlation_id),
        extra=extra_of(extra),
    )
    if found.outcome is None:
        return Interaction(query=query)
    occurred_at, received_at, correlation_id, extra = of_outcome
    outcome = replace(
        found.outcome,
        occurred_at=number_of(occurred_at) or found.outcome.occurred_at,
        received_at=number_of(received_at) or found.outcome.received_at,
        correlation_id=text_of(correlation_id),
        extra=extra_of(extra),
    )
    return Interaction(query=query, outcome=outcome)
