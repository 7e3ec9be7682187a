"""Everything that can go wrong, as one tree.

    AuraError
    ├── SettingsError             a setting is unknown or impossible; stops the start
    ├── RequestError              what the caller sent can't be taken (4xx)
    │   ├── ParameterError        a query parameter or an argument can't be read (400)
    │   ├── Unauthorised          no key, or none that is known, or a signature that doesn't fit (401)
    │   ├── Forbidden             the key is known, and may not do this (403)
    │   ├── TooManyRequests       more than this caller may send in a time (429)
    │   ├── NotFound              what is asked for isn't there (404)
    │   ├── MalformedBody         the body is no JSON, no gzip, or empty (400)
    │   ├── EventsRejected        no event of the body could be taken (400)
    │   ├── BodyTooLarge          over a limit (413)
    │   ├── MalformedRequest      what came isn't HTTP as it is agreed on (400)
    │   ├── RequestTooSlow        the request didn't come to its end in time (408)
    │   ├── AlreadyReceived       a signed request that has come before (409)
    │   ├── UrlTooLong            the path and the query string are over a limit (414)
    │   ├── HeadersTooLarge       the headers are over a limit (431)
    │   └── UnsupportedMedia      a content type or encoding that isn't spoken (415)
    ├── ExtraMissing              an optional part isn't installed (501)
    ├── StatisticsOff             this server keeps no statistics; another one may (503)
    ├── Unavailable               can't be done right now; carries when to come back (503)
    │   ├── QueueFull             more waits for the disk than may wait
    │   ├── TooManyConnections    the server, or one address, has all the connections it may have
    │   ├── StoreUnavailable      the row database can't be used
    │   └── ProjectionUnavailable the columns are being rebuilt or are out of reach
    ├── InArchive                 what is to be changed lies in the archive; it is taken out first
    ├── ArchiveError              the archive's place, a file, or a question asked of it is not as it should be
    ├── MigrationError            the database has a shape that this version can't work with
    ├── ProjectionOwned           another process owns the columns
    ├── ProjectionFailed          a question failed in the columns' process in a way that it must not
    ├── FeedLost                  the feed isn't the one that was followed; the columns are read anew
    ├── LoadError                 a file or a server that the command line was given can't be used
    └── JudgeError                the model gave no verdict
        ├── JudgePaused           nobody was asked: the judge rests, or its money or its allowance is used up
        ├── JudgeUnavailable      passing: rate limit, outage, time-out
        ├── JudgeRefused          lasting: the key or the model isn't accepted
        └── JudgeAnswerInvalid    the answer is outside of the schema, cut off, or blocked

`status`, `code` and `title` say what becomes of an error on the wire; `aura_analytics.api.problems` is the only place
that makes HTTP of them. The message of an error is shown to people: it never holds a key, a path or a stack.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import msgspec

# What is wrong with a row database that can't be used: it can't be reached, its disk is full, nothing can be written,
# others have all its connections or locks, it doesn't answer in time, or this service is letting go of it.
Trouble = Literal["away", "full", "read-only", "busy", "slow", "stopping"]


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why one event was not taken. `index` counts the body's events from 0, `field` is the name on the wire."""

    index: int
    code: str
    field: str | None
    message: str


class AuraError(Exception):
    """The root: everything that this package raises on purpose."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong here"

    @property
    def headers(self) -> Mapping[str, str]:
        """What the answer says in its headers beside the problem."""
        return {}


class SettingsError(AuraError):
    """A setting is unknown or impossible; the message names it and says what it takes."""


class RequestError(AuraError):
    """What the caller sent can't be taken."""

    status = 400
    code = "bad_request"
    title = "The request can't be taken"


class ParameterError(RequestError):
    """A parameter can't be read; the message says what would do."""

    code = "invalid_parameter"
    title = "A parameter can't be read"


class NotFound(RequestError):
    """What is asked for isn't there."""

    status = 404
    code = "not_found"
    title = "There is no such thing here"


class Unauthorised(RequestError):
    """It isn't known who asks. `shown`: whether there was a key or a signature; what is wrong with it is barely told."""

    status = 401
    code = "unauthorized"
    title = "This needs a key that is known here"

    def __init__(self, message: str, *, shown: bool = True) -> None:
        super().__init__(message)
        self.shown = shown

    @property
    def headers(self) -> Mapping[str, str]:
        """How to show who one is (RFC 9110, 11.6.1; RFC 6750, 3)."""
        error = ', error="invalid_token"' if self.shown else ""
        return {"www-authenticate": f'Bearer realm="aura-analytics"{error}'}


class Forbidden(RequestError):
    """It is known who asks, and that they may not do this."""

    status = 403
    code = "forbidden"
    title = "This key may not do that"


class TooManyRequests(RequestError):
    """More than this caller may send in a time. `told`: the headers that say when there is room again."""

    status = 429
    code = "too_many_requests"
    title = "Too much in too short a time"

    def __init__(self, message: str, told: Mapping[str, str]) -> None:
        super().__init__(message)
        self.told = told

    @property
    def headers(self) -> Mapping[str, str]:
        """When to come back."""
        return self.told


