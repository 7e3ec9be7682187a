"""Services to talk to: one that cheap tests share, and as many of one's own as a test wants to break."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from acceptance.service import Service

StartService = Callable[..., Service]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the defaults, shared: a test that uses it keeps to stores and ids of its own."""
    with Service(tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.fixture
def name() -> str:
    """A name that nobody else uses, for a store or an id."""
    return f"t-{uuid4().hex}"


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[StartService]:
    """Start services of one's own; settings are keyword arguments. They end with the test."""
    with ExitStack() as stack:

        def start(folder: str = "own", **settings: str) -> Service:
            return stack.enter_context(Service(tmp_path / folder, **settings))

        yield start
