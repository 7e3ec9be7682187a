"""What the contract's words mean, as conditions on a row of the wide table.

`$answered_until` is a moment: a query from before it that has no outcome won't get one any more.
"""

SLOW_MS = 8_000

IS_SUCCESSFUL = "coalesce(action_success, false)"
IS_FAILED = "(coalesce(NOT action_success, false) OR coalesce(error_flag, false))"

# Why an interaction counts as unanswered: the reason, and its condition on a row.
REASONS = {
    "error": "coalesce(error_flag, false)",
    "action_failed": "coalesce(NOT action_success, false)",
    "bad_quality": "coalesce(label = 'BAD', false)",
    "needs_review": "coalesce(label = 'REVIEW', false)",
    "slow_response": f"coalesce(latency_ms > {SLOW_MS}, false)",
    "no_response": "(NOT has_outcome AND created_at <= $answered_until)",
}
IS_UNANSWERED = "(" + " OR ".join(REASONS.values()) + ")"
# A slow answer is an answer: the rate leaves it out.
IS_UNANSWERED_FOR_RATE = "(" + " OR ".join(REASONS[reason] for reason in REASONS if reason != "slow_response") + ")"

# A caller that knows the parts says more than one that knows only their sum. Two of them may be more than 64 bits hold.
TOKENS = (
    "coalesce(tokens_total::HUGEINT, coalesce(tokens_prompt, 0)::HUGEINT + coalesce(tokens_completion, 0)::HUGEINT)"
)
