"""Characters that JSON lets through and no database keeps: halves of one, and NUL."""

import re
from typing import Any

REPLACEMENT = "\ufffd"

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def mend_surrogates(text: bytes) -> bytes:
    r"""Replace escapes of half a character, which JavaScript writes for a string that was cut inside of an emoji.

    `\ud83d` alone is no character in any encoding; it becomes U+FFFD, as browsers show it. Pairs stay as they are.
    """
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def clean(value: Any) -> Any:  # Any: what JSON can hold
    """Replace the NUL character in texts: no database agrees with another one on what it means."""
    if isinstance(value, str):
        return value.replace("\0", REPLACEMENT)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {name.replace("\0", REPLACEMENT): clean(item) for name, item in value.items()}
    return value
