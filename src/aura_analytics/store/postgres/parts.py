"""All interactions as Arrow streams: PostgreSQL's binary COPY becomes columns without becoming Python objects on the way."""

import adbc_driver_manager
import adbc_driver_postgresql

from aura_analytics.store.port import Part
from aura_analytics.store.postgres.connection import conninfo
from aura_analytics.store.queries import load

EVENTS = load("events", "postgres")

# What a batch may hold, about: texts may be of any length.
BATCH_BYTES = 8 << 20


class RowStream:
    """The joined rows of a part, by Arrow's capsules; each time that it is asked for, it is read anew."""

    def __init__(self, part: Part) -> None:
        self._part = part
        # A stream runs for as long as the columns take to be filled.
        self._database = adbc_driver_postgresql.connect(conninfo(part.url, statement_ms=0))
        self._connections: list[adbc_driver_manager.AdbcConnection] = []
        self._statements: list[adbc_driver_manager.AdbcStatement] = []

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Begin to read, on a connection of its own: a copy that somebody only looked into stays where it is."""
        connection = adbc_driver_manager.AdbcConnection(self._database)
        statement = adbc_driver_manager.AdbcStatement(connection)
        self._connections.append(connection)
        self._statements.append(statement)
        statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
        # The driver binds nothing but Arrow arrays; these two are whole numbers of our own.
        given = {"after": f"{self._part.after:d}", "upto": f"{self._part.upto:d}"}
        types, rows = EVENTS["stream_types"].rstrip(";"), EVENTS["stream"].rstrip(";")
        statement.set_sql_query(f"{types} UNION ALL {rows}" % given)
        handle: adbc_driver_manager.ArrowArrayStreamHandle = statement.execute_query()[0]
        return handle.__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """Let go of the database."""
        for statement in self._statements:
            statement.close()
        for connection in self._connections:
            connection.close()
        self._database.close()
