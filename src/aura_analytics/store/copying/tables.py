"""What is copied: tables and their columns in the order of the statements, and the parts in which they are gone through.

What goes along without being of an interaction stands in `along.py`, what stays behind in `STAYS`, each with its reason.
"""

from typing import Literal

import msgspec

from aura_analytics.events.records import LABELS

TableName = Literal[
    "voice_queries",
    "voice_outcomes",
    "voice_evaluations",
    "voice_evaluation_history",
    "evaluation_queue",
    "voice_conversions",
]
# What a column holds: a flag is a small number, a count one of 32 bits, a whole one of 64.
Kind = Literal["text", "whole", "count", "flag", "real"]


class Column(msgspec.Struct, frozen=True):
    """A column. `instead` stands for what is none of its values; `among` lists those that the databases let in."""

    name: str
    kind: Kind = "text"
    instead: str | int | None = None
    among: tuple[str | None, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """A table; the first column is its key, by which all that belongs together is found."""

    name: TableName
    columns: tuple[Column, ...]

    def of_kinds(self, *kinds: Kind) -> tuple[int, ...]:
        """Give the places of the columns of some kinds."""
        return tuple(place for place, column in enumerate(self.columns) if column.kind in kinds)

    def places(self, *names: str) -> tuple[int, ...]:
        """Give the places of the named columns, as far as there are such."""
        return tuple(place for place, column in enumerate(self.columns) if column.name in names)


def _table(name: TableName, *columns: Column | str) -> Table:
    return Table(name, tuple(Column(column) if isinstance(column, str) else column for column in columns))


QUERIES = _table(
    "voice_queries",
    "id",
    Column("store_id", instead=""),
    "session_id",
    "user_id",
    Column("created_at", "whole", 0),
    Column("query_text", instead=""),
    Column("transcription_conf", "real"),
    "intent",
    Column("fast_path", "flag", 0),
    Column("query_source", instead="voice"),
    Column("audio_duration_ms", "whole"),
    "correlation_id",
    Column("received_at", "whole"),
    "extra",
)
OUTCOMES = _table(
    "voice_outcomes",
    "query_id",
    "answer_text",
    "model_name",
    Column("latency_ms", "real"),
    Column("tokens_prompt", "whole"),
    Column("tokens_completion", "whole"),
    Column("cost_usd", "real"),
    "action_taken",
    Column("action_success", "flag"),
    Column("error_flag", "flag"),
    "tool_calls",
    "error_message",
    Column("tokens_total", "whole"),
    Column("occurred_at", "whole"),
    Column("received_at", "whole"),
    "correlation_id",
    "extra",
)
# By which instructions a label was given, and what it took.
COST_OF_A_LABEL = (
    "rubric",
    Column("tokens_prompt", "whole"),
    Column("tokens_completion", "whole"),
    Column("cost_usd", "real"),
    Column("duration_ms", "real"),
)
EVALUATIONS = _table(
    "voice_evaluations",
    "query_id",
    Column("label", among=LABELS),
    "reason",
    Column("confidence_score", "real"),
    Column("evaluated_at", "whole", 0),
    Column("evaluated_by", instead="auto", among=("auto", "human", None)),
    "method",
    "explanation",
    *COST_OF_A_LABEL,
)
HISTORY = _table(
    "voice_evaluation_history",
    "query_id",
    Column("label", instead=""),
    "reason",
    Column("confidence_score", "real"),
    Column("evaluated_at", "whole", 0),
    "evaluated_by",
    "method",
    "explanation",
    *COST_OF_A_LABEL,
)
# Without the lease: a claim that is open there is due here at its lease's end.
QUEUE = _table(
    "evaluation_queue",
    "query_id",
    Column("due_at", "whole", 0),
    Column("attempts", "count", 0),
    "last_error",
    Column("failed_at", "whole"),
)
CONVERSIONS = _table(
    "voice_conversions",
    "id",
    "query_id",
    "session_id",
    "store_id",
    Column("occurred_at", "whole", 0),
    Column("received_at", "whole"),
    Column("value", "real"),
    "currency",
    "order_id",
    "correlation_id",
    "extra",
)

# What isn't copied, and why.
STAYS = {
    "alert_turn": "who looks at alerts just now",
    "api_keys": "keys are made anew: what opens one database isn't to open another one by itself",
    "archive_days": "the files of an archive lie beside one database; what they hold is put back first, or stays",
    "archive_files": "as `archive_days`",
    "archive_leftovers": "as `archive_days`",
    "archived_ids": "as `archive_days`",
    "archived_sessions": "as `archive_days`",
    "audit_log": "the log of one installation",
    "change_feed": "it tells of one database's own transactions",
    "change_followers": "they follow one database's feed",
    "copy_progress": "what was copied into one database",
    "database_identity": "it tells one database from another one",
    "early_outcomes": "each waits for a query that is still to come to the database it was sent to; a copy counts them",
    "erasures": "the log of one installation; what they erased is gone, and what they keep away goes along",
    "judge_allowance": "what one installation may still ask of a model",
    "judge_batches": "their claims stay behind, as all leases do",
    "judge_calls": "the log of one installation; what a label cost is with the label",
    "kept_totals": "sums of what was deleted belong to the database that they were counted in",
    "migration_metadata": "each database has its own",
    "page_sessions": "they end with the keys, which stay behind",
    "rate_buckets": "what callers have sent within seconds",
    "review_leases": "who looks at what just now",
    "seen_signatures": "signed requests are taken for five minutes, by keys that stay behind",
    "voice_stats_hourly": "sums of what is copied: the target's columns write them anew",
}

OF_AN_INTERACTION = (QUERIES, OUTCOMES, EVALUATIONS, HISTORY, QUEUE)
TABLES = (*OF_AN_INTERACTION, CONVERSIONS)


class Stage(msgspec.Struct, frozen=True):
    """A part of all there is: the rows of one table in an order, each with what is copied along with it."""

    walked: TableName
    tables: tuple[Table, ...]
    numbered: bool = False  # by the order of arrival, and else by the key


# Interactions first. After them, walks over the other tables find what belongs to no query that is there.
STAGES = (
    Stage("voice_queries", OF_AN_INTERACTION, numbered=True),
    Stage("voice_outcomes", OF_AN_INTERACTION),
    Stage("voice_evaluations", OF_AN_INTERACTION),
    Stage("voice_evaluation_history", OF_AN_INTERACTION),
    Stage("voice_conversions", (CONVERSIONS,), numbered=True),
)
# The work, which changes without being told of. Gone through again at the end of each copy.
QUEUE_STAGE = Stage("evaluation_queue", (QUEUE,))
