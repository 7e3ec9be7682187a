"""Gemini's batch mode: jobs of a file of requests, for half the price.

Requests are built and answers read by pydantic-ai, as single ones are; files and jobs are google-genai's own calls, since
pydantic-ai gives every job the same name, and one that was made has to be found again by ours.
"""

import json
import tempfile
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import msgspec
from google.genai import errors
from google.genai import types as gemini
from pydantic_ai import exceptions
from pydantic_ai.messages import ModelRequest, UserPromptPart
from pydantic_ai.models.batch import BatchRequest, BatchResult, BatchResultStatus
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.usage import RequestUsage

from aura_analytics.errors import JudgeError, JudgeRefused, JudgeUnavailable, SettingsError
from aura_analytics.evaluation.candidate import Candidate
from aura_analytics.evaluation.ending import ending_of
from aura_analytics.evaluation.evidence import describe
from aura_analytics.evaluation.expectation import Expectation
from aura_analytics.evaluation.job import Answer, Job, JobState
from aura_analytics.evaluation.judgement import Case, Judgement
from aura_analytics.evaluation.price import Price
from aura_analytics.evaluation.provider import make_model, price_of
from aura_analytics.evaluation.question import SETTINGS, parameters_of, read_response
from aura_analytics.evaluation.reply import Reply
from aura_analytics.evaluation.rubric import Rubric
from aura_analytics.events.records import CallOutcome
from aura_analytics.settings import Settings

PRICE_SHARE = 0.5
"""What a request of a job costs, of what it costs by itself; thoughts and cached tokens too."""

RECORD = 1_500
"""Characters that a record is expected to have."""

# Any other state that has no end in it is one of a job that runs.
_ANSWERED = frozenset({gemini.JobState.JOB_STATE_SUCCEEDED, gemini.JobState.JOB_STATE_PARTIALLY_SUCCEEDED})
_OVER: dict[gemini.JobState | None, tuple[CallOutcome, str]] = {
    gemini.JobState.JOB_STATE_FAILED: ("unavailable", "the provider couldn't run the job"),
    gemini.JobState.JOB_STATE_CANCELLED: ("unavailable", "the job was cancelled"),
    gemini.JobState.JOB_STATE_EXPIRED: ("timed_out", "the provider let the job expire"),
}
_REFUSED = frozenset({400, 401, 403, 404})
_NOT_FOUND = 404
_NO_SUCH = frozenset({403, _NOT_FOUND})  # Gemini may say either of a file that isn't there
_EXISTS = 409


class _Line(msgspec.Struct, frozen=True):
    """A line of the answers, with one of the two. Any: Gemini's JSON."""

    key: str
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def gemini_jobs(settings: Settings, named: Sequence[Candidate], rubric: Rubric) -> "GeminiJobs":
    """Prepare jobs of the model that the settings name, without a word to the network.

    Args:
        settings: how patient the calls are, and what a day may cost.
        named: whom the settings name as judges.
        rubric: what the model is told.

    Raises:
        SettingsError: it isn't one model of Gemini's own API that is named.
    """
    if not named:
        raise SettingsError("--batch needs a model to ask: GEMINI_API_KEY isn't set")
    if len(named) > 1:
        raise SettingsError("--batch asks one model, and EVAL_MODEL names two")
    [one] = named
    if not one.model.startswith("google:"):
        raise SettingsError(f"--batch is Gemini's batch mode, and EVAL_MODEL is {one.model}")
    price = price_of(settings, one)
    model, client = make_model(one)
    if not isinstance(model, GoogleModel) or model.batch_max_requests is None:
        raise SettingsError(f"--batch is Gemini's batch mode, which isn't there for {one.model}")
    return GeminiJobs(one.model, model, client, rubric=rubric, price=price, timeout_s=settings.eval_timeout_seconds)


