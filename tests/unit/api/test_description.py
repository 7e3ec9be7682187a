"""The OpenAPI document: every route, and of each what is really taken, needed, answered and refused."""

import asyncio
import re
from typing import Any

import httpx
import msgspec
import pytest

from aura_analytics.api.asking import FILTERS
from aura_analytics.api.described import described
from aura_analytics.api.description import completed
from aura_analytics.api.incoming import operation
from aura_analytics.api.refusals import joined, refusals
from aura_analytics.api.schemas import Shelf, schema_of
from aura_analytics.app import make_app
from aura_analytics.errors import AuraError, EventsRejected, NotFound, ParameterError, Unauthorised
from aura_analytics.events.wire import DOCUMENTED, OLDER, WIRE_NAMES
from aura_analytics.guard.access import ROUTES
from aura_analytics.ingest.receipt import Receipt
from aura_analytics.projection import NoColumns
from aura_analytics.settings import Settings
from aura_analytics.stats.scope import BOUNDS, ONE, SEVERAL
from aura_analytics.stats.summary import Summary
from aura_analytics.store import make_store

Document = dict[str, Any]


async def asked(**settings: Any) -> Document:
    given = Settings(**settings)
    transport = httpx.ASGITransport(make_app(given, make_store(given), NoColumns()))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        document: Document = (await client.get("/openapi.json")).raise_for_status().json()
        return document


@pytest.fixture(scope="module")
def document() -> Document:
    return asyncio.run(asked(auth="off"))


def operations(document: Document) -> dict[tuple[str, str], Document]:
    return {
        (method.upper(), path): one for path, methods in document["paths"].items() for method, one in methods.items()
    }


def resolved(document: Document, part: Document) -> Document:
    while "$ref" in part:
        for name in part["$ref"].removeprefix("#/").split("/"):
            document = document[name]
        part = document
    return part


def test_every_route_is_in_it(document: Document) -> None:
    assert set(operations(document)) == {(method, path.replace(":path}", "}")) for method, path in ROUTES}


def test_every_name_is_told_apart_and_every_reference_leads_somewhere(document: Document) -> None:
    names = [one["operationId"] for one in operations(document).values()]
    assert len(names) == len(set(names))
    text = msgspec.json.encode(document).decode()
    for kind, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
        assert name in document["components"][kind]
    for link in re.findall(r'"operationId":"(\w+)","parameters":\{', text):
        assert link in names


def test_of_every_operation_is_said_what_may_go_wrong(document: Document) -> None:
    for (method, path), one in operations(document).items():
        need = ROUTES.get((method, path)) or ROUTES[method, path.replace("}", ":path}")]
        told = one["responses"].keys()
        assert {"400", "408", "414", "431", "503"} <= told, path
        assert ({"401", "403", "409", "413", "429"} <= told) or need.scope is None or path == "/session", path
        assert not {"422", "500", "default"} & told, path
        for status, response in one["responses"].items():
            whole = resolved(document, response)
            assert "x-codes" not in whole
            assert (status in ("401", "429")) <= ("headers" in whole), path
        assert len({parameter["name"] for parameter in one["parameters"]}) == len(one["parameters"]), path


def test_a_key_is_needed_where_the_door_asks_for_one() -> None:
    plain = {"info": {"description": ""}, "paths": {"/audit": {"get": {"responses": {}}}}}
    closed, opened = (operations(completed(plain, Receipt, closed=closed)) for closed in (True, False))
    assert closed["GET", "/audit"]["security"] == [{"ApiKey": []}, {"Bearer": []}, {"Session": []}]
    assert closed["GET", "/"]["security"] == opened["GET", "/audit"]["security"] == []
    assert "`admin`" in closed["GET", "/audit"]["description"]


def test_all_that_a_scope_is_read_from_is_named(document: Document) -> None:
    bounds = {f"{name}_{end}" for name in BOUNDS for end in ("min", "max")}
    assert {*SEVERAL, *ONE, *bounds, "period", "from", "to"} == FILTERS
    for path in ("/stats/summary", "/interactions", "/insights/causes"):
        named = [one["name"] for one in document["paths"][path]["get"]["parameters"]]
        assert set(named) >= FILTERS
        assert "x-scope" not in named


