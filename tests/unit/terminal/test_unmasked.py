"""Who has texts masked is told where they aren't."""

import pytest

from aura_analytics.settings import Settings
from aura_analytics.terminal.unmasked import tell_of_texts


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        (Settings(), False),
        (Settings(redact_stores="shop=none"), False),
        (Settings(redact="email"), True),
        (Settings(redact_stores="shop=all"), True),
    ],
)
def test_it_is_said_that_texts_are_taken_in_as_they_are(
    capsys: pytest.CaptureFixture[str], settings: Settings, is_told: bool
) -> None:
    tell_of_texts(settings)
    assert ("as they are" in capsys.readouterr().err) is is_told
