"""An answer as JSON, CSV or Parquet, as `format` or else `Accept` asks for it."""

import asyncio
import csv
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import mimeparse  # type: ignore[import-untyped]  # it has no annotations
import msgspec
from fastapi import Query, Request, Response
from pydantic import WithJsonSchema

from aura_analytics.errors import ParameterError
from aura_analytics.stats import tables
from aura_analytics.stats.formula import harmless
from aura_analytics.stats.tables import Column

Form = Literal["json", "csv", "parquet"]

FORMS: tuple[Form, ...] = get_args(Form)
# Of those that a caller likes equally, the last one: JSON.
MEDIA_TYPES: dict[str, Form] = {
    "application/vnd.apache.parquet": "parquet",
    "text/csv": "csv",
    "application/json": "json",
}
BY_FORM = {form: media_type for media_type, form in MEDIA_TYPES.items()}
# An `Accept` that is longer isn't read.
LONGEST_ACCEPT = 1_024


def asked_form(
    request: Request,
    form: Annotated[
        str | None,
        Query(alias="format", description="`json`, `csv` or `parquet`; without it, what `Accept` asks for."),
        WithJsonSchema({"type": "string", "enum": list(FORMS)}),
    ] = None,
) -> Form:
    """Read which form of an answer is asked for; a dependency of the endpoints.

    Raises:
        ParameterError: `format` names none that there is.
    """
    if form is None:
        return accepted(", ".join(request.headers.getlist("accept")))
    for known in FORMS:
        if form.lower() == known:
            return known
    raise ParameterError(f"format is one of {', '.join(FORMS)}")


@lru_cache(maxsize=256)
def accepted(accept: str) -> Form:
    """Choose by an `Accept` header; JSON where it names nothing that there is, or can't be read."""
    if len(accept) > LONGEST_ACCEPT:
        return "json"
    try:
        return MEDIA_TYPES.get(mimeparse.best_match(list(MEDIA_TYPES), accept.lower()), "json")
    except mimeparse.MimeTypeParseException:
        return "json"


async def respond(
    form: Form, answer: msgspec.Struct | Sequence[msgspec.Struct], kind: type[msgspec.Struct], name: str
) -> Response:
    """Write an answer.

    Args:
        form: as `asked_form` gives it.
        answer: one row or several.
        kind: what a row is; it gives the columns also where there are no rows.
        name: what a download is called, without the ending.
    """
    if form == "json":
        return Response(msgspec.json.encode(answer), media_type=BY_FORM[form])
    rows = [answer] if isinstance(answer, msgspec.Struct) else answer
    # In a thread, since a hundred thousand rows take longer than other requests like to wait.
    body = await asyncio.to_thread(_as_csv if form == "csv" else _as_parquet, rows, kind)
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    return Response(body, media_type=BY_FORM[form], headers=headers)


def contents(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe the three forms for the OpenAPI document; Any: its own objects."""
    return {
        BY_FORM["json"]: {"schema": schema},
        BY_FORM["csv"]: {"schema": {"type": "string"}},
        BY_FORM["parquet"]: {"schema": {"type": "string", "format": "binary"}},
    }


def _as_parquet(rows: Sequence[msgspec.Struct], kind: type[msgspec.Struct]) -> bytes:
    columns = tables.columns(kind)
    return tables.parquet(columns, tables.cells(columns, rows))


def _as_csv(rows: Sequence[msgspec.Struct], kind: type[msgspec.Struct]) -> bytes:
    """Write RFC 4180. Every text is quoted, so that no character in it can end it, wherever the file is opened."""
    columns = tables.columns(kind)
    file = io.StringIO(newline="")
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    for cells in tables.cells(columns, rows):
        writer.writerow([_csv_cell(cell, column) for cell, column in zip(cells, columns, strict=True)])
    return file.getvalue().encode(errors="replace")


def _csv_cell(cell: Any, column: Column) -> str | int | float | None:  # Any: see `tables.cells`
    if cell is None:
        return None
    if column.type == "BOOLEAN":
        return "true" if cell else "false"
    if column.type == "VARCHAR[]":
        return harmless(";".join(cell))
    return harmless(cell) if column.type == "VARCHAR" else cell
