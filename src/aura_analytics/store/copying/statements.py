"""The statements that copying needs for each table, out of a dialect's own."""

from collections.abc import Mapping

import msgspec

from aura_analytics.store.copying.tables import TableName

NOUNS: dict[TableName, str] = {
    "voice_queries": "queries",
    "voice_outcomes": "outcomes",
    "voice_evaluations": "evaluations",
    "voice_evaluation_history": "history",
    "evaluation_queue": "queue",
    "voice_conversions": "conversions",
}


class Statements(msgspec.Struct, frozen=True):
    """By table: read the rows of some ids, write rows, and walk to the next ids."""

    read: dict[TableName, str]
    write: dict[TableName, str]
    walk: dict[TableName, str]


def statements_of(named: Mapping[str, str]) -> Statements:
    """Find the statements by their names: `queries`, `write_queries`, `next_queries`."""
    return Statements(
        read={table: named[noun] for table, noun in NOUNS.items()},
        write={table: named[f"write_{noun}"] for table, noun in NOUNS.items()},
        walk={table: named[f"next_{noun}"] for table, noun in NOUNS.items()},
    )
