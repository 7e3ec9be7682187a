"""One interaction with all that belongs to it: nothing that was told is missing, and its turns are those of its session."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.events.records import InteractionDetails, Verdict, VoiceConversion, VoiceOutcome, VoiceQuery
from aura_analytics.stats.details import AROUND, Details, details
from contract.making import NOW, conversion, outcome, query, verdict
from unit.stats.held import SETTLED, Held, Row, Settled, histories, turns


class OneRow:
    """A row database that knows one interaction."""

    def __init__(self, found: InteractionDetails) -> None:
        self._found = found

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give it."""
        return self._found if query_id == self._found.query.id else None


def told(
    asked: VoiceQuery,
    outcome: VoiceOutcome | None = None,
    verdict: Verdict | None = None,
    history: list[Verdict] | None = None,
    conversions: list[VoiceConversion] | None = None,
) -> OneRow:
    return OneRow(
        InteractionDetails(
            query=asked, outcome=outcome, verdict=verdict, history=history or [], conversions=conversions or []
        )
    )


def of_row(row: Row) -> VoiceQuery:
    return query(row["id"], **{name: row[name] for name in ("store_id", "session_id", "created_at", "query_text")})


async def looked_at(held: Held, row: Row) -> Details:
    found = await details(told(of_row(row)), held, row["id"])
    assert found is not None
    return found


async def test_all_that_was_told_is_there() -> None:
    whole = told(
        query("a", session_id="s", user_id="u", transcription_conf=0.9, correlation_id="c", extra={"device": "kiosk"}),
        outcome("a", answer_text="Aisle 3.", tokens_prompt=3, tool_calls=["search"], extra={"region": "eu"}),
        verdict("a", "GOOD", method="rules", explanation="Quick."),
        [
            verdict("a", "REVIEW", evaluated_by="human"),
            verdict(
                "a",
                method="google:small",
                rubric="voice@1",
                tokens_prompt=900,
                tokens_completion=40,
                cost_usd=0.0002,
                duration_ms=650.0,
            ),
        ],
        [conversion("b", value=5, currency="EUR", order_id="o")],
    )
    with Held() as held:
        answer = await details(whole, held.fill([]), "a")
    found = msgspec.to_builtins(answer)
    assert found["query"] | {"queryText": ""} == {
        "id": "a",
        "storeId": "shop",
        "sessionId": "s",
        "userId": "u",
        "createdAt": NOW,
        "receivedAt": NOW,
        "queryText": "",
        "querySource": "voice",
        "transcriptionConfidence": 0.9,
        "audioDurationMs": None,
        "intent": None,
        "fastPath": False,
        "correlationId": "c",
        "extra": {"device": "kiosk"},
    }
    assert found["outcome"]["answerText"] == "Aisle 3."
    assert (found["outcome"]["tokensPrompt"], found["outcome"]["toolCalls"]) == (3, ["search"])
    assert found["outcome"]["extra"] == {"region": "eu"}
    assert found["verdict"] == {
        "label": "GOOD",
        "reason": "is_good",
        "confidence": 0.75,
        "evaluatedAt": NOW,
        "evaluatedBy": "auto",
        "method": "rules",
        "explanation": "Quick.",
        "rubric": None,
        "tokensPrompt": None,
        "tokensCompletion": None,
        "costUsd": None,
        "durationMs": None,
    }
    assert [(one["label"], one["evaluatedBy"]) for one in found["history"]] == [
        ("REVIEW", "human"),
        ("GOOD", "auto"),
    ]
    took = ("rubric", "tokensPrompt", "tokensCompletion", "costUsd", "durationMs")
    assert [found["history"][1][name] for name in took] == ["voice@1", 900, 40, 0.0002, 650.0]
    assert [(one["id"], one["value"], one["currency"], one["orderId"]) for one in found["conversions"]] == [
        ("b", 5, "EUR", "o")
    ]


async def test_what_is_not_there_is_none() -> None:
    with Held() as held:
        assert await details(told(query("a")), held.fill([]), "b") is None


@settings(max_examples=25, deadline=None)
@given(data=st.data(), rows=histories().filter(bool), settled=st.sampled_from(SETTLED))
async def test_the_turns_are_those_of_the_session_with_what_became_of_each(
    data: st.DataObject, rows: list[Row], settled: Settled
) -> None:
    row = data.draw(st.sampled_from(rows))
    with Held() as held:
        answer = await looked_at(held.fill(rows).settle(settled), row)
    known = {turn["id"]: turn for turn in turns(rows)}
    itself = known[row["id"]]
    around = [turn for turn in known.values() if _same_session(turn, row)]
    around.sort(key=lambda turn: (turn["created_at"], turn["id"]))
    assert [_shown(turn) for turn in answer.turns] == [_expected(turn) for turn in around]
    assert (answer.rephrased, answer.repeated, answer.cause) == (
        itself["rephrased"],
        itself["repeated"],
        itself["cause"],
    )
    again = itself["next_id"] if itself["rephrased"] or itself["repeated"] else None
    assert (answer.said_again.id if answer.said_again else None) == again


def _same_session(turn: Row, row: Row) -> bool:
    if row["session_id"] is None:
        return bool(turn["id"] == row["id"])
    return bool((turn["session_id"], turn["store_id"]) == (row["session_id"], row["store_id"]))


def _shown(turn: Any) -> tuple[Any, ...]:  # Any: a turn of the answer
    return turn.id, turn.query_text, turn.label, turn.rephrased, turn.repeated, turn.cause


def _expected(turn: Row) -> tuple[Any, ...]:
    return turn["id"], turn["query_text"], turn.get("label"), turn["rephrased"], turn["repeated"], turn["cause"]


async def test_of_a_long_session_the_turns_nearby_are_shown() -> None:
    rows: list[Row] = [
        {
            "id": f"{n:03}",
            "store_id": "a",
            "session_id": "s",
            "created_at": NOW + n,
            "query_text": f"word {n}",
            "has_outcome": False,
        }
        for n in range(100)
    ]
    with Held() as held:
        held.fill(rows)
        middle = await looked_at(held, rows[50])
        first = await looked_at(held, rows[0])
    assert [turn.id for turn in middle.turns] == [f"{n:03}" for n in range(50 - AROUND, 51 + AROUND)]
    assert [turn.id for turn in first.turns] == [f"{n:03}" for n in range(AROUND + 1)]


async def test_a_query_that_the_columns_dont_have_yet_is_told_without_its_turns() -> None:
    with Held() as held:
        answer = await details(told(query("a", session_id="s")), held.fill([]), "a")
    assert answer is not None
    assert (answer.turns, answer.rephrased, answer.said_again, answer.cause) == ([], False, None, None)