def test_bounds_are_those_of_the_readers(document: Document) -> None:
    taken = {one["name"]: one["schema"] for one in document["paths"]["/stats/timeseries"]["get"]["parameters"]}
    assert taken["top"] == {"type": "integer", "minimum": 1, "maximum": 50, "title": "Top"}
    assert taken["step"]["enum"] == ["minute", "hour", "day", "week", "month", ""]
    assert taken["label"]["items"]["enum"] == ["GOOD", "REVIEW", "BAD", "(none)"]
    assert re.fullmatch(taken["metric"]["items"]["pattern"], "queries,latency_p95")


def test_what_an_endpoint_doesn_t_take_isn_t_there(document: Document) -> None:
    def names(path: str, method: str = "get") -> set[str]:
        return {one["name"] for one in document["paths"][path][method]["parameters"] if one["in"] == "query"}

    assert names("/evaluations/failed") == {"store", "cause", "limit", "cursor"}
    assert names("/stats/judge") == {"store", "period", "from", "to", "format"}
    assert not names("/stats/agreement", "post") & {"label", "reason"}


class TestIncoming:
    def shapes(self) -> list[Document]:
        body = operation(Receipt)["requestBody"]["content"]["application/json"]["schema"]
        found: list[Document] = body["anyOf"][0]["anyOf"]
        return found

    def test_every_field_of_every_shape_is_there(self) -> None:
        for (tag, kind), shape in zip((*DOCUMENTED.items(), *OLDER.items()), self.shapes(), strict=True):
            assert shape["title"] == tag
            assert set(WIRE_NAMES[kind]) <= set(shape["properties"])
            assert "additionalProperties" not in shape  # fields of the caller's own are kept

    def test_patterns_are_of_ecma(self) -> None:
        assert "\\Z" not in msgspec.json.encode(self.shapes()).decode()


class TestRefusals:
    def test_errors_of_one_status_are_one_answer(self) -> None:
        told = refusals(ParameterError, EventsRejected, Unauthorised)
        assert list(told) == ["400", "401"]
        problem, code, members = told["400"]["content"]["application/problem+json"]["schema"]["allOf"]
        assert problem["title"] == "Problem"
        assert code["properties"]["code"]["enum"] == ["events_rejected", "invalid_parameter"]
        assert "rejected" in members["properties"]
        assert told["401"]["headers"]["WWW-Authenticate"]["required"] is True

    def test_what_several_say_is_put_together(self) -> None:
        one = joined(refusals(ParameterError), refusals(EventsRejected))
        assert one == refusals(ParameterError, EventsRejected)

    def test_an_answer_that_isn_t_a_problem_keeps_its_words(self) -> None:
        state = {"503": {"description": "It can't.", "content": {"application/json": {}}}}
        both = joined(state, refusals(more=[(503, "busy", "Busy")]))["503"]
        assert both["description"] == "It can't."
        assert both["content"].keys() == {"application/json", "application/problem+json"}

    def test_every_error_that_is_told_can_be_described(self) -> None:
        def tree(kind: type[AuraError]) -> list[type[AuraError]]:
            return [kind, *(one for child in kind.__subclasses__() for one in tree(child))]

        for error in tree(AuraError):
            assert str(error.status) in refusals(error)


class TestSchemas:
    def test_what_has_a_title_is_put_aside_once(self) -> None:
        shelf = Shelf()
        found = shelf.shelved([schema_of(Summary), schema_of(Summary)])
        assert found == [{"$ref": "#/components/schemas/Summary"}] * 2
        assert "totalQueries" in shelf.schemas["Summary"]["properties"]

    def test_two_of_one_title_that_differ_stay_two(self) -> None:
        shelf = Shelf()
        one, other = ({"title": "A", "type": "object", "properties": {name: {}}} for name in "ab")
        assert shelf.shelved([one, other]) == [{"$ref": "#/components/schemas/A"}, other]

    def test_what_can_be_compared_may_have_the_one_before_beside_it(self) -> None:
        responses = described(Summary, NotFound, compared=Summary)["responses"]
        schema = responses[200]["content"]["application/json"]["schema"]
        assert {"previous", "change"} <= schema["properties"].keys()
        assert not {"previous", "change"} & set(schema["required"])
        assert "404" in responses
