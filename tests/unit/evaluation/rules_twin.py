"""The rules as they were written in code, before they were a file: what the file is held against."""

from collections.abc import Callable, Sequence

import msgspec

from aura_analytics.evaluation.judgement import Judgement
from aura_analytics.events.records import Interaction, Label, VoiceOutcome, VoiceQuery

EXTREME_LATENCY_MS = 10_000
HIGH_LATENCY_MS = 8_000
FAST_LATENCY_MS = 5_000
SHORTEST_TEXT = 3


class Rule(msgspec.Struct, frozen=True):
    """A condition, and the judgement where it fits. `confidence` is 0…1."""

    reason: str
    label: Label
    confidence: float
    fits: Callable[[Interaction], bool]


def _of_query(condition: Callable[[VoiceQuery], bool]) -> Callable[[Interaction], bool]:
    return lambda interaction: condition(interaction.query)


def _of_outcome(condition: Callable[[VoiceOutcome], bool]) -> Callable[[Interaction], bool]:
    """Make a condition on the outcome; it doesn't fit where there is none."""
    return lambda interaction: interaction.outcome is not None and condition(interaction.outcome)


def _below(value: float | None, bound: float) -> bool:
    """Compare with a bound; what isn't known is on neither side of it."""
    return value is not None and value < bound


def _above(value: float | None, bound: float) -> bool:
    return value is not None and value > bound


DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(
        "very_low_transcription_confidence", "BAD", 0.9, _of_query(lambda query: _below(query.transcription_conf, 0.5))
    ),
    Rule("query_too_short", "BAD", 0.9, _of_query(lambda query: len(query.query_text) < SHORTEST_TEXT)),
    Rule("low_transcription_confidence", "REVIEW", 0.7, _of_query(lambda query: _below(query.transcription_conf, 0.8))),
    Rule(
        "high_confidence_fast_path",
        "GOOD",
        0.8,
        _of_query(lambda query: query.fast_path and _above(query.transcription_conf, 0.95)),
    ),
    Rule("error_occurred", "BAD", 0.95, _of_outcome(lambda outcome: bool(outcome.error_flag))),
    Rule("extreme_latency", "BAD", 0.9, _of_outcome(lambda outcome: _above(outcome.latency_ms, EXTREME_LATENCY_MS))),
    Rule("high_latency", "REVIEW", 0.8, _of_outcome(lambda outcome: _above(outcome.latency_ms, HIGH_LATENCY_MS))),
    Rule(
        "action_failed",
        "REVIEW",
        0.8,
        _of_outcome(lambda outcome: outcome.action_was_taken and outcome.action_success is False),
    ),
    Rule(
        "successful_fast_action",
        "GOOD",
        0.85,
        _of_outcome(lambda outcome: outcome.action_success is True and _below(outcome.latency_ms, FAST_LATENCY_MS)),
    ),
)


def judge_by_rules(interaction: Interaction, rules: Sequence[Rule] = DEFAULT_RULES) -> Judgement | None:
    """Give the judgement of the first rule that fits, or None where a judge has to look."""
    for rule in rules:
        if rule.fits(interaction):
            return Judgement(rule.label, rule.reason, rule.confidence)
    return None
