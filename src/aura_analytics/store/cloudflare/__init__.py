"""Databases of Cloudflare's D1: taking in what comes from there, and writing what goes there.

Nothing that comes from there is trusted. `dump` divides a dump into statements, `scratch` lets SQLite have those that make
a table or fill one in a file of its own, where nothing else is allowed, and `taking` takes the rows of the known tables out
of it by our own statements. `export` writes the way back.
"""
