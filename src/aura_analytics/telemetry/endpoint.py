"""Where traces go, and what goes with them."""

from collections.abc import Mapping
from urllib.parse import unquote


def traces_url(endpoint: str) -> str:
    """Give where traces go, as the specification has it for an endpoint of all signals."""
    return f"{endpoint.rstrip('/')}/v1/traces"


def headers_of(text: str) -> Mapping[str, str]:
    """Read headers as the specification writes them: NAME=VALUE with a comma between, values percent-encoded."""
    pairs = (one.split("=", 1) for one in text.split(",") if one.strip())
    return {unquote(name).strip().lower(): unquote(value).strip() for name, value in pairs}
