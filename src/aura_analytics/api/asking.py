"""What every reading endpoint is asked with: the scope, as it stands in the query string.

asked = Annotated[Scope, Depends(scope_dependency(reader))]

@routes.get("/stats/something")
async def get_something(scope: asked) -> Response: ...
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request
from pydantic import WithJsonSchema

from aura_analytics.api.cache import LASTING
from aura_analytics.api.parameters import LATENCY, MOMENT, PERIOD, SHARE, TEXT, TEXTS, several
from aura_analytics.errors import ParameterError
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Choice = TypeVar("Choice", bound=str)

Text = Annotated[str | None, Query()]
Parameter = dict[str, Any]  # Any: OpenAPI's own object
STORES = ("store", "storeId", "store_id")
SOURCES, LABELLED = (several({"type": "string", "enum": list(scopes.TAKEN[name])}) for name in ("source", "label"))
_SEVERAL = "may be given several times."
_MOMENT, _LATENCY = "ISO 8601 or epoch ms, included.", "Milliseconds, included."
_CONFIDENCE = "The recogniser's, 0 to 1, included."
# Each endpoint's parameters of this kind: the framework would look at them for each anew, which a start would wait for.
_DESCRIBED: dict[str, tuple[str, WithJsonSchema]] = {
    "period": ("`<n>m`, `<n>h`, `<n>d` or `all`; default `24h`.", PERIOD),
    "from": (_MOMENT, MOMENT),
    "to": (_MOMENT, MOMENT),
    "store": (f"Only this store; {_SEVERAL}", TEXTS),
    "intent": (f"Only this intent, or `(none)`; {_SEVERAL}", TEXTS),
    "model": (f"Only this model, or `(none)`; {_SEVERAL}", TEXTS),
    "source": (f"Only `voice`, `text` or `test`; {_SEVERAL}", SOURCES),
    "label": (f"Only `GOOD`, `REVIEW`, `BAD` or `(none)`; {_SEVERAL}", LABELLED),
    "reason": (f"Only this reason of the label, or `(none)`; {_SEVERAL}", TEXTS),
    "action": (f"Only this action, or `(none)`; {_SEVERAL}", TEXTS),
    "user": ("Only this user.", TEXT),
    "session": ("Only this session.", TEXT),
    "text": ("Only what was said with this in it, whatever its case.", TEXT),
    "latency_min": (_LATENCY, LATENCY),
    "latency_max": (_LATENCY, LATENCY),
    "confidence_min": (_CONFIDENCE, SHARE),
    "confidence_max": (_CONFIDENCE, SHARE),
}
# What a scope is asked with; an endpoint that takes a part of it says so by `without`.
FILTERS = frozenset(_DESCRIBED)
# The one parameter that the framework knows, and that stands for all of them until the document is made.
_SCOPE = "x-scope"


def scope_dependency(reader: Reader) -> Callable[..., Awaitable[Scope]]:
    """Make the dependency that reads a scope, and tells the cache whether its answers depend on the present."""

    async def asked_scope(request: Request, _all: Annotated[str | None, Query(alias=_SCOPE)] = None) -> Scope:
        query = request.query_params
        values: dict[str, str | Sequence[str] | None] = {
            name: query.getlist(name) if name in scopes.SEVERAL else query.get(name) for name in _DESCRIBED
        }
        scope = scopes.parse(values | {"store": _stores(query.getlist(name) for name in STORES)}, now=reader.now)
        request.scope[LASTING] = scope.is_past(reader.answered_until)
        return scope

    return asked_scope


def spelled_out(parameters: Iterable[Parameter]) -> list[Parameter]:
    """Give an operation's parameters with those of a scope by their names, where it has one."""
    return [one for given in parameters for one in (_PARAMETERS if given["name"] == _SCOPE else (given,))]


def _parameter(name: str, words: str, takes: WithJsonSchema) -> Parameter:
    schema = {**(takes.json_schema or {}), "title": name.replace("_", " ").title()}
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": words}


_PARAMETERS = tuple(_parameter(name, *told) for name, told in _DESCRIBED.items())


def _stores(aliases: Iterable[Sequence[str]]) -> Sequence[str] | None:
    given = [stores for stores in aliases if stores]
    if len({frozenset(stores) for stores in given}) > 1:
        raise ParameterError("store, storeId and store_id name different stores; give one of them")
    return given[0] if given else None


def rows(text: str | None, default: int) -> int:
    """Read how many rows are wanted."""
    return scopes.limit(text, default) or default


def one_of(name: str, text: str | None, choices: Sequence[Choice]) -> Choice:
    """Read a choice; the first is the default.

    Raises:
        ParameterError: there is no such choice.
    """
    if text is None:
        return choices[0]
    for choice in choices:
        if text == choice:
            return choice
    raise ParameterError(f"{name} is one of {', '.join(choices)}")
