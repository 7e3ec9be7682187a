"""How often the interval of the corrected BAD rate holds the truth, and how much narrower it is than people's alone.

    python scripts/correction_coverage.py [--labels 200] [--recorded EVENTS REFERENCE] [--write docs/evaluation.md]

Populations of which all is known, in the size of the recorded ones and of a larger shop's, are labelled by made-up judges;
then some interactions are drawn, again and again, and only of these the truth is used. It is seeded: two runs print the same.
"""

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import msgspec
import rules_agreement

from aura_analytics.events.records import LABELS, Label
from aura_analytics.stats.agreement import Confusion, Kappa, Pair, confusion, kappa
from aura_analytics.stats.correction import Corrected, Counts, corrected, powered
from aura_analytics.stats.proportion import Share, Z, share

BEGIN, END = "<!-- begin: correction_coverage.py -->", "<!-- end: correction_coverage.py -->"
SEED = 20_240_229
BAD = LABELS.index("BAD")


class Judge(msgspec.Struct, frozen=True):
    """A judge: of a hundred that are GOOD, REVIEW and BAD in truth, how many it calls each of the three."""

    name: str
    says: tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]


class Population(msgspec.Struct, frozen=True):
    """How many there are, and how many of a thousand are GOOD, REVIEW and BAD."""

    size: int
    shares: tuple[int, int, int]


class Outcome(msgspec.Struct, frozen=True):
    """What one draw gave, the truth beside it, and whether κ of all lies in the drawn one's interval, if it has one."""

    true: float
    plain: Share
    corrected: Corrected
    unadjusted: tuple[float, float]
    kappa_holds: bool | None


JUDGES = (
    Judge("nearly always right", ((97, 2, 1), (4, 93, 3), (1, 3, 96))),
    Judge("good", ((90, 8, 2), (15, 75, 10), (5, 15, 80))),
    Judge("fair", ((80, 14, 6), (25, 50, 25), (12, 28, 60))),
    Judge("too kind", ((96, 4, 0), (50, 48, 2), (40, 30, 30))),
    Judge("guesses", ((70, 18, 12), (70, 18, 12), (70, 18, 12))),
)
POPULATIONS = (
    Population(7_575, (700, 80, 220)),
    Population(7_575, (850, 100, 50)),
    Population(50_000, (780, 100, 120)),
    Population(50_000, (900, 80, 20)),
)


def main() -> None:
    """Print the table, or put it into a document."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1_000)
    arguments.add_argument("--labels", type=int, default=200)
    arguments.add_argument("--recorded", type=Path, nargs=2, metavar=("EVENTS", "REFERENCE"), help="recorded ones too")
    arguments.add_argument("--write", type=Path, help="the document to put the table into")
    given = arguments.parse_args()
    text = report(list(populations(given.recorded)), given.draws, given.labels)
    rules_agreement.tell(text, given.write, BEGIN, END)


def populations(recorded: Sequence[Path] | None) -> Iterator[tuple[str, list[Pair]]]:
    """Give each population, labelled, and by whom."""
    if recorded:
        events, reference = recorded
        yield "the rules, recorded", by_rules(events, reference)
    for population in POPULATIONS:
        for judge in JUDGES:
            yield judge.name, labelled(population, judge, random.Random(f"{SEED} {population} {judge.name}"))


def by_rules(events: Path, reference: Path) -> list[Pair]:
    """Label recorded interactions by the rules, which mustn't see whether the action succeeded: here that is the truth."""
    correct = rules_agreement.truth(reference)
    heard = map(rules_agreement.without_success, rules_agreement.interactions(events))
    truth: dict[bool, Label] = {True: "GOOD", False: "BAD"}
    return [(rules_agreement.label_of(one) or "REVIEW", truth[correct[one.query.id]]) for one in heard]


def report(found: Sequence[tuple[str, list[Pair]]], draws: int, labels: int) -> str:
    """Write the table: a row for each population and judge."""
    rows = [
        f"{draws:,} draws of {labels} labels each; coverage is the share of draws whose 95 % interval holds the truth.",
        "",
        "| interactions | BAD | judge | κ | coverage: plain | corrected | the paper's own | of κ | width | worth labels |",
        "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    return "\n".join([*rows, *(_row(name, everything, draws, labels) for name, everything in found)])


def simulate(everything: Sequence[Pair], *, draws: int, labels: int) -> list[Outcome]:
    """Draw from a population; give what each draw said."""
    whole = confusion(everything)
    source = random.Random(f"{SEED} {whole}")
    drawn = (
        confusion(everything[place] for place in source.sample(range(len(everything)), labels)) for _ in range(draws)
    )
    of_all = kappa(whole)
    return [_outcome(whole, matrix, of_all.value if of_all else 0.0) for matrix in drawn]


def labelled(population: Population, judge: Judge, source: random.Random) -> list[Pair]:
    """Make the interactions of a population: what the judge says of each, and what is true."""
    found: list[Pair] = []
    counts = [round(population.size * share_of / 1_000) for share_of in population.shares]
    counts[0] += population.size - sum(counts)
    for label, count, says in zip(LABELS, counts, judge.says, strict=True):
        truth: list[Label] = [label] * count
        found += zip(source.choices(LABELS, says, k=count), truth, strict=True)
    return found


def _outcome(whole: Confusion, drawn: Confusion, agreement: float) -> Outcome:
    counts = Counts(
        pairs=drawn.pairs,
        true=drawn.truth[BAD],
        automatic=drawn.automatic[BAD],
        both=drawn.rows[BAD][BAD],
        others=whole.pairs - drawn.pairs,
        others_automatic=whole.automatic[BAD] - drawn.automatic[BAD],
    )
    plain, found, of_paper = share(counts.true, counts.pairs), corrected(counts), powered(counts)
    if plain is None or found is None:
        raise SystemExit("draw at least 30 labels, and leave some")
    reach = Z * of_paper.variance**0.5
    return Outcome(
        true=whole.truth[BAD] / whole.pairs,
        plain=plain,
        corrected=found,
        unadjusted=(of_paper.estimate - reach, of_paper.estimate + reach),
        kappa_holds=_holds(kappa(drawn), agreement),
    )


def _holds(drawn: Kappa | None, agreement: float) -> bool | None:
    if drawn is None or drawn.low is None or drawn.high is None:
        return None
    return drawn.low <= agreement <= drawn.high


def _row(name: str, everything: Sequence[Pair], draws: int, labels: int) -> str:
    whole = confusion(everything)
    agreement = kappa(whole)
    outcomes = simulate(everything, draws=draws, labels=labels)
    plain = _mean([one.plain.low <= one.true <= one.plain.high for one in outcomes])
    right = _mean([one.corrected.low <= one.true <= one.corrected.high for one in outcomes])
    unadjusted = _mean([one.unadjusted[0] <= one.true <= one.unadjusted[1] for one in outcomes])
    of_kappa = _mean([one.kappa_holds for one in outcomes if one.kappa_holds is not None])
    width = median([one.corrected.high - one.corrected.low for one in outcomes]) / median(
        [one.plain.high - one.plain.low for one in outcomes]
    )
    worth = median([one.corrected.worth for one in outcomes])
    return (
        f"| {whole.pairs:,} | {whole.truth[BAD] / whole.pairs:.0%} | {name} | {agreement.value if agreement else 0:.2f}"
        f" | {plain} | {right} | {unadjusted} | {of_kappa} | {width:.2f} | {worth:.0f} |"
    )


def _mean(hits: Sequence[bool]) -> str:
    return f"{sum(hits) / len(hits):.1%}" if hits else "–"


if __name__ == "__main__":
    main()
