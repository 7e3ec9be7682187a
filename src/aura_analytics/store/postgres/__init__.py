"""The row database of many servers: PostgreSQL, also as a Citus cluster."""

from aura_analytics.store.postgres.database import PostgresStore
from aura_analytics.store.postgres.inspection import inspect, size
from aura_analytics.store.postgres.migrations import migrate, status

__all__ = ["PostgresStore", "inspect", "migrate", "size", "status"]
