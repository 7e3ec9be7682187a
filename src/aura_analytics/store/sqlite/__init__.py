"""The embedded row database: one SQLite file, the file of Cloudflare D1."""

from aura_analytics.store.sqlite.connection import path_of
from aura_analytics.store.sqlite.database import SqliteStore
from aura_analytics.store.sqlite.inspection import inspect, size
from aura_analytics.store.sqlite.migrations import migrate, status

__all__ = ["SqliteStore", "inspect", "migrate", "path_of", "size", "status"]
