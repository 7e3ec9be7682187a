"""The service is what its OpenAPI document says: Schemathesis asks every operation, with all of its checks.

A few requests for each, always the same ones. `scripts/described.py` asks some ten thousand.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.service import Service, outcome, query
from aura_analytics.clock import now
from aura_analytics.guard import key
from aura_analytics.opening import opened_store
from aura_analytics.settings import Settings
from aura_analytics.store.keys import KeyRecord

SCRIPTS = Path(__file__).parents[2] / "scripts"
SCHEMATHESIS = Path(sys.executable).parent / "st"
PATIENCE_S = 200
FEW = ["--phases", "examples,fuzzing", "--max-examples", "1", "--generation-deterministic"]


async def keep(service: Service, made: key.NewKey) -> None:
    record = KeyRecord(id=made.id, name="admin", hash=made.hash, created_at=now(), scopes=("admin",))
    async with opened_store(Settings(aura_database_url=service.database_url)) as store:
        await store.keys.create(record, actor="test")


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    """A service with a few interactions, and a key to all of it."""
    service, made = Service(tmp_path_factory.mktemp("described")), key.make()
    asyncio.run(keep(service, made))
    with service:
        service.http.headers["X-API-Key"] = made.token
        service.ingest(*(event for id in ("q-1", "q-2") for event in (query(id), outcome(id))))
        yield service, made.token


def held(described: tuple[Service, str], *more: str, document: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Hold the service to its document, or to another one."""
    service, token = described
    place = [str(document), "--url", service.url] if document else [f"{service.url}/openapi.json"]
    command = [
        SCHEMATHESIS,
        "--config-file",
        SCRIPTS / "described.toml",
        "run",
        *place,
        "--header",
        f"X-API-Key: {token}",
    ]
    return subprocess.run(
        [*command, "--checks", "all", "--no-color", "--no-shrink", "--warnings", "off", *more],
        cwd=service.folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "described_hooks", "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.timeout(PATIENCE_S)
def test_every_operation_is_as_the_document_has_it(described: tuple[Service, str]) -> None:
    done = held(described, *FEW)
    assert done.returncode == 0, done.stdout[done.stdout.find("FAILURES") :]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None
    assert int(tested[1]) > 40
    assert described[0].complaints() == []


def lied(paths: Any) -> Any:  # Any: OpenAPI's own objects
    """Of five operations, say one thing each that isn't so."""
    del paths["/health"]["get"]["responses"]["200"]
    [limit] = [one for one in paths["/audit"]["get"]["parameters"] if one["name"] == "limit"]
    limit["required"], limit["schema"] = True, {"type": "integer", "minimum": 200_000, "maximum": 300_000}
    paths["/"]["get"]["security"] = [{"ApiKey": []}]
    kinds = paths["/alerts"]["get"]["responses"]["200"]["content"]
    kinds["text/plain"] = kinds.pop("application/json")
    paths["/session"]["get"]["responses"]["200"]["content"]["application/json"]["schema"] = {"required": ["mood"]}
    return {path: {"get": paths[path]["get"]} for path in ("/health", "/audit", "/", "/alerts", "/session")}


@pytest.mark.timeout(PATIENCE_S)
def test_a_document_that_lies_is_found_out(described: tuple[Service, str], tmp_path: Path) -> None:
    document = described[0].get("/openapi.json")
    document["paths"] = lied(document["paths"])
    (tmp_path / "lying.json").write_text(json.dumps(document), "utf-8")
    done = held(described, *FEW, document=tmp_path / "lying.json")
    assert done.returncode == 1
    for said in (
        "Undocumented status code",
        "Schema-valid request rejected",
        "API accepts",
        "Undocumented Content-Type",
        "Response violates schema",
    ):
        assert said in done.stdout, said
