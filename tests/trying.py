"""How many examples a property is tried with: few where all tests run again and again, ten times as many where asked.

`HYPOTHESIS_PROFILE=thorough make test` asks. What costs little has its own number, and always the same.
"""

import os
from typing import Any

from hypothesis import settings

THOROUGH = 10


def tried(count: int, **more: Any) -> settings:  # Any: hypothesis's own settings
    """So many examples, or `THOROUGH` times as many; an example may take as long as it likes."""
    times = THOROUGH if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 1
    return settings(max_examples=count * times, deadline=None, **more)
