"""Files of events: every form that people have them in gives the same events, and each knows its place."""

import gzip
import json
import os
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import LoadError
from aura_analytics.events.decode import Limits, decode_events
from aura_analytics.ingest import files
from aura_analytics.ingest.files import Batch, Source
from unit.ingest.conftest import WriteFile

SLURP = Path(__file__).parents[4] / "shared" / "data" / "slurp.events.ndjson.gz"
BOM = b"\xef\xbb\xbf"
# Any: what JSON can hold.
EVENTS: list[dict[str, Any]] = [
    {"event_type": "voice_query", "query_id": f"q-{n}", "store_id": "shop", "query_text": f"apples {n} 🍎"}
    for n in range(5)
]

packings = pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])


def lines(events: Sequence[object], end: bytes = b"\n") -> bytes:
    return b"".join(json.dumps(event).encode() + end for event in events)


def read(source: Source) -> tuple[list[str], list[bytes]]:
    """The places and the events of a whole file."""
    batches = list(source.batches())
    return (
        [place.removeprefix(source.name) for batch in batches for place in batch.places],
        [bytes(event) for batch in batches for event in batch.events],
    )


def parsed(source: Source) -> list[object]:
    _, events = read(source)
    return [json.loads(event) for event in events]


class TestForms:
    @packings
    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \t\n"])
    @pytest.mark.parametrize("begin", [b"", BOM])
    def test_one_event_a_line(self, write_file: WriteFile, packed: bool, end: bytes, begin: bytes) -> None:
        source = write_file(begin + lines(EVENTS, end), packed=packed)

        assert parsed(source) == EVENTS
        assert read(source)[0] == [":1", ":2", ":3", ":4", ":5"]

    @packings
    def test_the_last_line_needs_no_end(self, write_file: WriteFile, packed: bool) -> None:
        assert parsed(write_file(lines(EVENTS).rstrip(), packed=packed)) == EVENTS

    @packings
    @pytest.mark.parametrize("indent", [None, 2])
    @pytest.mark.parametrize("begin", [b"", BOM, b"\n\n  ", BOM + b"\r\n"])
    def test_an_array(self, write_file: WriteFile, packed: bool, indent: int | None, begin: bytes) -> None:
        source = write_file(begin + json.dumps(EVENTS, indent=indent).encode() + b"\n", packed=packed)

        assert parsed(source) == EVENTS
        assert read(source)[0] == [f": event {n}" for n in (1, 2, 3, 4, 5)]

    @packings
    @pytest.mark.parametrize("indent", [2, 4, "\t"])
    @pytest.mark.parametrize("begin", [b"", BOM, b"\n\n", BOM + b"\r\n"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_one_object_over_several_lines(
        self, write_file: WriteFile, packed: bool, indent: int | str, begin: bytes, end: str
    ) -> None:
        pretty = json.dumps(EVENTS[0], indent=indent).replace("\n", end).encode()
        source = write_file(begin + pretty, packed=packed)

        assert parsed(source) == [EVENTS[0]]
        assert read(source)[0] == [": event 1"]

    @packings
    def test_one_object_on_one_line(self, write_file: WriteFile, packed: bool) -> None:
        assert read(write_file(json.dumps(EVENTS[0]).encode(), packed=packed))[0] == [":1"]

    @packings
    def test_an_empty_array_holds_no_events(self, write_file: WriteFile, packed: bool) -> None:
        assert list(write_file(b"[]\n", packed=packed).batches()) == []

    def test_gzip_is_known_by_its_content_and_not_by_its_name(self, write_file: WriteFile) -> None:
        assert parsed(write_file(lines(EVENTS), "events.gz")) == EVENTS
        assert parsed(write_file(lines(EVENTS), "events.json", packed=True)) == EVENTS

    def test_all_members_of_a_gzip_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "appended.gz"
        path.write_bytes(b"".join(gzip.compress(lines([event])) for event in EVENTS))

        assert parsed(Source(str(path))) == EVENTS

    @settings(max_examples=60, deadline=None)
    @given(
        events=st.lists(
            st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9)), min_size=1, max_size=6
        ),
        packed=st.booleans(),
        bom=st.booleans(),
    )
    def test_an_array_and_lines_hold_the_same(
        self, tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]], packed: bool, bom: bool
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "either"
        for content in (lines(events), json.dumps(events).encode(), json.dumps(events, indent=1).encode()):
            whole = BOM * bom + content
            path.write_bytes(gzip.compress(whole, 1) if packed else whole)
            assert parsed(Source(str(path))) == events


