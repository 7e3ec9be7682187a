"""A share of what `scripts/fuzz.py` throws at the decoder."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "fuzz.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_body_raises_what_is_not_its_sender_s_fault(script: ModuleType) -> None:
    found, _ = asyncio.run(script.fuzz(4_000, seed=20))
    # Each way out is taken, so that none of them went untried.
    assert set(found) >= {"taken", "rejected", "malformed_body", "too_large"}
