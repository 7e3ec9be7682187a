"""What every reading endpoint is asked with: the scope, as it stands in the query string.

asked = Annotated[Scope, Depends(scope_dependency(reader))]

@routes.get("/stats/something")
async def get_something(scope: asked) -> Response: ...
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Query, Request

from aura_analytics.api.cache import LASTING
from aura_analytics.api.parameters import LATENCY, MOMENT, PERIOD, SHARE, TEXT, TEXTS, several
from aura_analytics.errors import ParameterError
from aura_analytics.stats import scope as scopes
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Choice = TypeVar("Choice", bound=str)

Text = Annotated[str | None, Query()]
Texts = list[str] | None
# What a scope is asked with; an endpoint that takes a part of it says so by `without`.
FILTERS = frozenset(
    {*scopes.SEVERAL, *scopes.ONE, "period", "from", "to"}
    | {f"{name}_{end}" for name in scopes.BOUNDS for end in ("min", "max")}
)
Hidden = Query(include_in_schema=False)
SOURCES, LABELLED = (several({"type": "string", "enum": list(scopes.TAKEN[name])}) for name in ("source", "label"))


def _several(what: str) -> object:
    return Query(description=f"Only {what}; may be given several times.")


def scope_dependency(reader: Reader) -> Callable[..., Awaitable[Scope]]:
    """Make the dependency that reads a scope, and tells the cache whether its answers depend on the present."""

    async def asked_scope(
        request: Request,
        *,
        period: Annotated[
            str | None, Query(description="`<n>m`, `<n>h`, `<n>d` or `all`; default `24h`."), PERIOD
        ] = None,
        since: Annotated[str | None, Query(alias="from", description="ISO 8601 or epoch ms, included."), MOMENT] = None,
        until: Annotated[str | None, Query(alias="to", description="ISO 8601 or epoch ms, included."), MOMENT] = None,
        store: Annotated[Texts, _several("this store"), TEXTS] = None,
        store_id_camel: Annotated[Texts, Query(alias="storeId", include_in_schema=False)] = None,
        store_id: Annotated[Texts, Hidden] = None,
        intent: Annotated[Texts, _several("this intent, or `(none)`"), TEXTS] = None,
        model: Annotated[Texts, _several("this model, or `(none)`"), TEXTS] = None,
        source: Annotated[Texts, _several("`voice`, `text` or `test`"), SOURCES] = None,
        label: Annotated[Texts, _several("`GOOD`, `REVIEW`, `BAD` or `(none)`"), LABELLED] = None,
        reason: Annotated[Texts, _several("this reason of the label, or `(none)`"), TEXTS] = None,
        action: Annotated[Texts, _several("this action, or `(none)`"), TEXTS] = None,
        user: Annotated[str | None, Query(description="Only this user."), TEXT] = None,
        session: Annotated[str | None, Query(description="Only this session."), TEXT] = None,
        text: Annotated[
            str | None, Query(description="Only what was said with this in it, whatever its case."), TEXT
        ] = None,
        latency_min: Annotated[str | None, Query(description="Milliseconds, included."), LATENCY] = None,
        latency_max: Annotated[str | None, Query(description="Milliseconds, included."), LATENCY] = None,
        confidence_min: Annotated[str | None, Query(description="The recogniser's, 0 to 1, included."), SHARE] = None,
        confidence_max: Annotated[str | None, Query(description="The recogniser's, 0 to 1, included."), SHARE] = None,
    ) -> Scope:
        values: dict[str, str | Sequence[str] | None] = {
            "period": period,
            "from": since,
            "to": until,
            "store": _stores(store, store_id_camel, store_id),
            "intent": intent,
            "model": model,
            "source": source,
            "label": label,
            "reason": reason,
            "action": action,
            "user": user,
            "session": session,
            "text": text,
            "latency_min": latency_min,
            "latency_max": latency_max,
            "confidence_min": confidence_min,
            "confidence_max": confidence_max,
        }
        scope = scopes.parse(values, now=reader.now)
        request.scope[LASTING] = scope.is_past(reader.answered_until)
        return scope

    return asked_scope


def _stores(*aliases: Texts) -> Sequence[str] | None:
    given = [stores for stores in aliases if stores is not None]
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
