"""Where a figure belongs: to the step of a series, and to a group of interactions. As SQL, for whatever has moments."""

from collections.abc import Sequence

import msgspec

from aura_analytics.projection import Buckets
from aura_analytics.projection.cubes import floored
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import Steps

# The group of all that is in no group of its own.
REST = 0

# The two columns that say where a row belongs: `step`, and `place`, the number of the group.
PLACED = "{step} AS step, {place} AS place"
# Which step a moment lies in: the last one that starts before it.
STEP_OF = """
ASOF JOIN (SELECT unnest($starts::BIGINT[]) AS start_at, generate_subscripts($starts::BIGINT[], 1) - 1 AS step) AS steps
ON {at} >= steps.start_at
"""
# Which group a value makes; an absent one may make a group as well.
PLACE_OF = """
LEFT JOIN (
    SELECT unnest($groups::VARCHAR[]) AS value, generate_subscripts($groups::VARCHAR[], 1) AS place
) AS places ON places.value IS NOT DISTINCT FROM source.{split}
"""


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted: a scope, its steps where there are any, and the values of the column `split` that make groups.

    With steps, the scope's window begins and ends where they do, or inside of them.
    """

    scope: Scope
    steps: Steps | None = None
    split: str | None = None
    groups: Sequence[str | None] = ()

    @property
    def buckets(self) -> Buckets | None:
        """The units that cells are asked by."""
        return self.steps.buckets if self.steps else None

    def placed(self, source: str, at: str) -> str:
        """Give the FROM of a source whose rows lie at moments, with its step and its group joined to it."""
        steps = STEP_OF.format(at=at) if self.steps else ""
        return f"{source} AS source {steps} {PLACE_OF.format(split=self.split) if self.split else ''}"

    @property
    def names(self) -> str:
        """Give the two columns that say where a row belongs."""
        return PLACED.format(
            step="steps.step" if self.steps else "0", place="coalesce(places.place, 0)" if self.split else "0"
        )

    @property
    def unit_ms(self) -> int:
        """How long a unit is."""
        return self.buckets.unit_ms if self.buckets else 1

    def unit(self, moment: str) -> str:
        """Give the SQL of the start of the unit that a moment lies in; without steps all lie in one."""
        return f"({floored(moment, self.unit_ms)}) * {self.unit_ms}" if self.steps else "0"
