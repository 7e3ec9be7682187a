"""What the insights say of real recordings: fills the tables in docs/insights.md.

    python scripts/insights.py EVENTS.ndjson.gz REFERENCE.ndjson.gz [--write docs/insights.md]

EVENTS are documented events, a query and an outcome for each interaction; REFERENCE holds `query_id`, what was really
said and meant (`reference_text`, `reference_intent`), `asr_exact` and `intent_correct` for each.
"""

import argparse
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
from rules_agreement import interactions

from aura_analytics.errors import SettingsError
from aura_analytics.evaluation.rules import judge_by_rules
from aura_analytics.events.records import Interaction
from aura_analytics.projection import turns
from aura_analytics.stats.topics import Said, Topic, key_terms, synonym_candidates, topics

BEGIN, END = "<!-- begin: insights.py -->", "<!-- end -->"
HEARD_WRONG_BELOW = (0.5, 0.7, 0.8, 0.85, 0.9, 1.0)

# First turns of neighbours that a person took for the same wish, of all 295 whose annotated intents are equal.
_SAME_WISH = """
1434532200-headset 1488554557 1488557223 1490007140 1490007571-headset 1490192442 1490192442-headset
1490961252-headset 1494607257 1497439727 1498569896-headset 1498570316 1498571169 1499689162-headset
1499692267-headset 1499696428 1500979872-headset 1501152439 1501690344-headset 1502100312-headset 1502111927
1502218116 1502377573-headset 1502896544-headset 1504190850 1504194300 1504194310 1504194560 1505323989
1505323989-headset 1505404988 1505405343 1505405556 1505406971 1505407304 1505407616 1505407632 1506520473
"""
SAME_WISH = {f"slurp-{name}" for name in _SAME_WISH.split()}

# Pairs from shops, made up: + the same wish, - another one; intent: text > next intent: next text.
SHOPPING = """
+ product_search: do you have red shoes > product_search: show me red sneakers
+ product_search: do you have read shoes > product_search: no i said red shoes size nine
+ unknown: do you have red shoes > product_search: red shoes please
+ fallback: wireless head phones > product_search: i am looking for wireless headphones
+ order_status: where is my order > order_status: when will my order arrive
+ fallback: track my package > order_status: where is my package
+ faq_shipping: do you ship to switzerland > faq_shipping: can you ship to switzerland
+ product_search: what does shipping cost > faq_shipping: how much is shipping
+ faq_returns: can i return this > faq_returns: how do i return an item
+ product_search: oat milk > product_search: do you have oat milk
+ product_search: gluten free pasta > product_search: i want pasta without gluten
+ unknown: do you half tomato food in ten leader > product_search: do you have tomato food in ten litres
+ care_advice: how of ten do i water an or kid > care_advice: how often do i water an orchid
+ product_question: is the blue jacket waterproof > product_question: can the blue jacket take rain
+ recommendation: a present for my dad > recommendation: gift ideas for my father
+ cart_add: add two bags of flour > cart_add: put two bags of flour in my cart
+ fallback: apply my discount code > discount: i have a discount code
+ product_search: haben sie rote schuhe > product_search: ich suche rote schuhe
+ product_search: zeig mir winterjacken für damen > product_search: winterjacken damen
+ product_search: 赤い靴はありますか > product_search: 赤い靴を見せて
- product_search: red shoes > cart_add: add them to my cart
- product_search: red shoes > product_question: how much is it
- product_search: do you have red shoes > product_search: and in blue
- product_search: do you have red shoes > product_search: do you have blue shirts
- product_search: do you have red shoes > cart_add: add the red shoes to my cart
- product_search: do you have red shoes > product_question: are the red shoes made of leather
- cart_add: add oat milk to my cart > cart_remove: remove the oat milk from my cart
- store_info: what are your opening hours > store_info: where is your store
- cart_add: add it to my cart > checkout: go to checkout
- gift_options: do you have gift cards > gift_options: do you offer gift wrapping
- product_search: show me wireless headphones > product_question: which one has the best battery
- product_question: does it stand up to strong wind > product_question: and how small does it pack
- faq_returns: what is your return policy > faq_shipping: how long does delivery take
- product_search: i need a tent for two > product_search: i need a sleeping bag
- recommendation: something a bit cheaper > cart_add: nice add it to my cart
- product_search: show me running shoes > product_search: show me the second one
- dietary: is this vegan > dietary: is this gluten free
- product_search: do you have the blue dress in size ten > product_search: do you have the blue dress in size twelve
- product_search: haben sie rote schuhe > product_question: was kosten die
- order_status: where is my order > order_cancel: cancel my order
"""