class GeminiJobs:
    """Jobs at Gemini's own API, of one model and one rubric; make them with `gemini_jobs`.

    Args:
        name: provider and model, as verdicts and requests note it.
        model: builds the requests, reads the answers, and has the client.
        client: closed with the jobs.
        rubric: the instructions.
        price: of the model, for single requests; None where it isn't known.
        timeout_s: seconds that any call may take, but for those that send or fetch a file.
    """

    def __init__(
        self,
        name: str,
        model: GoogleModel,
        client: httpx2.AsyncClient,
        *,
        rubric: Rubric,
        price: Price | None,
        timeout_s: float,
    ) -> None:
        self.model = name
        self.rubric = rubric.key
        self._model = model
        self._gemini = model.client.aio
        self._client = client
        self._instructions = rubric.instructions
        self._parameters = parameters_of(model, rubric)
        self._price = price
        expected = Expectation().of(len(rubric.instructions) + RECORD)
        self.expected_usd = None if price is None else PRICE_SHARE * price.expected(expected.prompt, expected.answer)
        self._soon = gemini.HttpOptionsDict(timeout=round(timeout_s * 1000), retry_options={"attempts": 1})

    async def upload(self, id: str, cases: AsyncIterable[tuple[str, Case]]) -> str:
        """Write a line for each case into a file, and hand it over by the batch's name."""
        with tempfile.NamedTemporaryFile() as file:
            async for query_id, case in cases:
                file.write(await self._line(query_id, case))
            file.flush()
            with self._told():
                return await self._upload(id, file.name)

    async def create(self, id: str, file: str) -> Job:
        """Make a job of a file; asked once only, since a second time might make a second one."""
        config = gemini.CreateBatchJobConfigDict(display_name=id, http_options=self._soon)
        with self._told():
            return _job(await self._gemini.batches.create(model=self._model.model_name, src=file, config=config))

    async def find(self, id: str) -> Job | None:
        """Look through the jobs that there are for the one with this name."""
        with self._told():
            async for job in await self._gemini.batches.list(config={"http_options": self._soon}):
                if job.display_name == id:
                    return _job(job)
        return None

    async def look(self, name: str) -> Job | None:
        """Ask how a job is going."""
        with self._told():
            try:
                return _job(await self._gemini.batches.get(name=name, config={"http_options": self._soon}))
            except errors.ClientError as error:
                if error.code == _NOT_FOUND:
                    return None
                raise

    async def answers(self, name: str) -> Sequence[Answer]:
        """Fetch the file of the answers. A line that can't be read counts as left out, of two with a key the last."""
        with self._told():
            job = await self._gemini.batches.get(name=name, config={"http_options": self._soon})
            if job.dest is None or job.dest.file_name is None:
                return []
            try:
                content = await self._gemini.files.download(file=job.dest.file_name)
            except errors.ClientError as error:
                if error.code in _NO_SUCH:  # the file has been there for as long as files are
                    return []
                raise
        lines = [line for text in content.splitlines() if (line := _line(text)) is not None]
        return [self._answer(line) for line in {line.key: line for line in lines}.values()]

    async def cancel(self, name: str) -> None:
        """Tell that nobody waits any more, if that is of any use."""
        with suppress(JudgeError), self._told():
            await self._gemini.batches.cancel(name=name, config={"http_options": self._soon})

    async def forget(self, id: str) -> None:
        """Take the file away that was handed over; Gemini does so too, after two days."""
        with suppress(JudgeError), self._told():
            await self._gemini.files.delete(name=f"files/{id}", config={"http_options": self._soon})

    async def aclose(self) -> None:
        """Close the HTTP client and its connections."""
        await self._client.aclose()

    async def _line(self, query_id: str, case: Case) -> bytes:
        body = (await self._model.batch_encode(self._request(query_id, describe(case)))).body
        # Not msgspec, which can't write half a surrogate pair; one such id would keep all others from being asked about.
        return b'{"key": %b, "request": %b}\n' % (json.dumps(query_id).encode(), body.encode())

    def _request(self, query_id: str, record: str) -> BatchRequest:
        return BatchRequest(
            custom_id=query_id,
            messages=[ModelRequest(parts=[UserPromptPart(record)], instructions=self._instructions)],
            model_settings=SETTINGS,
            model_request_parameters=self._parameters,
        )

    async def _upload(self, id: str, path: str) -> str:
        config = gemini.UploadFileConfigDict(name=id, display_name=id, mime_type="application/jsonl")
        try:
            return (await self._gemini.files.upload(file=path, config=config)).name or ""
        except errors.ClientError as error:
            if error.code != _EXISTS:
                raise
        await self._gemini.files.delete(name=f"files/{id}")  # a run that was killed had come as far as this
        return (await self._gemini.files.upload(file=path, config=config)).name or ""

    def _answer(self, line: _Line) -> Answer:
        """Read what became of a request; a request that failed costs nothing."""
        status: BatchResultStatus = "errored" if line.response is None else "succeeded"
        told = line.error if line.response is None else line.response
        result = BatchResult(custom_id=line.key, status=status, body=msgspec.json.encode(told or {}).decode())
        usage = None
        try:
            response = self._model.batch_decode(result, self._request(line.key, ""))
            usage = response.usage
            reply = read_response(response)
        except exceptions.AgentRunError as error:
            ending = ending_of(error)
            words = ending.words.format(status=getattr(error, "status_code", None))
            return self._of(line, ending.outcome, usage, error=words)
        except (ValueError, TypeError, AttributeError):  # it is JSON, but not Gemini's
            return self._of(line, "invalid", usage, error="the answer can't be read")
        if isinstance(reply, Reply):
            return self._of(line, "answered", usage, judgement=reply.judgement(self.model, self.rubric))
        return self._of(line, "invalid", usage, error="the answer is outside of the schema")

    def _of(
        self,
        line: _Line,
        outcome: CallOutcome,
        usage: RequestUsage | None,
        *,
        judgement: Judgement | None = None,
        error: str = "",
    ) -> Answer:
        cost_usd: float | None = 0.0
        if usage is not None:
            cost_usd = None if self._price is None else PRICE_SHARE * self._price.of(usage)
        return Answer(
            query_id=line.key,
            outcome=outcome,
            judgement=judgement,
            error=error and f"{self.model}: {error}",
            tokens_prompt=usage.input_tokens if usage else 0,
            tokens_completion=usage.output_tokens if usage else 0,
            cost_usd=cost_usd,
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in our own words what went wrong; the provider's may quote the key."""
        try:
            yield
        except errors.APIError as error:
            message = f"{self.model}: the provider answered with HTTP {error.code}"
            raise (JudgeRefused if error.code in _REFUSED else JudgeUnavailable)(message) from error
        except (httpx2.TransportError, TimeoutError, OSError) as error:
            raise JudgeUnavailable(f"{self.model}: the connection failed") from error


def _line(text: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(text, type=_Line)
    except msgspec.DecodeError:
        return None


def _job(job: gemini.BatchJob) -> Job:
    ended_at = None if job.end_time is None else round(job.end_time.timestamp() * 1000)
    if job.state in _OVER:
        outcome, reason = _OVER[job.state]
        return Job(name=job.name or "", state="over", ended_at=ended_at, outcome=outcome, reason=reason)
    state: JobState = "answered" if job.state in _ANSWERED else "running"
    return Job(name=job.name or "", state=state, ended_at=ended_at)
