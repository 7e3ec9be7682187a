"""The endpoints for people who label: what is most worth a look, and what they say of it."""

import secrets
from typing import Annotated, Protocol

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from aura_analytics.api.any_text import rest
from aura_analytics.api.asking import Text, one_of, rows, scope_dependency
from aura_analytics.api.described import described, taken
from aura_analytics.api.parameters import Identifier, choice, matching, whole
from aura_analytics.clock import Clock, now
from aura_analytics.errors import BodyTooLarge, MalformedBody, NotFound, ParameterError
from aura_analytics.events.records import InteractionDetails, Label, Verdict
from aura_analytics.events.texts import clean, mend_surrogates
from aura_analytics.guard.door import whose
from aura_analytics.guard.principal import Principal
from aura_analytics.stats import reviewing
from aura_analytics.stats.details import Judgement, judgement
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.reviewing import Queue, review_queue
from aura_analytics.stats.scope import Scope
from aura_analytics.store.undoing import Undoing

MOST_BYTES = 64 << 10
MOST_NAME, MOST_EXPLANATION = 100, 2_000
PERSON = "person"
REASON = "reviewed"
NOT_THERE = "no interaction has this id"
NOT_LABELLED = "no label of a person's stands there, or not the one that is meant"
MOST_DIGITS = 15
# At least one character that can be seen.
NAME = r"\S"
# A lease is the person's who asked: no other answer may stand in for it.
HEADERS = {"cache-control": "no-store"}

_QUEUE = """\
What a machine labelled and no person has looked at, leased to `reviewer` for ten minutes, so that no two people are given
the same. `order=value`: the highest `score` = `doubt` · (1 + log₂(`occurrences` / `place`)) first.
`doubt` = 1 − (1 − u)(1 − d) is how likely the label is to be wrong: u is 1 − its confidence, at least 0.5 for REVIEW, and d
is 0.5 where GOOD was followed by the same wish said again, else 0. `occurrences` is how often the text was said, in any
spelling, and `place` the how many-th of them it is that somebody looks at.

`order=random`: by the hash of the id, so that each is as likely to come as every other one. Rates that are corrected by
people's labels (`/stats/agreement`) are unbiased only by such a sample: what is chosen by its value isn't like the rest.
The rest of an interaction, and its session, is at `/interactions/{query_id}`.
"""
_LABEL = "A person's label takes the place of the one that stands, which stays in the history. The last one counts."
_UNDO = """\
The label before it stands again; where there was none, the interaction waits for a machine's. What is taken back isn't in the
history: it was never meant.
"""


class Review(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person says of an interaction. `reason` is a code in snake_case, `reviewer` their name."""

    label: Label
    reason: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,63}\Z")] = REASON
    explanation: Annotated[str, msgspec.Meta(max_length=MOST_EXPLANATION)] | None = None
    reviewer: Annotated[str, msgspec.Meta(max_length=MOST_NAME, pattern=NAME)] | None = None


class Labelled(Judgement, frozen=True, kw_only=True, rename="camel"):
    """The label that stands now."""

    query_id: str


class LabelledBefore(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The label that stands again; null where there is none, and the interaction waits for a machine's."""

    query_id: str
    verdict: Judgement | None


class Rows(reviewing.Rows, Undoing, Protocol):
    """What is asked of the row database."""

    async def interaction(self, query_id: str) -> InteractionDetails | None:
        """Give one interaction; None where the query isn't there."""

    async def review(self, verdict: Verdict) -> bool:
        """Store a person's label in place of the one that stands; tell whether there is such an interaction."""


def router(reader: Reader, store: Rows, *, clock: Clock = now) -> APIRouter:
    """Make the endpoints over a reader and the row database."""
    routes = APIRouter()
    _add_queue(routes, reader, store, clock)
    _add_label(routes, store, clock)
    _add_undo(routes, store, clock)
    return routes


def _add_queue(routes: APIRouter, reader: Reader, store: Rows, clock: Clock) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get(
        "/evaluations/queue",
        **described(Queue, forms=False),
        summary="What is most worth a person's minute",
        description=_QUEUE,
    )
    async def get_queue(
        scope: asked,
        *,
        limit: Annotated[str | None, Query(description="1 to 500; default 20."), whole(1, reviewing.MOST_ROWS)] = None,
        reviewer: Annotated[
            str | None,
            Query(description="Who looks; without it a name is made up."),
            matching(NAME, maxLength=MOST_NAME),
        ] = None,
        order: Annotated[str | None, Query(description="`value` or `random`."), choice(*reviewing.ORDERS)] = None,
    ) -> Response:
        found = await review_queue(
            reader,
            store,
            scope,
            reviewer=_name(reviewer),
            order=one_of("order", order, reviewing.ORDERS),
            limit=_limit(limit),
            now=clock(),
        )
        return Response(msgspec.json.encode(found), media_type="application/json", headers=HEADERS)


def _add_label(routes: APIRouter, store: Rows, clock: Clock) -> None:
    @routes.post(
        rest("/evaluations/", "query_id"),
        **described(Labelled, NotFound, forms=False),
        openapi_extra=taken(Review, {"label": "BAD", "reason": "wrong_answer", "reviewer": "Ada"}),
        summary="Label an interaction as a person",
        description=_LABEL,
    )
    async def post_label(query_id: Identifier, request: Request) -> Response:
        said = await _review(request)
        if "\0" in query_id or not await _is_seen(store, whose(request.scope), query_id):  # no id has a NUL
            raise NotFound(NOT_THERE)
        verdict = Verdict(
            query_id=query_id,
            label=said.label,
            reason=said.reason,
            confidence=1.0,
            evaluated_at=clock(),
            evaluated_by="human",
            method=said.reviewer or PERSON,
            explanation=said.explanation or None,
        )
        if not await store.review(verdict):
            raise NotFound(NOT_THERE)
        answer = Labelled(query_id=query_id, **msgspec.structs.asdict(judgement(verdict)))
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=HEADERS)


