"""Why an event isn't taken: a code, the field as the sender wrote it, and a sentence."""

import re

import msgspec

from aura_analytics.errors import Rejection

_AT_FIELD = re.compile(r"^(?P<what>.*?)(?: - at `\$\.(?P<field>[^`.\[]+)[^`]*`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


class InvalidEvent(ValueError):
    """One event is wrong; stays inside of this package, where it becomes a `Rejection`."""

    def __init__(self, code: str, field: str | None, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field

    def at(self, index: int) -> Rejection:
        """Say which event of the body this was."""
        return Rejection(index=index, code=self.code, field=self.field, message=str(self))


def explain(error: msgspec.ValidationError) -> InvalidEvent:
    """Turn msgspec's words into a code, a field, and a sentence."""
    message = str(error)
    if missing := _MISSING.search(message):
        return InvalidEvent("missing_field", missing["field"], f"{missing['field']} is required")
    parts = _AT_FIELD.match(message)
    what, field = (parts["what"].partition(" - at ")[0], parts["field"]) if parts else (message, None)
    if "matching regex" in what:
        return InvalidEvent("invalid_value", field, "a currency is three letters, such as EUR")
    if "Invalid" in what or "timezone" in what:
        code = "invalid_value"
    elif "got `" in what:
        code = "invalid_type"
    else:
        code = "out_of_range"
    return InvalidEvent(code, field, what[0].lower() + what[1:].replace("`", ""))
