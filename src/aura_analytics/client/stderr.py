"""What people are told where nobody else was named to tell.

Nothing here raises: a program's stderr may be full, closed, or not there at all, and its events are to be sent all the same.
"""

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Write a line, if it can be written."""
    with suppress(Exception):
        sys.stderr.write(f"aura_analytics.client: {text}\n")


def described(error: BaseException) -> str:
    """Name an error; one of the caller's may fail at that as well."""
    try:
        return repr(error)
    except Exception:  # noqa: BLE001  # whatever it is, its kind has a name
        return type(error).__name__
