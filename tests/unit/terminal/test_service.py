"""How the service of a database is reached: by paths that mean what they say, whatever an id is."""

from urllib.parse import unquote

import httpx
import pytest

from aura_analytics.terminal.service import path_of


@pytest.mark.parametrize("id", [".", "..", "a/../b", "a/b", "q?x=1#f", "a%2Fb", "é", " "])
def test_a_path_leads_to_its_interaction(id: str) -> None:
    asked = httpx.Request("GET", f"http://127.0.0.1{path_of('/interactions', id)}").url
    assert unquote(asked.raw_path.decode("ascii")) == f"/interactions/{id}"
    assert asked.raw_path.count(b"/") == 2
