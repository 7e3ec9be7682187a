"""What goes along with a copy and belongs to no interaction: alerts, and what isn't taken in any more.

All of it is small, changes without the feed, and is gone through whole: at the begin, while the target has erased nothing
of its own, and at the end. It isn't compared: both sides may go on with it.
"""

from collections import Counter
from collections.abc import Mapping

from aura_analytics.store.copying.side import Side

# By table: the statement that reads it, the one that writes it, and the columns between.
ALERTS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "alert_states": (
        "alert_states",
        "write_alert_states",
        ("rule", "state", "since", "looked_at", "value", "of"),
    ),
    "alert_messages": (
        "alert_messages",
        "write_alert_messages",
        ("id", "target", "rule", "kind", "body", "made_at", "due_at", "attempts", "delivered_at", "error"),
    ),
}
FORGOTTEN = ("hash", "until")
# What is counted and doesn't go along.
LEFT = ("forgotten_left", "early_outcomes_left")


def take_along(source: Side, target: Side) -> Counter[str]:
    """Take along what the target lacks, in one transaction of it; tell how many rows it were, by table.

    What isn't taken in any more is noted by hashes that only its own database's secret explains. A target that has erased
    nothing by itself gets the source's secret with it; one that has keeps its own, and the rows are counted as
    `forgotten_left`; so are outcomes that wait at the source for queries that haven't come there yet, as
    `early_outcomes_left`.
    """
    taken: Counter[str] = Counter()
    with target.changing():
        for table, (read, write, columns) in ALERTS.items():
            taken[table] = target.execute(write, [dict(zip(columns, row, strict=True)) for row in source.told(read)])
        taken += _forgotten(source, target)
    taken["early_outcomes_left"] = source.told("early_outcomes")[0][0]
    return taken


def _forgotten(source: Side, target: Side) -> Counter[str]:
    rows = source.told("forgotten")
    if not rows:
        return Counter()
    secret = source.told("secret")[0][0]
    target.execute("adopt_secret", [{"secret": secret}])
    if target.told("secret")[0][0] != secret:
        return Counter(forgotten_left=len(rows))
    named = [dict(zip(FORGOTTEN, row, strict=True)) for row in rows]
    return Counter(forgotten=target.execute("write_forgotten", named))