TABLE = """
CREATE TABLE interactions (
    id VARCHAR, store_id VARCHAR, session_id VARCHAR, created_at BIGINT, query_text VARCHAR, intent VARCHAR,
    transcription_conf DOUBLE, has_outcome BOOLEAN, latency_ms DOUBLE, action_taken VARCHAR, action_success BOOLEAN,
    error_flag BOOLEAN, label VARCHAR, reason VARCHAR
)
"""
# Each interaction with what was said next; where it broke, for those that didn't satisfy.
TURNS = f"""
SELECT id, query_text, next_text, created_at, next_at, rephrased, repeated, action_success, transcription_conf,
       CASE WHEN label IS NOT NULL OR NOT action_success OR rephrased THEN {turns.CAUSE} END AS cause
FROM (SELECT *, {turns.IS_REPHRASED} AS rephrased, {turns.IS_REPEATED} AS repeated FROM (
    SELECT *, lead(query_text) OVER following AS next_text, lead(intent) OVER following AS next_intent,
           lead(created_at) OVER following AS next_at
    FROM interactions WINDOW following AS ({turns.NEXT_TURN})
)) ORDER BY store_id, session_id, created_at, id
"""
Row = dict[str, Any]  # Any: what a cell can be


def main() -> None:
    """Print the tables, or put them into a document."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("events", type=Path)
    arguments.add_argument("reference", type=Path)
    arguments.add_argument("--write", type=Path, help="the document to put the tables into")
    given = arguments.parse_args()
    if absent := [str(path) for path in (given.events, given.reference) if not path.is_file()]:
        sys.exit(f"nothing to measure: {', '.join(absent)} isn't there")
    text = report(rows(interactions(given.events)), reference(given.reference))
    if given.write is None:
        print(text)
        return
    before, _, rest = given.write.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    given.write.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def rows(found: Iterable[Interaction]) -> list[Row]:
    """Label the interactions by the rules, and set each beside the next of its session."""
    with duckdb.connect() as connection:
        connection.execute(TABLE)
        connection.executemany(
            f"INSERT INTO interactions VALUES ({', '.join('?' * 14)})", [cells(one) for one in found]
        )
        return answers(connection, TURNS)


def answers(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """Ask, and name the cells."""
    asked = connection.execute(sql)
    names = [column[0] for column in asked.description or ()]
    return [dict(zip(names, cells, strict=True)) for cells in asked.fetchall()]


def cells(one: Interaction) -> list[Any]:
    """Give a row of the table. Any: what a cell can be."""
    query, outcome, judgement = one.query, one.outcome, judge_by_rules(one)
    of_outcome = ("latency_ms", "action_taken", "action_success", "error_flag")
    return [
        *(getattr(query, name) for name in ("id", "store_id", "session_id", "created_at", "query_text", "intent")),
        query.transcription_conf,
        outcome is not None,
        *(getattr(outcome, name, None) for name in of_outcome),
        *((judgement.label, judgement.reason) if judgement and judgement.label != "GOOD" else (None, None)),
    ]


def reference(path: Path) -> dict[str, Row]:
    """Read what was really said and meant."""
    return {one["query_id"]: one for one in map(json.loads, gzip.decompress(path.read_bytes()).splitlines())}


def report(found: Sequence[Row], truth: dict[str, Row]) -> str:
    """Write all tables."""
    return "\n\n".join([*said_again(found), *where_it_broke(found, truth), *missed_demand(found, truth)])


def said_again(found: Sequence[Row]) -> list[str]:
    """Write how many turns were said again, and how that agrees with a person."""
    soon = [one for one in found if one["next_at"] and one["next_at"] - one["created_at"] <= turns.REPHRASE_GAP_MS]
    rephrased = [one for one in soon if one["rephrased"]]
    others = [one for one in soon if not one["repeated"]]
    wishes = sum(one["id"] in SAME_WISH for one in others)
    right = sum(one["id"] in SAME_WISH for one in rephrased)
    chance = (len(rephrased) - right) / (len(others) - wishes)
    return [
        "### Said again",
        (
            f"{len(soon):,} turns are followed by another within {turns.REPHRASE_GAP_MS // 1000} s: {len(rephrased)} are "
            f"rephrased, {len(soon) - len(others)} repeated. Unrelated neighbours look like the same wish in {chance:.2%} "
            "of cases."
        ),
        "| pairs | same wish | found | of them right | precision | recall |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
        + agreement(f"recordings, {len(others):,}", wishes, len(rephrased), right)
        + "\n"
        + agreement("shopping, made up, 40", *shopping()),
        examples(rephrased),
    ]


def agreement(name: str, true: int, found: int, right: int) -> str:
    """Write a row of precision and recall."""
    precision, recall = (f"{right / of:.3f}" if of else "–" for of in (found, true))
    return f"| {name} | {true:,} | {found:,} | {right:,} | {precision} | {recall} |"


def shopping() -> tuple[int, int, int]:
    """Count the made-up pairs of the same wish, those that are found, and those that are found rightly."""
    marks, pairs = zip(*(line.split(" ", 1) for line in SHOPPING.strip().splitlines()), strict=True)
    turned = [[side.split(": ", 1) for side in pair.split(" > ")] for pair in pairs]
    values = [(said[1], said[0], then[1], then[0]) for said, then in turned]
    given = ", ".join("(?, ?, ?, ?)" for _ in values)
    sql = f"""
    SELECT {turns.IS_REPHRASED} FROM (
        SELECT *, 's' AS session_id, 0 AS created_at, 1 AS next_at
        FROM (VALUES {given}) AS pair(query_text, intent, next_text, next_intent)
    )"""
    found = [hit for (hit,) in duckdb.execute(sql, [cell for row in values for cell in row]).fetchall()]
    right = sum(hit and mark == "+" for hit, mark in zip(found, marks, strict=True))
    return marks.count("+"), sum(found), right


def examples(rephrased: Sequence[Row]) -> str:
    """Write some pairs, right and wrong."""
    lines = ["| said | then | same wish |", "| --- | --- | --- |"]
    for wanted in (True, False):
        some = [one for one in rephrased if (one["id"] in SAME_WISH) is wanted][:6]
        lines += [f"| {one['query_text']} | {one['next_text']} | {'yes' if wanted else 'no'} |" for one in some]
    return "\n".join(lines)


def where_it_broke(found: Sequence[Row], truth: dict[str, Row]) -> list[str]:
    """Write causes against the reference."""
    broken = [one for one in found if one["cause"]]
    kinds = ("heard wrong only", "both", "understood wrong only", "neither")
    table = Counter((one["cause"], kind(truth[one["id"]])) for one in broken)
    rows = [f"| cause | {' | '.join(kinds)} |", f"| --- |{' ---: |' * len(kinds)}"]
    rows += [f"| {cause} | {' | '.join(f'{table[cause, name]:,}' for name in kinds)} |" for cause in turns.CAUSES]
    return [
        "### Where it broke",
        f"{len(broken):,} interactions didn't satisfy. In rows what the rule says, in columns what people say:",
        "\n".join(rows),
        "Each cause as a detector; what is heard wrong and understood wrong counts as heard wrong, which came first:",
        detectors(broken, truth),
        "`heard_wrong` with other bounds of the transcription confidence:",
        bounds(broken, truth),
    ]


def kind(one: Row) -> str:
    """Say what people say went wrong."""
    match one["asr_exact"], one["intent_correct"]:
        case True, True:
            return "neither"
        case True, False:
            return "understood wrong only"
        case False, True:
            return "heard wrong only"
        case _:
            return "both"


def detectors(broken: Sequence[Row], truth: dict[str, Row]) -> str:
    """Write precision and recall of the causes that the reference knows."""
    heard = {one["id"] for one in broken if not truth[one["id"]]["asr_exact"]}
    understood = {one["id"] for one in broken if not truth[one["id"]]["intent_correct"]} - heard
    lines = [
        "| cause | true | found | of them right | precision | recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    told = (
        (("heard_wrong",), heard),
        (("understood_wrong",), understood),
        (("understood_wrong", "did_wrong"), understood),
    )
    for causes, true in told:
        said = {one["id"] for one in broken if one["cause"] in causes}
        lines.append(agreement(" or ".join(causes), len(true), len(said), len(said & true)))
    return "\n".join(lines)


def bounds(broken: Sequence[Row], truth: dict[str, Row]) -> str:
    """Write how the bound of the confidence matters."""
    heard = {one["id"] for one in broken if not truth[one["id"]]["asr_exact"]}
    lines = [
        "| below | true | found | of them right | precision | recall |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for bound in HEARD_WRONG_BELOW:
        said = {one["id"] for one in broken if one["transcription_conf"] < bound}
        lines.append(agreement(f"{bound:.2f}", len(heard), len(said), len(said & heard)))
    return "\n".join(lines)


def missed_demand(found: Sequence[Row], truth: dict[str, Row]) -> list[str]:
    """Write the topics of the failures, and what they teach."""
    failures = [one for one in found if one["action_success"] is False]
    failed, everything = said(failures), said(found)
    answered = said(one for one in found if one["action_success"])
    try:
        gathered = topics(failed)
    except SettingsError as error:
        return ["### Missed demand", str(error)]
    return [
        "### Missed demand",
        (
            f"{len(failures):,} failures, {len(failed):,} different texts, {len(gathered)} topics; "
            f"{sum(topic.volume > 1 for topic in gathered)} topics of two failures or more hold "
            f"{sum(topic.volume for topic in gathered if topic.volume > 1) / len(failures):.0%} of them."
        ),
        against(gathered, failures, truth),
        biggest(gathered),
        "Terms that stand out among the failures: "
        + ", ".join(f"{one.term} ({one.count}, {one.weight:+.1f})" for one in key_terms(failed, everything)[:12]),
        "Words where answered queries have another: "
        + ", ".join(f"{one.said} → {one.known} ({one.places})" for one in synonym_candidates(failed, answered)[:12]),
    ]


def said(found: Iterable[Row]) -> list[Said]:
    """Count the texts."""
    return [Said(text, count) for text, count in Counter(one["query_text"] for one in found).items()]


def against(gathered: Sequence[Topic], failures: Sequence[Row], truth: dict[str, Row]) -> str:
    """Hold pairs of failures of one topic against those that people took for the same."""
    topic_of = {one.text: number for number, topic in enumerate(gathered) for one in topic.members}
    lines = ["| pairs of failures with the same | pairs | in one topic | of them right | precision | recall |"]
    lines.append("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in ("reference_text", "reference_intent"):
        both = Counter((topic_of[one["query_text"]], truth[one["id"]][name]) for one in failures)
        true, together = Counter[str](), Counter[int]()
        for (topic, meant), count in both.items():
            true[meant] += count
            together[topic] += count
        lines.append(agreement(name, *(sum(n * (n - 1) // 2 for n in of.values()) for of in (true, together, both))))
    return "\n".join(lines)


def biggest(gathered: Sequence[Topic]) -> str:
    """Write the biggest topics."""
    lines = ["| topic | failures | texts | among them |", "| --- | ---: | ---: | --- |"]
    for topic in gathered[:10]:
        others = ", ".join(one.text for one in topic.members if one.text != topic.name)
        lines.append(f"| {topic.name} | {topic.volume} | {len(topic.members)} | {others[:90]} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
