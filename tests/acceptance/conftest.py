"""Services to talk to: one that cheap tests share, and as many of one's own as a test wants to break.

A test runs over each row database, or over those that it names: `@pytest.mark.backends("sqlite")`.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from acceptance.database import BACKENDS, Database, PostgresDatabase, SqliteFile
from acceptance.service import Service
from acceptance.watching import Watching
from postgres_server import PostgresServer

StartService = Callable[..., Service]
StartEvaluator = Callable[..., Watching]
MakeDatabase = Callable[[Path], Database]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "backends(*names): the row databases that a test runs over, of all by default")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        named = metafunc.definition.get_closest_marker("backends")
        metafunc.parametrize("backend", named.args if named else BACKENDS, indirect=True, scope="session")


@pytest.fixture(scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of row database."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def make_database(request: pytest.FixtureRequest, backend: str) -> MakeDatabase:
    """Make a row database for a service in a folder."""

    def make(folder: Path) -> Database:
        if backend == "sqlite":
            return SqliteFile(folder / "aura.db")
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return PostgresDatabase(server.create())

    return make


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, make_database: MakeDatabase) -> Iterator[Service]:
    """A service with the defaults, shared: a test that uses it keeps to stores and ids of its own."""
    folder = tmp_path_factory.mktemp("shared")
    with Service(folder, make_database(folder)) as service:
        yield service


@pytest.fixture
def name() -> str:
    """A name that nobody else uses, for a store or an id."""
    return f"t-{uuid4().hex}"


@pytest.fixture
def start_service(tmp_path: Path, make_database: MakeDatabase) -> Iterator[StartService]:
    """Start services of one's own; settings are keyword arguments. They end with the test."""
    with ExitStack() as stack:

        def start(folder: str = "own", **settings: str) -> Service:
            place = tmp_path / folder
            return stack.enter_context(Service(place, make_database(place), **settings))

        yield start


@pytest.fixture
def start_evaluator(tmp_path: Path) -> Iterator[StartEvaluator]:
    """Start evaluators on a service's database; settings are keyword arguments. They end with the test."""
    with ExitStack() as stack:
        started: list[Watching] = []

        def start(url: str, **settings: str) -> Watching:
            started.append(stack.enter_context(Watching(tmp_path / f"evaluator-{len(started)}", url, **settings)))
            return started[-1]

        yield start
