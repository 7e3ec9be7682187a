"""Where traces go."""


def traces_url(endpoint: str) -> str:
    """Give where traces go, as the specification has it for an endpoint of all signals."""
    return f"{endpoint.rstrip('/')}/v1/traces"
