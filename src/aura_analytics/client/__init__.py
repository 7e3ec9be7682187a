"""Sends events to a server from a Python program: in the background, in batches, again where it has to be.

    with Client("https://analytics.example", key="aura_sk_…", spool="/var/spool/shop") as client:
        query_id = client.track_query(store_id="my-shop", query_text="do you have red shoes")
        client.track_outcome(query_id=query_id, action_success=True, latency_ms=1240)

No `track_…` raises, waits for the network, or takes more memory than `Options.max_bytes` says.
"""

from aura_analytics.client.asynchronous import AsyncClient
from aura_analytics.client.event import Conversion, Outcome, Query
from aura_analytics.client.options import Drop, Options, Totals
from aura_analytics.client.synchronous import Client

__all__ = ["AsyncClient", "Client", "Conversion", "Drop", "Options", "Outcome", "Query", "Totals"]
