"""Single interactions, page by page, in an order that stays the same while others arrive."""

import base64
from typing import Annotated, Any, Literal, get_args

import msgspec

from aura_analytics.errors import ParameterError
from aura_analytics.projection import Question
from aura_analytics.projection.meanings import TOKENS
from aura_analytics.stats.reader import Reader
from aura_analytics.stats.scope import Scope

Sort = Literal["created_at", "latency", "cost", "confidence"]
Order = Literal["desc", "asc"]

SORTS: tuple[Sort, ...] = get_args(Sort)
ORDERS: tuple[Order, ...] = get_args(Order)
DEFAULT_ROWS, MOST_ROWS = 50, 1_000

# The column and the field behind each order. As in the filters, `confidence` is the speech recogniser's.
SORTED_BY: dict[Sort, str] = {
    "created_at": "created_at",
    "latency": "latency_ms",
    "cost": "cost_usd",
    "confidence": "transcription_conf",
}
SORT_FIELDS: dict[Sort, str] = SORTED_BY | {"confidence": "transcription_confidence"}
# As the sums count them, but that what nobody told is absent here, not 0.
TOLD_TOKENS = f"""
CASE WHEN coalesce(tokens_total, tokens_prompt, tokens_completion) IS NOT NULL
     THEN least({TOKENS}, 9223372036854775807)::BIGINT END
"""
# In the order of the fields of `Interaction`.
COLUMNS = (
    "id, store_id, session_id, user_id, created_at, query_text, query_source, transcription_conf, intent, fast_path,"
    f" answer_text, model_name, latency_ms, {TOLD_TOKENS}, cost_usd, action_taken, action_success, error_flag,"
    " error_message, tool_calls, label, reason, confidence, evaluated_at, evaluated_by"
)

# A page. First, over two columns of numbers, what its rows are sorted by, and of those that the cursor stands at; then
# the rows of these values and moments whole. Texts are read for a few rows only, and ids compared only among equals.
PAGE = f"""
WITH edge AS MATERIALIZED (
    (SELECT {{by}} AS value, created_at AS moment FROM {{rows}} WHERE {{near}}
     ORDER BY value {{order}}, moment {{order}} LIMIT $limit)
    UNION ALL SELECT $value, $moment
)
SELECT {COLUMNS} FROM {{rows}}
WHERE {{by}} IN (SELECT value FROM edge) AND created_at IN (SELECT moment FROM edge) AND {{after}}
ORDER BY {{by}} {{order}}, created_at {{order}}, id {{order}}
LIMIT $limit
"""


class Interaction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One interaction. Moments are epoch milliseconds; `reason` to `evaluated_by` are the label's."""

    id: str
    store_id: str
    session_id: str | None
    user_id: str | None
    created_at: int
    query_text: str
    query_source: str | None
    transcription_confidence: float | None
    intent: str | None
    fast_path: bool | None
    answer_text: str | None
    model_name: str | None
    latency_ms: float | None
    tokens: int | None
    cost_usd: float | None
    action_taken: str | None
    action_success: bool | None
    error_flag: bool | None
    error_message: str | None
    tool_calls: list[Any] | None  # Any: names, or whatever call objects the assistant's tools have
    label: str | None
    reason: str | None
    confidence: float | None
    evaluated_at: int | None
    evaluated_by: str | None


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Some interactions, and the cursor that asks for those after them; None where there are no more."""

    interactions: list[Interaction]
    next_cursor: str | None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The row that a page ended with. `value` is what it was sorted by; None where that is absent.

    A text, since JSON has no word for the infinite, which a database from elsewhere may hold.
    """

    sort: Sort
    order: Order
    value: str | None
    created_at: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
    id: str

    def __str__(self) -> str:
        """Write it as it goes into a URL."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def read_cursor(text: str | None, *, sort: Sort, order: Order) -> Cursor | None:
    """Read a cursor.

    Raises:
        ParameterError: it is none, or of a page in another order.
    """
    if text is None:
        return None
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars="-_", validate=True)
        found = msgspec.json.decode(whole, type=Cursor)
        float(found.value or 0)
    except ValueError as error:  # whatever is wrong with it, we didn't write it
        raise ParameterError("cursor is what an earlier answer's nextCursor said") from error
    if (found.sort, found.order) != (sort, order):
        raise ParameterError("cursor is of a page in another order; keep sort and order, or start without it")
    return found


async def interactions(
    reader: Reader, scope: Scope, *, sort: Sort = "created_at", order: Order = "desc", limit: int, cursor: Cursor | None
) -> Page:
    """Give a page of interactions.

    What they are sorted by comes first, then the moment, then the id, all in the same direction; where it is absent, they
    come last. An interaction without a moment, as only foreign hands can have written one, is on no page.
    """
    present, absent = SORTED_BY[sort], f"{SORTED_BY[sort]} IS NULL"
    found: list[Any] = []
    if cursor is None or cursor.value is not None:
        found = await _rows(reader, scope, present, order, limit=limit + 1, after=cursor)
    if len(found) <= limit and sort != "created_at":
        start = cursor if cursor is not None and cursor.value is None else None
        found += await _rows(reader, scope, "created_at", order, limit=limit + 1 - len(found), after=start, only=absent)
    shown = [interaction_of(row) for row in found[:limit]]
    more = len(found) > limit
    return Page(interactions=shown, next_cursor=str(_cursor_of(shown[-1], sort, order)) if more else None)


async def _rows(
    reader: Reader, scope: Scope, by: str, order: Order, *, limit: int, after: Cursor | None, only: str = "true"
) -> list[Any]:
    """Read rows that are sorted by a column that they all have. Any: what a cell can be."""
    than = "<" if order == "desc" else ">"
    near, beyond = f"{by} IS NOT NULL", "true"
    at: dict[str, Any] = {"value": None, "moment": None, "id": None}
    if after is not None:
        nearer = f"{by} {than} $value OR created_at {than} $moment"
        near = f"{by} {than}= $value AND ({nearer})"
        beyond = f"{by} {than}= $value AND ({nearer} OR (created_at = $moment AND id {than} $id))"
        value = after.created_at if by == "created_at" else float(after.value or 0)
        at = {"value": value, "moment": after.created_at, "id": after.id}
    sql = PAGE
    words = {"by": by, "order": order, "near": f"{near} AND {only}", "after": f"{beyond} AND {only}"}
    for name, word in words.items():
        sql = sql.replace(f"{{{name}}}", word)
    return await reader.ask(Question(sql=sql, parameters={"limit": limit, **at}, about=scope))


def _cursor_of(last: Interaction, sort: Sort, order: Order) -> Cursor:
    value = getattr(last, SORT_FIELDS[sort])
    return Cursor(
        sort=sort,
        order=order,
        value=None if value is None else repr(value),
        created_at=last.created_at,
        id=last.id,
    )


def interaction_of(row: Any) -> Interaction:  # Any: cells in the order of COLUMNS
    """Make an interaction of the columns that `COLUMNS` names."""
    cells = dict(zip(Interaction.__struct_fields__, row, strict=True))
    return Interaction(**cells | {"tool_calls": tool_calls(cells["tool_calls"])})


def tool_calls(text: str | None) -> list[Any] | None:  # Any: see `Interaction`
    """Read a list of tool calls; what an older worker wrote may be any text."""
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return [text]
    return found if found is None or isinstance(found, list) else [found]
