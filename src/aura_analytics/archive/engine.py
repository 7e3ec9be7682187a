"""The process that answers one question of SQL about the archive's files, and nothing else.

It is a process of its own, since DuckDB keeps neither to its time nor to its memory where it makes a large value out of
constants: what starts it ends it, and the system gives it no more memory than it may have.
"""

import contextlib
import math
import os
import resource
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Literal

import duckdb
import msgspec

from aura_analytics.archive.message import End, Head, Message, Part, Question, send
from aura_analytics.archive.statement import TABLE, check, first_line
from aura_analytics.errors import ParameterError

# What the process takes beside the engine's memory.
BESIDE_BYTES = 512 << 20
BATCH_ROWS = 1_024
PARTITIONS = "{'date': DATE, 'store_id': VARCHAR}"

Form = Literal["plain", "number", "whole", "json", "text"]
# How a column leaves the engine; what isn't named leaves as DuckDB writes it.
PLAIN = frozenset(
    {"BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "VARCHAR"}
)
LARGE = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT"})
LARGEST = 2**63
NUMBERS = ("DOUBLE", "FLOAT", "DECIMAL")
NESTED = ("STRUCT", "MAP", "UNION", "JSON")

# What DuckDB says of a statement. Where a file is damaged, it may say anything else.
OF_THE_QUESTION = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
    duckdb.NotImplementedException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
    duckdb.TypeMismatchException,
)


UNREADABLE = End("files", "a file of the archive can't be read; where one was just replaced, ask again")


def answer(question: Question) -> Iterator[Message]:
    """Answer a question; the last message is an `End`."""
    try:
        with contextlib.closing(duckdb.connect(":memory:", config=_config(question))) as connection:
            check(connection, question.sql)
            try:
                _lay_out(connection, question)
            except duckdb.Error:
                yield UNREADABLE
                return
            _lock(connection, question)
            yield from _answered(connection, question.sql)
            yield End()
    except ParameterError as error:
        yield End("refused", str(error))
    except (duckdb.OutOfMemoryException, MemoryError):
        yield End("memory", f"the question needs more memory than {question.memory_mb:,} MiB")
    except duckdb.Error as error:
        yield _reason(error)


def _reason(error: duckdb.Error) -> End:
    """Tell a question that can't be answered from files that can't be read."""
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return End("broken", "the question can't be answered")
    if isinstance(error, OF_THE_QUESTION) and "parquet" not in str(error).lower():
        return End("refused", first_line(str(error)))
    return UNREADABLE


def _config(question: Question) -> dict[str, str | bool | int | float | list[str]]:
    return {
        "memory_limit": f"{question.memory_mb}MiB",
        "threads": str(question.threads),
        "temp_directory": question.spill,
        "max_temp_directory_size": f"{question.spill_mb}MiB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
    }


def _lay_out(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """Make the table of the rows that count."""
    # A statement is looked at several times before it runs, and would have files opened each time.
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("CREATE SCHEMA own")
    if not question.files:
        described = ", ".join(f"{_quoted(name)} {kind}" for name, kind in question.columns.items())
        connection.execute(f"CREATE TABLE {TABLE} ({described}, date DATE)")
        return
    connection.execute("CREATE TABLE own.in_force (file VARCHAR, id VARCHAR)")
    for file, ids in question.in_force.items():
        connection.execute("INSERT INTO own.in_force SELECT $file, unnest($ids::VARCHAR[])", {"file": file, "ids": ids})
    source = f"FROM {_read(question.files, question)} AS rows"
    if question.in_force:
        connection.execute(
            "CREATE TABLE own.withheld AS SELECT filename AS file, id "
            f"FROM {_read(list(question.in_force), question)} AS rows ANTI JOIN own.in_force AS held "
            "ON held.file = rows.filename AND held.id = rows.id"
        )
        source += " ANTI JOIN own.withheld AS withheld ON withheld.file = rows.filename AND withheld.id = rows.id"
    connection.execute(f"CREATE VIEW {TABLE} AS SELECT rows.* EXCLUDE (filename) {source}")


def _read(files: Sequence[str], question: Question) -> str:
    """Name files as a table."""
    columns = f"hive_partitioning = true, hive_types = {PARTITIONS}, filename = true"
    by_name = "" if question.alike else ", union_by_name = true"
    return f"read_parquet({_listed(files)}, {columns}{by_name})"


def _lock(connection: duckdb.DuckDBPyConnection, question: Question) -> None:
    """From here on nothing is read but the files themselves, and none of this can be changed."""
    connection.execute(f"SET allowed_paths = {_listed(question.files)}")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _answered(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[Message]:
    # A view, since the statement may end with a comment: nothing has to stand behind it.
    connection.execute(f"CREATE TEMPORARY VIEW answer AS {sql}")
    described = connection.execute("DESCRIBE temp.answer").fetchall()
    forms = {str(column[0]): _form(str(column[1])) for column in described}
    yield Head(list(forms))
    chosen = ", ".join(_cast(name, form) for name, form in forms.items())
    found = connection.execute(f"SELECT {chosen} FROM temp.answer")
    while rows := found.fetchmany(BATCH_ROWS):
        yield Part([[_cell(cell, form) for cell, form in zip(row, forms.values(), strict=True)] for row in rows])


def _form(kind: str) -> Form:
    if kind in PLAIN:
        return "plain"
    if kind in LARGE:
        return "whole"
    if kind.startswith(NUMBERS) and not kind.endswith("]"):
        return "number"
    return "json" if kind.startswith(NESTED) or kind.endswith("]") else "text"


def _cast(name: str, form: Form) -> str:
    column = _quoted(name)
    casts: Mapping[Form, str] = {
        "plain": column,
        "number": f"{column}::DOUBLE",
        "whole": f"{column}::VARCHAR",
        "json": f"to_json({column})::VARCHAR",
        "text": f"{column}::VARCHAR",
    }
    return casts[form]


def _cell(cell: Any, form: Form) -> Any:  # Any: what JSON can hold
    if cell is None:
        return None
    if form == "number":
        return cell if math.isfinite(cell) else None  # as in JSON, which has no word for it
    if form == "whole":
        return int(cell) if abs(int(cell)) < LARGEST else cell  # what no reader takes for a number stays a text
    return msgspec.json.decode(cell) if form == "json" else cell


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _listed(files: Sequence[str]) -> str:
    return "[" + ", ".join("'" + file.replace("'", "''") + "'" for file in files) + "]"


def _end_with(stream: IO[bytes]) -> None:
    """End when whoever asks has gone, however."""
    stream.read()
    os._exit(1)


def main() -> None:
    """Read a question from the standard input, and write messages to the standard output."""
    question = msgspec.json.decode(sys.stdin.buffer.readline(), type=Question)
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    most = (question.memory_mb << 20) + BESIDE_BYTES
    with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    for message in answer(question):
        send(sys.stdout.buffer, message)
    sys.stdout.buffer.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
