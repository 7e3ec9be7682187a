"""The tally of a run: how much became what."""

from collections import Counter

import msgspec


class Tally(msgspec.Struct, kw_only=True):
    """What one run did; grows while it runs.

    `labels` by label; `postponed`: asked about without success, to be tried again; `paused`: put off without asking;
    `left`: not in the sample; `failed`: given up.
    """

    labels: Counter[str] = msgspec.field(default_factory=Counter)
    postponed: int = 0
    paused: int = 0
    left: int = 0
    failed: int = 0

    @property
    def labelled(self) -> int:
        """How many got a label."""
        return sum(self.labels.values())

    @property
    def handled(self) -> int:
        """How many were looked at, whatever became of them."""
        return self.labelled + self.postponed + self.paused + self.left + self.failed

    def counts(self) -> dict[str, int]:
        """Give everything but the labels, by name."""
        names = ("postponed", "paused", "left", "failed")
        return {name: getattr(self, name) for name in names}