class TestPlaces:
    @packings
    def test_blank_lines_are_passed_over_and_counted(self, write_file: WriteFile, packed: bool) -> None:
        first, second, third = (lines([event]) for event in EVENTS[:3])
        source = write_file(b"\n \r\n" + first + b"\n\n" + second + b"\t\n" + third + b"\n\n", packed=packed)

        assert parsed(source) == EVENTS[:3]
        assert read(source)[0] == [":3", ":6", ":8"]

    @pytest.mark.parametrize(
        ("begin", "places"), [(b"", [":1", ":2", ":4"]), (BOM, [":1", ":2", ":4"]), (b"\n\n", [":3", ":4", ":6"])]
    )
    def test_a_bad_first_line_harms_no_other_line(self, write_file: WriteFile, begin: bytes, places: list[str]) -> None:
        source = write_file(begin + b'{"event_type": "voice_que\n' + lines(EVENTS[:1]) + b"\n" + lines(EVENTS[1:2]))

        found, events = read(source)

        assert events[0] == b'{"event_type": "voice_que'
        assert [json.loads(event) for event in events[1:]] == EVENTS[:2]
        assert found == places

    def test_a_bad_line_in_the_middle_keeps_its_place(self, write_file: WriteFile) -> None:
        source = write_file(lines(EVENTS[:2]) + b"rubbish\n" + lines(EVENTS[2:]))

        found, events = read(source)

        assert (found[2], events[2]) == (":3", b"rubbish")
        assert len(events) == 6

    def test_a_place_is_of_its_file(self, write_file: WriteFile) -> None:
        source = write_file(lines(EVENTS[:1]), "some events")

        (batch,) = source.batches()
        assert batch.places == [f"{source.name}:1"]

    def test_binary_rubbish_is_lines_that_the_decoder_rejects(self, write_file: WriteFile) -> None:
        source = write_file(bytes(range(256)) * 4)

        (batch,) = source.batches()
        decoded = decode_events(batch.events, limits=Limits())

        assert decoded.events == []
        assert {rejection.code for rejection in decoded.rejected} == {"malformed_json"}
        assert len(batch.places) == len(batch.events) == len(decoded.rejected)


class TestErrors:
    @packings
    @pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\t\n", BOM])
    def test_an_empty_file(self, write_file: WriteFile, packed: bool, content: bytes) -> None:
        source = write_file(content, packed=packed)

        with pytest.raises(LoadError, match="is empty") as error:
            list(source.batches())
        assert source.name in str(error.value)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        source = Source(str(tmp_path / "nowhere"))

        assert source.size is None
        with pytest.raises(LoadError, match="nowhere can't be read: No such file"):
            list(source.batches())

    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(LoadError, match="can't be read"):
            list(Source(str(tmp_path)).batches())

    @pytest.mark.parametrize("cut", [3, 12, 40, -9, -4, -1])
    def test_a_gzip_that_is_cut_off(self, tmp_path: Path, cut: int) -> None:
        path = tmp_path / "cut.gz"
        path.write_bytes(gzip.compress(lines(EVENTS))[:cut])

        with pytest.raises(LoadError, match="cut off"):
            list(Source(str(path)).batches())

    @pytest.mark.parametrize("spoil", [12, 30, -6, -2])
    def test_a_gzip_that_is_damaged(self, tmp_path: Path, spoil: int) -> None:
        packed = bytearray(gzip.compress(lines(EVENTS)))
        packed[spoil] ^= 0xFF
        path = tmp_path / "damaged.gz"
        path.write_bytes(packed)

        with pytest.raises(LoadError, match="damaged"):
            list(Source(str(path)).batches())

    @pytest.mark.parametrize("content", [b"[", b"[{}", b"[{},]", b"[{}] {}", b"[nonsense]", b"[" * 100_000])
    def test_an_array_that_is_none(self, write_file: WriteFile, content: bytes) -> None:
        with pytest.raises(LoadError, match="can't be read"):
            list(write_file(content).batches())

    def test_what_came_before_the_damage_was_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "BATCH_EVENTS", 2)
        packer = zlib.compressobj(wbits=31)
        whole = packer.compress(lines(EVENTS)) + packer.flush(zlib.Z_FULL_FLUSH)
        path = tmp_path / "cut.gz"
        path.write_bytes(whole)  # no end
        batches = Source(str(path)).batches()

        assert [len(batch.events) for batch in (next(batches), next(batches))] == [2, 2]
        with pytest.raises(LoadError):
            next(batches)


