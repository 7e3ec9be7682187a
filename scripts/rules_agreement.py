"""How the rules' labels agree with people: fills the table in docs/evaluation.md from labelled recordings.

    python scripts/rules_agreement.py EVENTS.ndjson.gz REFERENCE.ndjson.gz [--write docs/evaluation.md]

EVENTS are documented events, a query and an outcome for each interaction; REFERENCE holds `query_id` and
`intent_correct` for each.
"""

import argparse
import gzip
import json
from collections import Counter
from pathlib import Path

import msgspec

from aura_analytics.evaluation.rules import judge_by_rules
from aura_analytics.events.decode import Limits, decode_events, split_lines
from aura_analytics.events.records import Interaction, Label, VoiceOutcome, VoiceQuery

BEGIN, END = "<!-- begin: rules_agreement.py -->", "<!-- end -->"
FLAGGED = {"BAD": {"BAD"}, "REVIEW": {"REVIEW"}, "BAD or REVIEW": {"BAD", "REVIEW"}}


def main() -> None:
    """Print the tables, or put them into a document."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("events", type=Path)
    arguments.add_argument("reference", type=Path)
    arguments.add_argument("--write", type=Path, help="the document to put the tables into")
    given = arguments.parse_args()
    tell(report(interactions(given.events), truth(given.reference)), given.write, BEGIN, END)


def tell(text: str, document: Path | None, begin: str, end: str) -> None:
    """Print a text, or put it between two marks of a document."""
    if document is None:
        print(text)
        return
    before, _, rest = document.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")


def interactions(path: Path) -> list[Interaction]:
    """Read the events and join them."""
    events = decode_events(split_lines(gzip.decompress(path.read_bytes())), limits=Limits()).events
    outcomes = {event.query_id: event for event in events if isinstance(event, VoiceOutcome)}
    queries = [event for event in events if isinstance(event, VoiceQuery)]
    return [Interaction(query=query, outcome=outcomes.get(query.id)) for query in queries]


def truth(path: Path) -> dict[str, bool]:
    """Read whether the intent of each interaction was the one that people gave."""
    lines = gzip.decompress(path.read_bytes()).splitlines()
    return {one["query_id"]: one["intent_correct"] for one in map(json.loads, lines)}


def report(found: list[Interaction], intent_correct: dict[str, bool]) -> str:
    """Write both tables and the counts by rule."""
    heard = [without_success(interaction) for interaction in found]
    parts = [
        (
            f"{len(found):,} interactions, of which {sum(not correct for correct in intent_correct.values()):,} "
            "got a wrong intent."
        ),
        "Rules that can't see whether the action succeeded (the honest comparison):",
        agreement(heard, intent_correct),
        "All rules, with `action_success` as recorded (which here *is* the truth, so `action_failed` can't be wrong):",
        agreement(found, intent_correct),
        "What each rule hit, and how often the intent was wrong there:",
        by_rule(found, intent_correct),
    ]
    return "\n\n".join(parts)


def without_success(interaction: Interaction) -> Interaction:
    """Hide whether the action succeeded."""
    if interaction.outcome is None:
        return interaction
    outcome = msgspec.structs.replace(interaction.outcome, action_success=None)
    return msgspec.structs.replace(interaction, outcome=outcome)


def agreement(found: list[Interaction], intent_correct: dict[str, bool]) -> str:
    """Write precision and recall of each label as a detector of wrong intents."""
    labels = [(label_of(one), not intent_correct[one.query.id]) for one in found]
    wrong = sum(is_wrong for _, is_wrong in labels)
    rows = [
        "| label | flagged | of them wrong | precision | recall | F1 |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, flags in FLAGGED.items():
        flagged = [is_wrong for label, is_wrong in labels if label in flags]
        hits = sum(flagged)
        precision = hits / len(flagged) if flagged else 0.0
        recall = hits / wrong if wrong else 0.0
        f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
        rows.append(f"| {name} | {len(flagged):,} | {hits:,} | {precision:.3f} | {recall:.3f} | {f1:.3f} |")
    rows.append(f"| *(all)* | {len(labels):,} | {wrong:,} | {wrong / len(labels):.3f} | 1.000 | |")
    return "\n".join(rows)


def by_rule(found: list[Interaction], intent_correct: dict[str, bool]) -> str:
    """Write what each rule hit."""
    hits: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    for one in found:
        judgement = judge_by_rules(one)
        key = (judgement.reason, judgement.label) if judgement else ("*(left to the judge)*", "–")
        hits[key] += 1
        wrong[key] += not intent_correct[one.query.id]
    rows = ["| reason | label | interactions | intent wrong |", "| --- | --- | ---: | ---: |"]
    rows += [
        f"| {reason} | {label} | {count:,} | {wrong[reason, label] / count:.1%} |"
        for (reason, label), count in hits.most_common()
    ]
    return "\n".join(rows)


def label_of(interaction: Interaction) -> Label | None:
    """Give the rules' label, or None where they leave it to the judge."""
    judgement = judge_by_rules(interaction)
    return judgement.label if judgement else None


if __name__ == "__main__":
    main()
