"""Rules tried on what is stored: what each would decide, what is left, and which labels would be others. Nothing changes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import msgspec

from aura_analytics.evaluation.judgement import NO_JUDGE, Judgement
from aura_analytics.evaluation.rule import Rule
from aura_analytics.events.records import Interaction, Verdict
from aura_analytics.store import Store
from aura_analytics.store.port import WideRow
from aura_analytics.store.tolerance import interaction_of

# Who gave a label that stands; of those from before methods were noted nobody knows.
Maker = Literal["rules", "judge", "people", "unknown"]

BATCH = 2_000


class Hits(msgspec.Struct, kw_only=True):
    """What one rule does: where it decides, where it would fit by itself, and who decides there before it."""

    decided: int = 0
    fitting: int = 0
    before: Counter[str] = msgspec.field(default_factory=Counter)


class Standing(msgspec.Struct, kw_only=True):
    """What the rules say of labels that stand: the same, another one, or nothing, so that a judge would be asked."""

    same: int = 0
    differing: int = 0
    left_to_judge: int = 0


class Change(msgspec.Struct, frozen=True):
    """A label of the rules that wouldn't be given again, and what would be; None where a judge would be asked."""

    label: str
    reason: str
    new_label: str | None
    new_reason: str | None


class Rehearsal:
    """Asks all rules about interactions, one by one, and counts.

    Args:
        rules: in their order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.interactions = 0
        self.left = 0
        self.hits = {rule.reason: Hits() for rule in rules}
        self.standing: dict[Maker, Standing] = {maker: Standing() for maker in get_args(Maker)}
        self.changes: Counter[Change] = Counter()

    def add(self, interaction: Interaction, verdict: Verdict | None) -> None:
        """Count one interaction, and hold the rules against the label that it has."""
        self.interactions += 1
        fitting = [rule for rule in self.rules if rule.fits(interaction)]
        if not fitting:
            self.left += 1
        for rule in fitting:
            hits = self.hits[rule.reason]
            hits.fitting += 1
            if rule is fitting[0]:
                hits.decided += 1
            else:
                hits.before[fitting[0].reason] += 1
        if verdict is not None:
            self._compare(_judgement(fitting), verdict)

    def _compare(self, now: Judgement | None, verdict: Verdict) -> None:
        maker = _maker(verdict)
        standing = self.standing[maker]
        if now is None and not (maker == "rules" and verdict.reason == NO_JUDGE.reason):
            standing.left_to_judge += 1
        elif now is None or now.label == verdict.label:
            standing.same += 1
            return
        else:
            standing.differing += 1
        if maker == "rules":
            new = (now.label, now.reason) if now else (None, None)
            self.changes[Change(verdict.label, verdict.reason, *new)] += 1


def _judgement(fitting: Sequence[Rule]) -> Judgement | None:
    return Judgement(fitting[0].label, fitting[0].reason, fitting[0].confidence) if fitting else None


def _maker(verdict: Verdict) -> Maker:
    if verdict.evaluated_by == "human":
        return "people"
    if verdict.method == "rules":
        return "rules"
    return "judge" if verdict.method else "unknown"


async def rehearse(
    store: Store,
    rules: Sequence[Rule],
    *,
    wanted: Callable[[Interaction], bool],
    on_progress: Callable[[int], None],
) -> Rehearsal:
    """Try rules on what is stored, a batch at a time; the store may be in use meanwhile.

    Args:
        store: is only read.
        rules: in their order.
        wanted: tells which interactions count.
        on_progress: told after each batch how many were read.

    Raises:
        StoreUnavailable: the store can't be read.
    """
    rehearsal, read = Rehearsal(rules), 0
    async for rows in store.snapshot(BATCH):
        chosen = [one for one in map(_interaction, rows) if wanted(one)]
        verdicts = await _verdicts(store, [one.query.id for one in chosen])
        for one in chosen:
            rehearsal.add(one, verdicts.get(one.query.id))
        read += len(rows)
        on_progress(read)
    return rehearsal


async def _verdicts(store: Store, ids: Sequence[Any]) -> dict[str, Verdict]:
    """Read the labels that stand. Any: what others have stored may have anything for its key."""
    texts = [id for id in ids if isinstance(id, str)]
    return {verdict.query_id: verdict for verdict in await store.verdicts(texts)} if texts else {}


def _interaction(row: WideRow) -> Interaction:
    """Read a joined row: it says that there is an outcome where the other form names its key."""
    return interaction_of((*row[:11], row[0] if row[11] else None, *row[12:]))
