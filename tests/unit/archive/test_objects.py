"""Files in an object store: a real S3 server on loopback, in good and in bad hours."""

import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from aura_analytics.archive import copies, objects
from aura_analytics.archive.objects import Access, ObjectFiles
from aura_analytics.errors import ArchiveError, SettingsError
from s3_server import KEY_ID, SECRET, Answer, Environ, S3Server

NAME = "date=2026-01-02/store_id=a%2Fb%20%26%3C/part-1.parquet"
LARGE = objects.PART_BYTES + 1_000_000

# How long a request may take, and how often it is tried, where it can't come to anything.
IMPATIENT = {"request_s": 5.0, "tries": 2}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    served = S3Server()
    yield served
    served.end()


# Any: boto3's clients have no types.
@pytest.fixture(scope="module")
def other_client(server: S3Server) -> Any:
    return boto3.client(
        "s3", endpoint_url=server.url, aws_access_key_id=KEY_ID, aws_secret_access_key=SECRET, region_name="us-east-1"
    )


@pytest.fixture
def bucket(other_client: Any, request: pytest.FixtureRequest) -> str:
    name = "b-" + hashlib.sha256(request.node.name.encode()).hexdigest()[:20]
    other_client.create_bucket(Bucket=name)
    return name


def access(url: str, **other: Any) -> Access:  # Any: the fields' own
    given = {"endpoint": url, "region": "us-east-1", "key_id": KEY_ID, "secret": SECRET, **IMPATIENT, **other}
    return Access(**given)


@pytest.fixture
def files(server: S3Server, bucket: str, tmp_path: Path) -> ObjectFiles:
    return ObjectFiles(f"s3://{bucket}/old/ones", access(server.url), tmp_path / "cache")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"what was said " * 100)
    return path


