"""The page stays small enough to come at once over a telephone."""

import gzip
from importlib.resources import files

import pytest

MOST_BYTES = 150 * 1024
BUILT = files("aura_analytics") / "dashboard"


@pytest.mark.skipif(not (BUILT / "index.html").is_file(), reason="the page isn't built: `make page` does it")
def test_all_of_it_packed_is_small() -> None:
    assets = [one for one in (BUILT / "assets").iterdir() if one.name.endswith((".js", ".css", ".svg"))]
    packed = [gzip.compress(one.read_bytes()) for one in (*assets, BUILT / "index.html")]
    assert len(assets) >= 3
    assert sum(map(len, packed)) <= MOST_BYTES