class MalformedBody(RequestError):
    """The body is no JSON, no gzip, or empty."""

    code = "malformed_body"
    title = "The body can't be read"


class EventsRejected(RequestError):
    """No event of the body could be taken; `rejected` says why, one by one."""

    code = "events_rejected"
    title = "No event of this body could be taken"

    def __init__(self, rejected: Sequence[Rejection], correlation_id: str | None = None) -> None:
        first = rejected[0]
        where = f"{first.field}: " if first.field else ""
        super().__init__(f"{where}{first.message}" if len(rejected) == 1 else f"all {len(rejected)} events are invalid")
        self.rejected = tuple(rejected)
        self.correlation_id = correlation_id


class BodyTooLarge(RequestError):
    """A body, an event or a batch is over its limit."""

    status = 413
    code = "too_large"
    title = "The body is over a limit"


class MalformedRequest(RequestError):
    """What came over a connection isn't HTTP as it is agreed on; nothing of it is believed."""

    code = "malformed_request"
    title = "This is no HTTP request"


class RequestTooSlow(RequestError):
    """The request didn't come to its end in time."""

    status = 408
    code = "too_slow"
    title = "The request came too slowly"


class AlreadyReceived(RequestError):
    """A signed request has come before; the one who signed it is known, and needs no other key."""

    status = 409
    code = "already_received"
    title = "This very request has come already"


class UrlTooLong(RequestError):
    """The path and the query string are over a limit."""

    status = 414
    code = "url_too_long"
    title = "The URL is over a limit"


class HeadersTooLarge(RequestError):
    """The headers are over a limit, one by one or all together."""

    status = 431
    code = "headers_too_large"
    title = "The headers are over a limit"


class UnsupportedMedia(RequestError):
    """A content type or encoding that isn't spoken here."""

    status = 415
    code = "unsupported_media"
    title = "This content type or encoding isn't spoken here"


class ExtraMissing(AuraError):
    """An optional part isn't installed; the message says how it is."""

    status = 501
    code = "extra_missing"
    title = "This needs a part that isn't installed"


class StatisticsOff(AuraError):
    """This server was told to keep no statistics; asking it again won't help."""

    status = 503
    code = "statistics_off"
    title = "This server keeps no statistics"


class Unavailable(AuraError):
    """It can't be done right now. `retry_after_s`: after how many seconds it is worth another try."""

    status = 503
    code = "unavailable"
    title = "This can't be done right now"

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> Mapping[str, str]:
        """When it is worth another try."""
        return {"retry-after": str(self.retry_after_s)}


class QueueFull(Unavailable):
    """More events wait for the disk than may wait; none of this request's was stored."""

    code = "queue_full"
    title = "Too much is waiting to be stored"


class TooManyConnections(Unavailable):
    """The server, or one address, has all the connections it may have."""

    code = "too_many_connections"
    title = "Too many connections are open"


class StoreUnavailable(Unavailable):
    """The row database can't be used. `trouble` says what is wrong with it, in a word."""

    code = "store_unavailable"
    title = "The database can't be used right now"

    def __init__(self, message: str, retry_after_s: int = 1, trouble: Trouble = "away") -> None:
        super().__init__(message, retry_after_s)
        self.trouble: Trouble = trouble


class ProjectionUnavailable(Unavailable):
    """The columns are being rebuilt, or can't be read."""

    code = "projection_unavailable"
    title = "The statistics are being rebuilt"


class InArchive(AuraError):
    """What is to be changed lies in the archive, and has to be taken out of it first."""

    def __init__(self, query_ids: Sequence[str]) -> None:
        super().__init__("an interaction lies in the archive")
        self.query_ids = tuple(query_ids)


class ArchiveError(AuraError):
    """The archive can't be used as it is: its place, a file, or a question that was asked of it."""


class MigrationError(AuraError):
    """The database has a shape that this version can't work with."""


class ProjectionOwned(AuraError):
    """The columns belong to another process, most likely a running server."""


class ProjectionFailed(AuraError):
    """A question failed in the columns' process in a way that it must not; its log says how."""


class FeedLost(AuraError):
    """The feed isn't the one that was followed, or lacks a part: the database was put back from a copy."""


class LoadError(AuraError):
    """A file or a server that the command line was given can't be used."""


class JudgeError(AuraError):
    """The model gave no verdict."""


class JudgePaused(JudgeError):
    """Nobody was asked. `retry_after_s`: after how long asking is worth it; `spent`: it is the day's money that is gone."""

    def __init__(self, message: str, retry_after_s: float, *, spent: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.spent = spent


class JudgeUnavailable(JudgeError):
    """Passing: a rate limit, an outage, a time-out. `retry_after_s` is what the provider asked for, if it did."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class JudgeRefused(JudgeError):
    """Lasting: the key or the model isn't accepted; asking again won't help until the settings change."""


class JudgeAnswerInvalid(JudgeError):
    """The answer is outside of the schema, cut off, or was blocked by the provider's filter."""
