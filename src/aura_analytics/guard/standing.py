"""Whether who was let in would be let in still: a stream goes on for long, and ends with its key."""

from collections.abc import Awaitable, Callable

from starlette.types import Scope

STANDS = "aura_stands"

Look = Callable[[], Awaitable[bool]]


async def stands(scope: Scope) -> bool:
    """Tell whether the key or the session of a request that goes on still holds; where no door was, it does."""
    look: Look | None = scope.get(STANDS)
    return look is None or await look()
