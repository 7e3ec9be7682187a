"""An object store that speaks S3's language, as a place for the archive's files."""

import hashlib
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aura_analytics.archive.copies import Copies
from aura_analytics.errors import ArchiveError, ExtraMissing, SettingsError
from aura_analytics.settings import Settings

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Store

URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[^?#]*))?")
ENDPOINT = re.compile(r"(https?://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?(/[\w./-]*)?)?", re.ASCII)
# What is larger goes in parts of this size; so many of them at once.
PART_BYTES, PARTS_AT_ONCE = 16 << 20, 2
PIECE_BYTES = 1 << 20
# Under which name an object says the checksum of its content itself.
CHECKSUM = "sha256"
TYPE = "application/vnd.apache.parquet"
STATUS = re.compile(r"status code: (\d{3})")
# Which content it is where the store doesn't say; such a copy is fetched anew each time.
UNNAMED = "-"
# Where a key is asked for when none was given.
OF_THE_MACHINE = ("169.254.169.254", "169.254.170.2")


class FileMissing(ArchiveError):
    """There is no such object."""


class NotModified(ArchiveError):
    """The content is the one that is there already."""


def access_of(settings: Settings) -> "Access":
    """Read out of the settings how an object store is reached."""
    return Access(
        endpoint=settings.aws_endpoint_url,
        region=settings.aws_region,
        key_id=settings.aws_access_key_id,
        secret=settings.aws_secret_access_key,
        session_token=settings.aws_session_token,
    )


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How an object store is reached. What is empty is as AWS has it: its own address, the machine's role."""

    endpoint: str = ""
    region: str = ""
    key_id: str = ""
    secret: str = ""
    session_token: str = ""
    request_s: float = 120
    tries: int = 6

    def __repr__(self) -> str:
        """Show no key."""
        return f"Access(endpoint={self.endpoint!r}, region={self.region!r})"


class ObjectFiles:
    """The files of an archive as objects under a URL. All of it blocks, so it is called on threads; any number may.

    Args:
        url: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
        access: who asks, and where.
        cache: where local copies may lie; several archives may share it.
        cache_bytes: how much the copies may take.

    Raises:
        SettingsError: the URL is no such one, or the address isn't one.
        ExtraMissing: what speaks to object stores isn't installed.
    """

    def __init__(self, url: str, access: Access, cache: Path, *, cache_bytes: int = 10 << 30) -> None:
        self._store = _opened(url, access)
        self._copies = Copies(cache / _digest(f"{access.endpoint} {url.rstrip('/')}")[:16], cache_bytes)

    def put(self, path: Path, name: str) -> None:
        """Store a local file under a name: whole and durable, or not at all; replaces.

        Raises:
            ArchiveError: it can't be stored, or isn't what was sent.
        """
        import obstore  # noqa: PLC0415 (an extra)

        content = Content.of(path)
        attributes = {"Content-Type": TYPE, CHECKSUM: content.sha256}
        with _speaking():
            obstore.put(
                self._store,
                name,
                path,
                attributes=attributes,
                use_multipart=content.size > PART_BYTES,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
        self._verify(name, content)
        self._forget(name)

    def local(self, name: str) -> Path:
        """Give a local file with that content: fetched once, and looked after each time.

        The file may go a minute later; who needs it for longer links it, or keeps it open.

        Raises:
            ArchiveError: it isn't there, can't be fetched, or is damaged.
        """
        import obstore  # noqa: PLC0415 (an extra)

        with _keeping():
            copy = self._copies.find(name)
        known = {"if_none_match": copy.tag} if copy is not None and copy.tag != UNNAMED else {}
        try:
            with _speaking():
                found = obstore.get(self._store, name, options=known)  # type: ignore[arg-type]  # a TypedDict of one key
        except NotModified:
            with _keeping():
                if copy is not None and self._copies.use(copy):
                    return copy.path
            with _speaking():
                found = obstore.get(self._store, name)
        except FileMissing:
            self._forget(name)
            raise
        with _keeping():
            return self._copies.keep(name, found.meta["e_tag"] or UNNAMED, lambda path: _write(found, path))

    def names(self, prefix: str = "") -> list[str]:
        """Give the sorted names. Copies of what is no longer there go, and so do those of another content."""
        import obstore  # noqa: PLC0415 (an extra)

        folder = prefix.rpartition("/")[0]
        with _speaking():
            listed = obstore.list(self._store, prefix=folder or None)
            tags = {meta["path"]: meta["e_tag"] or UNNAMED for chunk in listed for meta in chunk}
        if not prefix:
            with _keeping():
                self._copies.drop_all_but(tags)
        return sorted(name for name in tags if name.startswith(prefix))

    def lacking(self, names: Collection[str], *, for_good: bool = False) -> set[str]:
        """Look for them in the listing, which is the truth here, for good or not."""
        del for_good
        return set(names).difference(self.names()) if names else set()

    def remove(self, name: str) -> None:
        """Remove; no error where it isn't there."""
        import obstore  # noqa: PLC0415 (an extra)

        with _speaking():
            obstore.delete(self._store, name)
        self._forget(name)

    def _forget(self, name: str) -> None:
        with _keeping():
            self._copies.drop(name)

    def _verify(self, name: str, sent: "Content") -> None:
        """See that an object is what was sent: by its size and its ETag, or, where that is no checksum, byte by byte."""
        import obstore  # noqa: PLC0415 (an extra)

        with _speaking():
            arrived = obstore.head(self._store, name)
            if arrived["size"] == sent.size and (arrived["e_tag"] or "").strip('"') in sent.tags:
                return
            digest = hashlib.sha256()
            for piece in obstore.get(self._store, name).stream(PIECE_BYTES):
                digest.update(piece)
        if digest.hexdigest() != sent.sha256:
            raise ArchiveError("a file of the archive isn't in the object store as it was sent")


class Content(msgspec.Struct, frozen=True):
    """What a file holds. `tags`: what S3 calls that, in one piece and in parts, where it doesn't encrypt it by a key."""

    size: int
    sha256: str
    tags: frozenset[str]

    @classmethod
    def of(cls, path: Path) -> "Content":
        """Read a file."""
        whole, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        parts: list[bytes] = []
        size = 0
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                size += len(part)
                whole.update(part)
                md5.update(part)
                parts.append(hashlib.md5(part, usedforsecurity=False).digest())
        of_parts = hashlib.md5(b"".join(parts), usedforsecurity=False).hexdigest()
        return cls(size, whole.hexdigest(), frozenset({md5.hexdigest(), f"{of_parts}-{len(parts)}"}))


def _opened(url: str, access: Access) -> "S3Store":
    match = URL.fullmatch(url)
    if match is None:
        raise SettingsError("the archive's URL is no s3://BUCKET/PREFIX")  # it may hold a key, so it isn't shown
    if ENDPOINT.fullmatch(access.endpoint) is None:
        raise SettingsError("AWS_ENDPOINT_URL is no http:// or https:// URL")
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415 (an extra)
        from obstore.store import S3Store  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing(
            "ARCHIVE_URL names an object store, which needs an optional part: pip install 'aura-analytics[s3]'"
        ) from error
    prefix = (match["prefix"] or "").strip("/")
    try:
        return S3Store(
            match["bucket"],
            prefix=prefix or None,
            config=_config(access),
            client_options=_client(access),
            retry_config=_retries(access),
        )
    except (BaseError, ValueError) as error:
        raise SettingsError("the object store's settings don't make an address") from error


def _config(access: Access) -> "S3Config":
    given = {
        "endpoint": access.endpoint,
        "region": access.region,
        "access_key_id": access.key_id,
        "secret_access_key": access.secret,
        "session_token": access.session_token,
    }
    found: S3Config = {name: value for name, value in given.items() if value}  # type: ignore[assignment]  # a TypedDict
    return found


def _client(access: Access) -> "ClientConfig":
    return {
        "timeout": timedelta(seconds=access.request_s),
        "connect_timeout": timedelta(seconds=min(5.0, access.request_s)),
        "allow_http": access.endpoint.startswith("http://"),
    }


def _retries(access: Access) -> "RetryConfig":
    return {
        "max_retries": access.tries - 1,
        "retry_timeout": timedelta(seconds=access.request_s),
        "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=2), "base": 2},
    }


def _write(found: "GetResult", path: Path) -> None:
    """Write an object into a file, and see that it is whole."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in _pieces(found):
            size += len(piece)
            digest.update(piece)
            file.write(piece)
    wanted = found.attributes.get(CHECKSUM)
    if size != found.meta["size"] or (wanted is not None and digest.hexdigest() != wanted):
        raise ArchiveError("a file of the archive came damaged out of the object store")


def _pieces(found: "GetResult") -> Iterator[bytes]:
    with _speaking():
        yield from found.stream(PIECE_BYTES)


@contextmanager
def _keeping() -> Iterator[None]:
    """Say what goes wrong with the folder of copies."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"no copy of the archive's files can be kept here: {error.strerror}") from error


@contextmanager
def _speaking() -> Iterator[None]:
    """Say in the project's words what goes wrong with an object store; never where it is, or by which key."""
    from obstore.exceptions import BaseError, NotModifiedError  # noqa: PLC0415 (an extra)

    try:
        yield
    except NotModifiedError as error:
        raise NotModified("nothing new") from error
    except ValueError as error:
        raise ArchiveError("no file of the archive has such a name") from error
    except (BaseError, OSError) as error:
        raise _told(str(error), missing=isinstance(error, FileNotFoundError)) from error


def _told(text: str, *, missing: bool) -> ArchiveError:
    status = "404" if missing else found[1] if (found := STATUS.search(text)) else ""
    if any(address in text for address in OF_THE_MACHINE):
        return ArchiveError(
            "no key for the archive's object store: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY take it"
        )
    if "NoSuchBucket" in text:
        return ArchiveError("the archive's bucket isn't there")
    if status == "404":
        return FileMissing("a file of the archive isn't there")
    if status in {"401", "403"}:
        return ArchiveError("the archive's object store doesn't take this key, or the key may not do that")
    if status:
        return ArchiveError(f"the archive's object store answers with {status}")
    return ArchiveError("the archive's object store can't be reached")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
