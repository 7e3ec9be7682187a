"""What a run of tests shares: one PostgreSQL, whichever worker needs it first."""

import gc
from pathlib import Path
from typing import Any

import pytest

from postgres_server import PostgresServer, Run

RUN = pytest.StashKey[Run]()
FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """The first process holds the run's folder; the workers are told which it is."""
    told: dict[str, Any] | None = getattr(config, "workerinput", None)
    if told is None:
        config.stash[RUN] = Run()
        config.stash[FOLDER] = config.stash[RUN].folder
    else:
        config.stash[FOLDER] = Path(told["postgres"])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # Any: the plugin that makes workers has no types
    """Tell a worker."""
    node.workerinput["postgres"] = str(node.config.stash[FOLDER])


def pytest_collection_finish() -> None:
    """Look for garbage no more among thousands of tests that stay until the end."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the run has started."""
    if RUN in config.stash:
        config.stash[RUN].end()


@pytest.fixture(scope="session")
def postgres_folder(pytestconfig: pytest.Config) -> Path:
    """The run's folder."""
    return pytestconfig.stash[FOLDER]


@pytest.fixture(scope="session")
def postgres_server(postgres_folder: Path) -> PostgresServer:
    """The run's PostgreSQL, as it is in earnest."""
    return PostgresServer(postgres_folder)


@pytest.fixture(scope="session")
def forgetful_postgres_server(postgres_folder: Path) -> PostgresServer:
    """Another one, where databases cost little."""
    return PostgresServer(postgres_folder, durable=False)