def cached(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_file_comes_back_as_it_was(files: ObjectFiles, source: Path) -> None:
    files.put(source, NAME)

    assert files.local(NAME).read_bytes() == source.read_bytes()


def test_an_object_has_the_very_name_under_the_prefix_so_that_others_find_it(
    files: ObjectFiles, source: Path, bucket: str, other_client: Any
) -> None:
    files.put(source, NAME)

    [found] = other_client.list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"] == f"old/ones/{NAME}"


def test_a_large_file_goes_in_parts_and_is_whole(files: ObjectFiles, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(LARGE))
    files.put(path, NAME)

    assert files.local(NAME).read_bytes() == path.read_bytes()


def test_an_empty_file_is_a_file(files: ObjectFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    files.put(tmp_path / "empty", NAME)

    assert files.local(NAME).read_bytes() == b""


def test_what_is_lacking_is_known_from_the_listing(files: ObjectFiles, source: Path, tmp_path: Path) -> None:
    files.put(source, NAME)

    assert files.lacking([]) == files.lacking([NAME], for_good=True) == set()
    assert files.lacking([NAME, f"{NAME}-2", "date=2026"], for_good=True) == {f"{NAME}-2", "date=2026"}
    assert cached(tmp_path) == []


def test_names_are_sorted_and_begin_as_asked(files: ObjectFiles, source: Path) -> None:
    for name in ("date=2026-01-03/store_id=b/part-1.parquet", "date=2026-01-02/store_id=b/part-1.parquet", "manifest"):
        files.put(source, name)

    assert files.names() == [
        "date=2026-01-02/store_id=b/part-1.parquet",
        "date=2026-01-03/store_id=b/part-1.parquet",
        "manifest",
    ]
    assert files.names("date=2026-01-0") == files.names()[:2]
    assert files.names("date=2026-01-02/") == files.names()[:1]
    assert files.names("date=2027") == []


def test_a_neighbour_in_the_bucket_is_none_of_ours(
    files: ObjectFiles, source: Path, server: S3Server, bucket: str, tmp_path: Path
) -> None:
    other = ObjectFiles(f"s3://{bucket}/old/ones-more", access(server.url), tmp_path / "cache")
    other.put(source, NAME)

    assert files.names() == []


def test_what_is_removed_is_gone_and_removing_it_again_does_nothing(
    files: ObjectFiles, source: Path, tmp_path: Path
) -> None:
    files.put(source, NAME)
    files.local(NAME)
    files.remove(NAME)
    files.remove(NAME)

    assert files.names() == []
    assert cached(tmp_path) == []
    with pytest.raises(ArchiveError, match="isn't there"):
        files.local(NAME)


class TestCopies:
    """What is fetched is kept, and only what it is worth."""

    def test_a_file_is_fetched_once(self, files: ObjectFiles, source: Path, server: S3Server) -> None:
        files.put(source, NAME)
        first = files.local(NAME)
        sizes: list[str] = []

        def watched(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            def start(status: str, headers: Any, *rest: Any) -> Any:
                sizes.append(status)
                return start_response(status, headers, *rest)

            return answer(environ, start)

        with server.meddled(watched):
            assert files.local(NAME) == first
        assert [status[:3] for status in sizes] == ["304"]

    def test_one_that_was_replaced_is_fetched_anew_and_its_old_copy_goes(
        self, files: ObjectFiles, source: Path, server: S3Server, bucket: str, tmp_path: Path
    ) -> None:
        files.put(source, NAME)
        files.local(NAME)
        source.write_bytes(b"another")
        ObjectFiles(f"s3://{bucket}/old/ones", access(server.url), tmp_path / "elsewhere").put(source, NAME)

        assert files.local(NAME).read_bytes() == b"another"
        assert [path.read_bytes() for path in cached(tmp_path)] == [b"another"]

    def test_a_copy_of_what_others_removed_or_replaced_goes_with_the_next_look(
        self, files: ObjectFiles, source: Path, server: S3Server, bucket: str, tmp_path: Path
    ) -> None:
        names = ["a", "b", "c"]
        for name in names:
            files.put(source, name)
            files.local(name)
        other = ObjectFiles(f"s3://{bucket}/old/ones", access(server.url), tmp_path / "elsewhere")
        other.remove("a")
        source.write_bytes(b"another")
        other.put(source, "b")
        kept = files.local("c")

        assert files.names() == ["b", "c"]
        assert cached(tmp_path) == [kept]

    def test_there_is_no_more_of_them_than_there_is_room_and_the_last_used_stay(
        self, server: S3Server, bucket: str, source: Path, tmp_path: Path
    ) -> None:
        size = source.stat().st_size
        files = ObjectFiles(f"s3://{bucket}", access(server.url), tmp_path / "cache", cache_bytes=2 * size)
        for name in ("a", "b", "c"):
            files.put(source, name)
        long_ago = time.time() - 10 * copies.IN_USE_S
        a, b = files.local("a"), files.local("b")
        os.utime(a, (long_ago, long_ago))
        os.utime(b, (long_ago, long_ago))
        files.local("a")
        c = files.local("c")

        assert (a.exists(), b.exists(), c.exists()) == (True, False, True)

    def test_what_was_just_used_stays_also_where_there_is_no_room(
        self, server: S3Server, bucket: str, source: Path, tmp_path: Path
    ) -> None:
        files = ObjectFiles(f"s3://{bucket}", access(server.url), tmp_path / "cache", cache_bytes=0)
        files.put(source, "a")
        files.put(source, "b")
        a = files.local("a")
        files.local("b")

        assert a.read_bytes() == source.read_bytes()

    def test_what_a_killed_process_left_behind_goes(self, files: ObjectFiles, source: Path) -> None:
        files.put(source, NAME)
        copy = files.local(NAME)
        left = copy.with_name(f"{copies.BESIDE}1-ab")
        left.write_bytes(b"half")
        long_ago = time.time() - 2 * copies.LEFT_BEHIND_S
        os.utime(left, (long_ago, long_ago))
        files.put(source, NAME)
        files.local(NAME)

        assert not left.exists()

    def test_many_at_once_fetch_whole_files(
        self, files: ObjectFiles, source: Path, server: S3Server, bucket: str, tmp_path: Path
    ) -> None:
        files.put(source, NAME)
        places = [ObjectFiles(f"s3://{bucket}/old/ones", access(server.url), tmp_path / "cache") for _ in range(4)]
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda at: places[at % 4].local(NAME).read_bytes(), range(24)))

        assert set(found) == {source.read_bytes()}
        assert len(cached(tmp_path)) == 1

    def test_a_folder_that_can_t_be_written_is_said(
        self, server: S3Server, bucket: str, source: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        files = ObjectFiles(f"s3://{bucket}", access(server.url), tmp_path / "file")
        files.put(source, NAME)

        with pytest.raises(ArchiveError, match="no copy of the archive's files can be kept here"):
            files.local(NAME)


class TestInBadHours:
    """What goes wrong is said in the project's words, and nothing counts that isn't whole."""

    def test_the_service_is_away(self, source: Path, tmp_path: Path) -> None:
        files = ObjectFiles("s3://bucket", access("http://127.0.0.1:9"), tmp_path)

        for doing in (lambda: files.put(source, NAME), lambda: files.local(NAME), files.names):
            with pytest.raises(ArchiveError, match="can't be reached"):
                doing()

    def test_a_key_that_isn_t_taken(self, server: S3Server, bucket: str, source: Path, tmp_path: Path) -> None:
        files = ObjectFiles(f"s3://{bucket}", access(server.url, key_id="ANOTHER"), tmp_path)

        for doing in (lambda: files.put(source, NAME), lambda: files.local(NAME), files.names):
            with pytest.raises(ArchiveError, match="doesn't take this key") as raised:
                doing()
            assert "ANOTHER" not in str(raised.value)
            assert SECRET not in str(raised.value)

    def test_a_bucket_that_isn_t_there(self, server: S3Server, source: Path, tmp_path: Path) -> None:
        files = ObjectFiles("s3://no-such-bucket", access(server.url), tmp_path)

        for doing in (
            lambda: files.put(source, NAME),
            lambda: files.local(NAME),
            files.names,
            lambda: files.remove(NAME),
        ):
            with pytest.raises(ArchiveError, match="bucket isn't there"):
                doing()

    def test_a_server_that_fails_is_asked_again(self, files: ObjectFiles, source: Path, server: S3Server) -> None:
        failures = iter(["500 Internal Server Error"])

        def failing(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            for status in failures:
                start_response(status, [("Content-Length", "0")])
                return []
            return answer(environ, start_response)

        with server.meddled(failing):
            files.put(source, NAME)
        assert files.names() == [NAME]

    def test_and_given_up_on_when_it_goes_on(self, files: ObjectFiles, source: Path, server: S3Server) -> None:
        def failing(_: Environ, start_response: Callable[..., Any], __: Answer) -> Iterable[bytes]:
            start_response("503 Slow Down", [("Content-Length", "0")])
            return []

        with server.meddled(failing), pytest.raises(ArchiveError, match="answers with 503"):
            files.put(source, NAME)
        assert files.names() == []

    def test_another_content_than_was_sent_isn_t_taken_for_stored(
        self, files: ObjectFiles, source: Path, server: S3Server
    ) -> None:
        def forging(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] == "PUT":
                body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
                environ["wsgi.input"] = io.BytesIO(body[::-1])
            return answer(environ, start_response)

        with server.meddled(forging), pytest.raises(ArchiveError, match="as it was sent"):
            files.put(source, NAME)

    def test_an_etag_that_is_no_checksum_has_the_content_read_again(
        self, files: ObjectFiles, source: Path, server: S3Server
    ) -> None:
        asked: list[str] = []

        def encrypting(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
                told = [(name, '"opaque"' if name.lower() == "etag" else value) for name, value in headers]
                return start_response(status, told, *rest)

            asked.append(environ["REQUEST_METHOD"])
            return answer(environ, start)

        with server.meddled(encrypting):
            files.put(source, NAME)
        assert asked == ["PUT", "HEAD", "GET"]

    def test_what_comes_damaged_is_neither_given_nor_kept(
        self, files: ObjectFiles, source: Path, server: S3Server, tmp_path: Path
    ) -> None:
        def damaging(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            return [piece.replace(b"said", b"sold") for piece in answer(environ, start_response)]

        files.put(source, NAME)
        with server.meddled(damaging), pytest.raises(ArchiveError, match="damaged"):
            files.local(NAME)
        assert cached(tmp_path) == []

    def test_two_that_put_under_one_name_leave_one_of_them_whole(
        self, files: ObjectFiles, server: S3Server, bucket: str, tmp_path: Path
    ) -> None:
        contents = [bytes([number]) * 100_000 for number in range(8)]
        for number, content in enumerate(contents):
            (tmp_path / str(number)).write_bytes(content)

        def put(number: int) -> bool:
            place = ObjectFiles(f"s3://{bucket}/old/ones", access(server.url), tmp_path / "cache")
            try:
                place.put(tmp_path / str(number), NAME)
            except ArchiveError:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            stored = list(threads.map(put, range(8)))

        assert any(stored)
        assert files.local(NAME).read_bytes() in contents

    def test_a_process_that_is_killed_while_it_puts_leaves_nothing_under_the_name(
        self, files: ObjectFiles, server: S3Server, bucket: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "large"
        path.write_bytes(os.urandom(LARGE))
        parts: list[str] = []

        def losing_the_last(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
            if "partNumber=2" in environ["QUERY_STRING"]:
                parts.append("held")
                process.send_signal(signal.SIGKILL)
                process.wait()
            return answer(environ, start_response)

        with server.meddled(losing_the_last):
            process = subprocess.Popen(
                [sys.executable, "-c", PUTTING, str(path), f"s3://{bucket}/old/ones", server.url]
            )
            assert process.wait(60) == -signal.SIGKILL

        assert parts
        assert files.names() == []
        files.put(path, NAME)
        assert files.local(NAME).read_bytes() == path.read_bytes()


PUTTING = f"""
import sys
from pathlib import Path
from aura_analytics.archive.objects import Access, ObjectFiles
access = Access(endpoint=sys.argv[3], region="us-east-1", key_id={KEY_ID!r}, secret={SECRET!r})
ObjectFiles(sys.argv[2], access, Path(sys.argv[1]).parent / "cache").put(Path(sys.argv[1]), {NAME!r})
"""


@pytest.mark.parametrize(
    "url", ["s3://", "s3://UPPER/x", "s3:/bucket", "https://bucket", "s3://key:secret@bucket/x", "s3://bucket?x=1"]
)
def test_what_is_no_url_of_a_bucket_is_refused_and_no_secret_is_said(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no s3://BUCKET/PREFIX") as raised:
        ObjectFiles(url, Access(), tmp_path)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://x", "http://", "http://key:secret@host", "http://host:port", "http://ä"]
)
def test_what_is_no_address_of_an_object_store_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AWS_ENDPOINT_URL"):
        ObjectFiles("s3://bucket", access(url), tmp_path)


@pytest.mark.parametrize("name", ["../other", "a//b", "a/../b"])
def test_a_name_never_leads_out_of_the_prefix(files: ObjectFiles, source: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match="such a name"):
        files.put(source, name)
    with pytest.raises(ArchiveError, match="such a name"):
        files.local(name)


def test_more_names_than_one_answer_holds(files: ObjectFiles, source: Path, server: S3Server) -> None:
    def briefly(environ: Environ, start_response: Callable[..., Any], answer: Answer) -> Iterable[bytes]:
        environ["QUERY_STRING"] += "&max-keys=2"
        return answer(environ, start_response)

    names = [f"date=2026-01-02/{number}" for number in range(5)]
    for name in names:
        files.put(source, name)
    with server.meddled(briefly):
        assert files.names() == names


def test_an_access_shows_no_key() -> None:
    assert "secret" not in repr(Access(key_id="a-key", secret="secret", session_token="secret-token"))
    assert "a-key" not in repr(Access(key_id="a-key", secret="secret"))
