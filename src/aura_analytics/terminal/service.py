"""How a command reaches the numbers: through the server that owns the columns, or by being that server for a moment.

Either way a command speaks to the same endpoints, so that it can't have other numbers than the page.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from aura_analytics.errors import LoadError
from aura_analytics.projection import Owner, column_files, owner_of
from aura_analytics.settings import Settings

# The longest question: comparing all rows and columns.
TIMEOUT_S = 600
HEALTH_S = 5


@asynccontextmanager
async def reached_service(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Reach the endpoints of this database."""
    url = await serving_at(settings)
    if url is not None:
        async with httpx.AsyncClient(
            base_url=url, timeout=TIMEOUT_S, trust_env=False, headers=shown_key(settings)
        ) as client:
            yield client
            return
    # Imported here: a server and DuckDB take longer to load than asking another one does.
    from aura_analytics.terminal.alone import own_service  # noqa: PLC0415

    async with own_service(settings) as client:
        yield client


def shown_key(settings: Settings) -> dict[str, str]:
    """Give the header that shows the key of the settings, if there is one."""
    return {"x-api-key": settings.aura_api_key} if settings.aura_api_key else {}


async def get(client: httpx.AsyncClient, path: str, parameters: Mapping[str, Any]) -> Any:  # Any: the endpoint's JSON
    """Ask one endpoint, as `answer` does."""
    return (await answer(client, path, parameters)).json()


async def answer(
    client: httpx.AsyncClient, path: str, parameters: Mapping[str, Any], body: object = None
) -> httpx.Response:
    """Ask one endpoint; parameters that are None are left out. Any: texts, numbers, or several of them.

    Args:
        client: reaches it.
        path: names it.
        parameters: of its query string.
        body: what is posted as JSON; without it, it is a GET.

    Raises:
        LoadError: it answered with a problem; its words are the error's.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        found = await client.request("GET" if body is None else "POST", path, params=given, json=body)
    except httpx.HTTPError as error:
        raise LoadError(f"the service doesn't answer: {str(error) or type(error).__name__}") from error
    if found.is_success:
        return found
    raise LoadError(explain(found))


def path_of(folder: str, id: str) -> str:
    """Give the path of an interaction, whatever its id is: one of dots only would else be taken for a folder's."""
    return f"{folder}/{quote(id, safe='').replace('.', '%2E')}"


def explain(answer: httpx.Response) -> str:
    """Give the words of a problem document, or the status where there are none."""
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the service answered with HTTP {answer.status_code}"


async def serving_at(settings: Settings) -> str | None:
    """Give the address of a server that keeps this database's columns, if one on this machine does."""
    for owner in filter(None, map(owner_of, column_files(settings))):
        if await _answers(owner):
            return owner.url
    return None


def own_address(settings: Settings) -> str:
    """Give where a server with these settings answers on this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 (compared, not bound)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


async def _answers(owner: Owner) -> bool:
    """Whether a service answers where a note says: the note may be old."""
    try:
        async with httpx.AsyncClient(base_url=owner.url, timeout=HEALTH_S, trust_env=False) as client:
            return bool((await client.get("/health")).json().get("worker") == "analytics")
    except (httpx.HTTPError, ValueError, AttributeError):
        return False