class TestBatches:
    def test_a_batch_holds_a_thousand_events(self, write_file: WriteFile) -> None:
        source = write_file(lines([{"n": n} for n in range(2_500)]))

        batches = list(source.batches())

        assert [len(batch.events) for batch in batches] == [1_000, 1_000, 500]
        assert batches[1].places[0] == f"{source.name}:1001"
        assert [json.loads(bytes(event))["n"] for batch in batches for event in batch.events] == list(range(2_500))

    @pytest.mark.parametrize("array", [False, True])
    def test_exactly_full_batches_leave_no_empty_one(self, write_file: WriteFile, array: bool) -> None:
        events = [{"n": n} for n in range(2_000)]
        source = write_file(json.dumps(events).encode() if array else lines(events))

        assert [len(batch.events) for batch in source.batches()] == [1_000, 1_000]

    def test_a_batch_of_large_events_holds_fewer(self, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch) -> None:
        event = {"text": "x" * 100}
        monkeypatch.setattr(files, "BATCH_BYTES", 2 * len(json.dumps(event)))

        assert [len(batch.events) for batch in write_file(lines([event] * 5)).batches()] == [2, 2, 1]

    @packings
    def test_the_bytes_that_are_read_lead_to_the_size_of_the_file(self, write_file: WriteFile, packed: bool) -> None:
        source = write_file(lines([{"n": os.urandom(40).hex()} for _ in range(3_000)]), packed=packed)

        read = [batch.read for batch in source.batches()]

        assert source.size == Path(source.name).stat().st_size
        assert 0 < read[0] <= read[1] <= read[2] == source.size

    def test_the_file_is_let_go_when_nobody_reads_on(self, write_file: WriteFile) -> None:
        source = write_file(lines([{"n": n} for n in range(2_500)]))
        batches = source.batches()
        next(batches)

        batches.close()  # type: ignore[attr-defined]  # it is a generator

        Path(source.name).unlink()


class TestStandardInput:
    @packings
    def test_it_is_read_like_a_file(self, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        out, into = os.pipe()
        with os.fdopen(out, encoding="utf-8") as stdin:
            with os.fdopen(into, "wb") as pipe:
                pipe.write(gzip.compress(lines(EVENTS)) if packed else lines(EVENTS))
            monkeypatch.setattr(sys, "stdin", stdin)
            source = Source("-")

            (batch,) = source.batches()

            assert [json.loads(bytes(event)) for event in batch.events] == EVENTS
            assert (batch.places[0], batch.read, source.size) == ("-:1", 0, None)
            assert not stdin.closed

    def test_an_empty_one_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with Path(os.devnull).open(encoding="utf-8") as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            with pytest.raises(LoadError, match="- is empty"):
                list(Source("-").batches())


def test_a_batch_can_not_be_changed() -> None:
    with pytest.raises(AttributeError):
        Batch([], [], 0).read = 1  # type: ignore[misc]  # that is the point


@pytest.mark.skipif(not SLURP.is_file(), reason=f"{SLURP.name} isn't beside the checkout")
def test_real_interactions_are_read_and_decoded_to_the_last() -> None:
    batches = list(Source(str(SLURP)).batches())
    decoded = [decode_events(batch.events, limits=Limits()) for batch in batches]

    assert sum(len(one.events) for one in decoded) == 15_150
    assert [one.rejected for one in decoded if one.rejected] == []
    assert batches[-1].places[-1].endswith(":15150")
    assert batches[-1].read == SLURP.stat().st_size
