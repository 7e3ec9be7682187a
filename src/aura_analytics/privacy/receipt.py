"""What was erased of a person, to be kept or handed on: it doesn't say whose it was."""

import msgspec

from aura_analytics.store.privacy import Erasure


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An erasure that has ended.

    `person` is a hash of the `user_id`, the same one at the next time. `rows` counts by table, from the beginning also
    where the erasing was broken off in between; `places` counts what this run erased in each, and for the columns how
    many servers' have followed. `remains` says in words what will be gone later.
    """

    id: str
    person: str
    actor: str
    begun_at: int
    ended_at: int
    rows: dict[str, int]
    places: dict[str, int]
    blocked: bool
    remains: list[str]


def receipt_of(erasure: Erasure, places: dict[str, int], remains: list[str], *, blocked: bool) -> Receipt:
    """Make out a receipt."""
    return Receipt(
        id=erasure.id,
        person=erasure.person,
        actor=erasure.actor,
        begun_at=erasure.begun_at,
        ended_at=erasure.begun_at if erasure.ended_at is None else erasure.ended_at,
        rows=erasure.erased,
        places=places,
        blocked=blocked,
        remains=remains,
    )
