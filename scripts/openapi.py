"""Write the OpenAPI document of the server to a file: the page's types are made of it (`make types`)."""

import asyncio
import json
import sys
from pathlib import Path

import httpx

from aura_analytics.app import make_app
from aura_analytics.projection import NoColumns
from aura_analytics.settings import Settings
from aura_analytics.store import make_store


async def document() -> object:
    """Ask the application itself; neither rows nor columns are needed for it."""
    settings = Settings(auth="off")  # nobody asks from outside
    app = make_app(settings, make_store(settings), NoColumns())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return (await client.get("/openapi.json")).raise_for_status().json()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(asyncio.run(document())), encoding="utf-8")
