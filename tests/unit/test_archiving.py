"""What a server is told of a day's archiving where its process doesn't come to its end."""

import sys

import pytest

from aura_analytics import archiving
from aura_analytics.settings import Settings


async def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    kept = await archiving.keep(Settings())
    assert kept.error == "the archive's process can't be started: No such file or directory"


async def test_a_process_that_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "MODULE", "a_module_that_is_none")
    kept = await archiving.keep(Settings())
    assert kept.error == "the archive's process ended early: 1"