def _add_undo(routes: APIRouter, store: Rows, clock: Clock) -> None:
    @routes.delete(
        rest("/evaluations/", "query_id"),
        **described(LabelledBefore, NotFound, forms=False),
        summary="Take a person's label back",
        description=_UNDO,
    )
    async def delete_label(
        query_id: Identifier,
        request: Request,
        given_at: Annotated[
            str | None,
            Query(alias="givenAt", description="Only the label of this moment, its `evaluatedAt`."),
            whole(0, 10**MOST_DIGITS - 1),
        ] = None,
    ) -> Response:
        moment = _moment(given_at)
        if "\0" in query_id or not await _is_seen(store, whose(request.scope), query_id):
            raise NotFound(NOT_LABELLED)
        found = await store.take_back(query_id, given_at=moment, now=clock())
        if found is None:
            raise NotFound(NOT_LABELLED)
        standing = None if found.standing is None else judgement(found.standing)
        answer = LabelledBefore(query_id=query_id, verdict=standing)
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=HEADERS)


def _moment(text: Text) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise ParameterError("givenAt is epoch milliseconds")
    return int(text)


async def _is_seen(store: Rows, principal: Principal, query_id: str) -> bool:
    """Whether an interaction is of a store that somebody sees; who sees all needn't be asked about."""
    if principal.stores is None:
        return True
    found = await store.interaction(query_id)
    return found is not None and principal.sees(found.query.store_id)


async def _review(request: Request) -> Review:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BodyTooLarge(f"a label takes at most {MOST_BYTES} bytes")
    try:
        said = msgspec.json.decode(mend_surrogates(bytes(body)), type=Review)
    except (ValueError, RecursionError) as error:
        cause = f": {error}" if isinstance(error, msgspec.ValidationError) else ""
        raise MalformedBody(f'a label is a JSON object, such as {{"label": "GOOD"}}{cause}') from error
    return Review(**clean(msgspec.structs.asdict(said)))


def _name(text: Text) -> str:
    """Read who looks; without a name, one that nobody else has."""
    if text is None:
        return f"{PERSON}-{secrets.token_hex(8)}"
    if not text.strip() or len(text) > MOST_NAME:
        raise ParameterError(f"reviewer is a name of 1 to {MOST_NAME} characters")
    found: str = clean(text)
    return found


def _limit(text: Text) -> int:
    found = rows(text, reviewing.DEFAULT_ROWS)
    if found > reviewing.MOST_ROWS:
        raise ParameterError(f"limit is a whole number from 1 to {reviewing.MOST_ROWS}")
    return found
