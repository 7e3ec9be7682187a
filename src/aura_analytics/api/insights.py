"""The endpoints that say what to mend: what was said again, where it broke, what was asked for in vain; what was bought."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from aura_analytics.api.asking import one_of, rows, scope_dependency
from aura_analytics.api.described import described
from aura_analytics.api.formats import Form, asked_form, respond
from aura_analytics.api.parameters import Split, Zone, choice, whole
from aura_analytics.errors import ExtraMissing
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.causes import Asked, Causes, causes
from aura_analytics.stats.conversions import Conversions, IntentConversions, conversions
from aura_analytics.stats.demand import Demand, DemandTopic, demand
from aura_analytics.stats.groups import read_split
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.rephrasings import EXAMPLES, LEAST_QUERIES, Pair, Rephrasings, rephrasings
from aura_analytics.stats.scope import Scope
from aura_analytics.stats.steps import STEPS, read_step, read_zone
from aura_analytics.stats.topics import KeyTerm, SynonymCandidate
from aura_analytics.stats.vocabulary import synonyms, terms

MOST_EXAMPLES = 100
MOST_LEAST = 1_000_000_000

AskedForm = Annotated[Form, Depends(asked_form)]
Limit = Annotated[str | None, Query(description="1 to 100,000; default 20."), whole(1, scopes.MOST_ROWS)]
Which = Annotated[str | None, Query(description="`newest`, or the most `frequent` pairs of texts."), choice(*EXAMPLES)]
Least = Annotated[
    str | None,
    Query(description="How many queries an intent must have to be listed; default 20."),
    whole(1, MOST_LEAST),
]
OverTime = Annotated[
    str | None, Query(description="Over time too: `minute`, `hour`, `day`, `week` or `month`."), choice(*STEPS, "")
]
Few = Annotated[
    str | None,
    Query(description="How many interactions of each cause, 0 to 100; default 3."),
    whole(0, MOST_EXAMPLES),
]


def router(reader: Reader) -> APIRouter:
    """Make the endpoints over a reader."""
    routes = APIRouter()
    _add_rephrasings(routes, reader)
    _add_causes(routes, reader)
    _add_topics(routes, reader)
    _add_conversions(routes, reader)
    return routes


def _add_rephrasings(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/insights/rephrasings", **described(Rephrasings), summary="What shoppers had to say again")
    async def get_rephrasings(
        scope: asked, form: AskedForm, *, examples: Which = None, min_queries: Least = None, limit: Limit = None
    ) -> Response:
        least = scopes.whole("min_queries", min_queries, LEAST_QUERIES, least=1, most=MOST_LEAST)
        which = one_of("examples", examples, EXAMPLES)
        answer = await rephrasings(reader, scope, limit=rows(limit, 20), order=which, least=least)
        return await respond(form, answer if form == "json" else answer.examples, Pair, "rephrasings")


def _add_causes(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/insights/causes", **described(Causes), summary="Where interactions broke")
    async def get_causes(
        scope: asked,
        form: AskedForm,
        *,
        split: Split = None,
        step: OverTime = None,
        tz: Zone = None,
        examples: Few = None,
        limit: Limit = None,
    ) -> Response:
        wanted = Asked(
            split=read_split(split),
            limit=rows(limit, 20),
            step=None if step is None else read_step(step),
            zone=read_zone(tz),
            examples=scopes.whole("examples", examples, 3, least=0, most=MOST_EXAMPLES),
        )
        answer = await causes(reader, scope, wanted)
        if form == "json":
            return await respond(form, answer, Causes, "causes")
        table, kind = answer.table
        return await respond(form, table, kind, "causes")


def _add_topics(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]
    # Comparing thousands of texts takes seconds and memory: one such request at a time.
    one_at_a_time = asyncio.Lock()

    @routes.get(
        "/insights/demand", **described(Demand, ExtraMissing), summary="What shoppers asked for in vain, by topic"
    )
    async def get_demand(scope: asked, form: AskedForm, limit: Limit = None) -> Response:
        most = rows(limit, 20)
        async with one_at_a_time:
            answer = await demand(reader, scope, limit=most)
        return await respond(form, answer if form == "json" else answer.topics, DemandTopic, "demand")

    @routes.get("/insights/key-terms", **described(list[KeyTerm]), summary="Words for the recogniser to expect")
    async def get_key_terms(scope: asked, form: AskedForm, limit: Limit = None) -> Response:
        most = rows(limit, 100)
        async with one_at_a_time:
            found = await terms(reader, scope, limit=most)
        return await respond(form, found, KeyTerm, "key-terms")

    @routes.get("/insights/synonyms", **described(list[SynonymCandidate]), summary="Words that may mean another")
    async def get_synonyms(scope: asked, form: AskedForm, limit: Limit = None) -> Response:
        most = rows(limit, 100)
        async with one_at_a_time:
            found = await synonyms(reader, scope, limit=most)
        return await respond(form, found, SynonymCandidate, "synonyms")


def _add_conversions(routes: APIRouter, reader: Reader) -> None:
    asked = Annotated[Scope, Depends(scope_dependency(reader))]

    @routes.get("/stats/conversions", **described(Conversions), summary="What was bought, and after which queries")
    async def get_conversions(scope: asked, form: AskedForm) -> Response:
        answer = await conversions(reader, scope)
        return await respond(form, answer if form == "json" else answer.by_intent, IntentConversions, "conversions")
