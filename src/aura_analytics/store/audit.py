"""The record of what administrators do. It is only added to, and names no person whose data it is about.

The actions: `key.created` (also by rotation, with `rotated_from`), `key.revoked`, `person.forgotten`, `person.exported`,
`person.allowed`, `interactions.requeued`, `evaluations.retried`; and by the same pattern, a thing and what was done to
it: `archive.written`, `archive.restored`, `archive.abandoned`, `interactions.deleted`, `backup.made`, `backup.restored`,
`d1.imported`, `d1.exported`, and `database.copied`, in both of two databases.
"""

from typing import Any

from aura_analytics.clock import now
from aura_analytics.store.keys import AuditEntry, KeyStore


async def record(
    keys: KeyStore,
    *,
    actor: str,
    action: str,
    subject: str = "",
    details: Any = None,  # Any: what JSON can hold
    at: int | None = None,
) -> None:
    """Put on record what somebody did.

    Args:
        keys: `Store.keys`, beside which the record is kept.
        actor: who did it: a key by its id and name, or who sat at the machine.
        action: what, as a thing and a past participle with a dot between.
        subject: to what: a key's id, an archive's name; a person by their pseudonym only.
        details: what else is worth knowing; no secret, and nothing that says who a shopper is.
        at: epoch milliseconds; by default the present.
    """
    moment = now() if at is None else at
    await keys.note(AuditEntry(at=moment, actor=actor, action=action, subject=subject, details=details))
