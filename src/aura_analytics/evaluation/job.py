"""The job: many requests that are handed to a provider at once, for half the price, to be answered within a day."""

from collections.abc import AsyncIterable, Sequence
from typing import Literal, Protocol

import msgspec

from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.events.records import CallOutcome

# A job is "over" where it ended without answers, for whatever reason.
JobState = Literal["running", "answered", "over"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of a job. `ended_at` is in epoch milliseconds, where it is known.

    `reason` is why it is over, in our own words, and `outcome` what that was for each of its requests.
    """

    name: str
    state: JobState
    ended_at: int | None = None
    reason: str = ""
    outcome: CallOutcome = "unavailable"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request of a job: a judgement, or in `error` why there is none; in our own words.

    `cost_usd` is at the price of a job; None where it isn't known.
    """

    query_id: str
    outcome: CallOutcome
    judgement: Judgement | None = None
    error: str = ""
    tokens_prompt: int = 0
    tokens_completion: int = 0
    cost_usd: float | None = None


class Jobs(Protocol):
    """A provider that takes jobs of one model and one rubric.

    Any call may raise `JudgeUnavailable`, where trying again later is worth it, or `JudgeRefused`, where it isn't.
    """

    model: str
    rubric: str
    # What one request is expected to cost, at the price of a job; None where it isn't known.
    expected_usd: float | None

    async def upload(self, id: str, cases: AsyncIterable[tuple[str, Case]]) -> str:
        """Hand cases over as a file, each with the id of its query; nothing is asked yet. Give the file's name."""
        ...

    async def create(self, id: str, file: str) -> Job:
        """Make a job of a file, once; `id` is what it can be found by. `JudgeUnavailable`: it may be there, or not."""
        ...

    async def find(self, id: str) -> Job | None:
        """Look for a job by the id that it was made with."""
        ...

    async def look(self, name: str) -> Job | None:
        """Look at a job; None where the provider doesn't know it (any more)."""
        ...

    async def answers(self, name: str) -> Sequence[Answer]:
        """Give the answers of a job that is answered, in an order that stays the same; some may be missing."""
        ...

    async def cancel(self, name: str) -> None:
        """Tell the provider that nobody waits for a job any more."""
        ...

    async def forget(self, id: str) -> None:
        """Take the file away that was handed over for a batch, if it is still there; nobody needs it any more."""
        ...

    async def aclose(self) -> None:
        """Let go of connections; no call may follow."""
        ...
