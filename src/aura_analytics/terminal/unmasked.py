"""What the commands that take a database in as it is say of its texts, where a server would mask those of events."""

from aura_analytics.ingest.redacting import store_kinds
from aura_analytics.settings import Settings
from aura_analytics.terminal.screen import notes


def tell_of_texts(settings: Settings) -> None:
    """Say that texts come as they are, where the settings have some taken out of what is sent."""
    if settings.redact.strip() or any(store_kinds(settings).values()):
        notes().print("texts are taken in as they are: REDACT is for events", markup=False, soft_wrap=True)
