"""All interactions as Arrow streams: what SQLite reads goes to the columns without becoming a Python object on the way.

The driver brings a SQLite of its own, and two of them in one process undo each other's locks on a file. So a stream is
read in a process that has no other connection to the file; `aura_analytics.projection.filler` is one.
"""

from pathlib import Path
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_sqlite

from aura_analytics.store import queries
from aura_analytics.store.port import Part
from aura_analytics.store.sqlite.connection import path_of

EVENTS = queries.load("events", "sqlite")


class RowStream:
    """The joined rows of a part, by Arrow's capsules; each time that it is asked for, it is read anew.

    The first row only tells the types: the driver takes them from what it reads first, and a column may well begin with
    nothing in it. A cell of another type than its column's ends the stream with an error.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._database = adbc_driver_sqlite.connect(f"file:{quote(str(Path(path_of(part.url)).absolute()))}?mode=ro")
        self._connection = adbc_driver_manager.AdbcConnection(self._database)
        self._statements: list[adbc_driver_manager.AdbcStatement] = []

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Begin to read."""
        # The driver binds nothing but Arrow arrays; these two are whole numbers of our own.
        rows = EVENTS["stream"].replace(":after", f"{self._part.after:d}").replace(":upto", f"{self._part.upto:d}")
        types = EVENTS["stream_types"].rstrip(";")
        return self._read(f"{types} UNION ALL {rows}").__arrow_c_stream__(requested_schema)

    def close(self) -> None:
        """Let go of the file."""
        for statement in self._statements:
            statement.close()
        self._connection.close()
        self._database.close()

    def _read(self, sql: str) -> adbc_driver_manager.ArrowArrayStreamHandle:
        statement = adbc_driver_manager.AdbcStatement(self._connection)
        self._statements.append(statement)
        statement.set_options(**{"adbc.sqlite.query.batch_rows": str(self._part.batch_rows)})
        statement.set_sql_query(sql)
        handle: adbc_driver_manager.ArrowArrayStreamHandle = statement.execute_query()[0]
        return handle
