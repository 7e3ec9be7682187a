"""An evaluator as people run it beside a server: its own process, that labels until it is stopped."""

import json
import signal
from pathlib import Path
from typing import Any, Self

from acceptance import nursery
from acceptance.database import PATIENCE_S
from acceptance.service import clean_environment

QUICK = {"EVAL_INTERVAL_SECONDS": "0.05", "EVAL_GRACE_SECONDS": "0"}


class Watching:
    """A process that evaluates until it is stopped. Use it in a `with`.

    Args:
        folder: the working directory, of its own.
        url: the row database.
        settings: of the environment, by their names.
    """

    def __init__(self, folder: Path, url: str, **settings: str) -> None:
        folder.mkdir(parents=True)
        self._log = folder / "stderr.log"
        with self._log.open("wb") as stderr:
            arguments = ("evaluate", "--watch", "--database", url)
            environment = clean_environment(**{**QUICK, **settings})
            self.process = nursery.started(*arguments, cwd=folder, env=environment, stdout=stderr, stderr=stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def log(self) -> list[dict[str, Any]]:
        """What it has logged; there is nothing else in it."""
        whole, _, _ = self._log.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def has_logged(self, event: str) -> bool:
        """Whether there is such a line."""
        return self.times_logged(event) > 0

    def times_logged(self, event: str) -> int:
        """How many such lines there are."""
        return sum(line["event"] == event for line in self.log())
