"""Reading a body: what was sent comes out whole, and never more of it than the limits allow."""

import gzip
import zlib
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_analytics.errors import BodyTooLarge, MalformedBody, QueueFull, Unavailable
from aura_analytics.guard.budget import Budget, Portion
from aura_analytics.ingest.body import PIECE, Unpacker, read

PLENTY = 1 << 30
TEXT = b'{"event_type":"voice_query","store_id":"shop","query_text":"red apples"}\n' * 20


async def sent(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def body_of(chunks: Sequence[bytes], *, gzipped: bool = False, most: int = PLENTY) -> bytes:
    with Portion(Budget(PLENTY)) as portion:
        return await read(sent(*chunks), gzipped=gzipped, most=most, portion=portion)


def unpacked(packed: bytes, *, step: int = PLENTY, most: int = PLENTY) -> bytes:
    unpacker = Unpacker(most)
    pieces = [unpacker.unpack(packed[start : start + step]) for start in range(0, len(packed), step)]
    unpacker.finish()
    return b"".join(pieces)


class TestBudget:
    def test_it_is_taken_to_the_last_byte_and_no_further(self) -> None:
        budget = Budget(10)
        budget.take(4)
        budget.take(6)

        with pytest.raises(QueueFull, match="nothing of this request was stored"):
            budget.take(1)

    def test_what_was_refused_was_not_taken(self) -> None:
        budget = Budget(10)
        budget.take(8)
        with pytest.raises(QueueFull):
            budget.take(3)

        budget.take(2)

    def test_what_is_given_back_can_be_taken_again(self) -> None:
        budget = Budget(10)
        budget.take(10)
        budget.give_back(10)

        budget.take(10)

    def test_an_idle_service_takes_one_body_whatever_its_size(self) -> None:
        budget = Budget(10)
        budget.take(1_000)

        with pytest.raises(QueueFull):
            budget.take(1)

    def test_who_is_refused_may_come_back(self) -> None:
        budget = Budget(1)
        budget.take(1)

        with pytest.raises(Unavailable) as refused:
            budget.take(1)

        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)


class TestPortion:
    def test_all_that_one_request_took_is_given_back_at_its_end(self) -> None:
        budget = Budget(10)
        with Portion(budget) as portion:
            portion.take(4)
            portion.take(6)

        with Portion(budget) as portion:
            portion.take(10)

    def test_an_error_gives_it_back_too(self) -> None:
        budget = Budget(10)
        budget.take(2)
        with pytest.raises(QueueFull), Portion(budget) as portion:
            _take(portion, 4, 60)

        budget.take(8)

    def test_requests_share_the_budget(self) -> None:
        budget = Budget(10)
        with Portion(budget) as first, Portion(budget) as second:
            first.take(6)
            with pytest.raises(QueueFull):
                second.take(5)
            second.take(4)

    @pytest.mark.parametrize("sizes", [(11,), (8, 8), (1,) * 30])
    def test_an_idle_service_takes_one_body_in_however_many_pieces_it_comes(self, sizes: Sequence[int]) -> None:
        with Portion(Budget(10)) as portion:
            _take(portion, *sizes)


def _take(portion: Portion, *sizes: int) -> None:
    for size in sizes:
        portion.take(size)


class TestReading:
    @pytest.mark.parametrize("chunks", [[], [b""], [b"", b""]])
    @pytest.mark.parametrize("gzipped", [False, True])
    async def test_nothing_is_an_empty_body(self, chunks: list[bytes], gzipped: bool) -> None:
        assert await body_of(chunks, gzipped=gzipped) == b""

    @pytest.mark.parametrize("chunks", [[b"abcdef"], [b"abc", b"def"], [b"", b"a", b"bcde", b"", b"f", b""]])
    async def test_chunks_are_joined_in_their_order(self, chunks: list[bytes]) -> None:
        assert await body_of(chunks) == b"abcdef"

    @pytest.mark.parametrize("chunks", [[b"x" * 100], [b"x" * 60, b"x" * 40], [b"x"] * 100, [b"x" * 100, b""]])
    async def test_a_body_may_have_what_the_limit_says_and_no_more(self, chunks: list[bytes]) -> None:
        assert await body_of(chunks, most=100) == b"x" * 100
        with pytest.raises(BodyTooLarge, match="99 bytes"):
            await body_of(chunks, most=99)

    @pytest.mark.parametrize("step", [1, 7, PLENTY])
    async def test_the_limit_counts_what_is_unpacked(self, step: int) -> None:
        packed = gzip.compress(TEXT)
        chunks = [packed[start : start + step] for start in range(0, len(packed), step)]

        assert await body_of(chunks, gzipped=True, most=len(TEXT)) == TEXT
        with pytest.raises(BodyTooLarge, match=f"{len(TEXT) - 1} bytes"):
            await body_of(chunks, gzipped=True, most=len(TEXT) - 1)

    async def test_the_packed_form_may_have_no_more_either(self) -> None:
        packed = gzip.compress(b"x", 0)

        assert await body_of([packed], gzipped=True, most=len(packed)) == b"x"
        with pytest.raises(BodyTooLarge):
            await body_of([packed], gzipped=True, most=len(packed) - 1)

    async def test_nothing_is_read_beyond_the_limit(self) -> None:
        came: list[bytes] = []

        async def endless() -> AsyncIterator[bytes]:
            while True:
                came.append(b"x" * 10)
                yield came[-1]

        with Portion(Budget(PLENTY)) as portion, pytest.raises(BodyTooLarge):
            await read(endless(), gzipped=False, most=100, portion=portion)

        assert len(came) == 11

    async def test_what_is_held_is_paid_for_unpacked(self) -> None:
        budget = Budget(len(TEXT))
        with Portion(budget) as portion:
            await read(sent(gzip.compress(TEXT)), gzipped=True, most=PLENTY, portion=portion)
            with pytest.raises(QueueFull):
                budget.take(1)

        budget.take(len(TEXT))

    async def test_a_body_that_finds_the_budget_used_up_is_refused(self) -> None:
        budget = Budget(100)
        budget.take(50)

        with pytest.raises(QueueFull), Portion(budget) as portion:
            await read(sent(b"x" * 40, b"x" * 40), gzipped=False, most=PLENTY, portion=portion)

        budget.take(50)

    @pytest.mark.parametrize("cut", [1, 5, 10, 30, -9, -8, -1])
    async def test_a_gzip_that_is_cut_off_is_malformed(self, cut: int) -> None:
        with pytest.raises(MalformedBody, match="cut off"):
            await body_of([gzip.compress(TEXT)[:cut]], gzipped=True)

    @pytest.mark.parametrize("body", [TEXT, b"x", b"\x1f", b"\x1f\x8bxx", zlib.compress(TEXT), b"PK\x03\x04rubbish"])
    async def test_what_is_no_gzip_is_malformed(self, body: bytes) -> None:
        with pytest.raises(MalformedBody, match="gzip"):
            await body_of([body], gzipped=True)


class TestUnpacking:
    @pytest.mark.parametrize("step", [1, 2, 3, 17, PLENTY])
    @pytest.mark.parametrize("level", [0, 1, 9])
    def test_it_does_not_matter_how_the_bytes_come(self, step: int, level: int) -> None:
        assert unpacked(gzip.compress(TEXT, level), step=step) == TEXT

    @pytest.mark.parametrize("step", [1, 5, PLENTY])
    @pytest.mark.parametrize("members", [(b"one", b"two", b"three"), (b"", b"one", b"", b""), (b"a" * 100_000, b"b")])
    def test_all_members_are_unpacked(self, members: Sequence[bytes], step: int) -> None:
        packed = b"".join(gzip.compress(member) for member in members)

        assert unpacked(packed, step=step) == b"".join(members)

    @pytest.mark.parametrize("step", [1, 40, PLENTY])
    def test_padding_after_the_last_member_is_nothing(self, step: int) -> None:
        assert unpacked(gzip.compress(TEXT) + b"\0" * 100, step=step) == TEXT

    @pytest.mark.parametrize("step", [1, PLENTY])
    @pytest.mark.parametrize("rubbish", [b"rubbish", b"\0rubbish", b"\n"])
    def test_rubbish_after_the_last_member_is_malformed(self, rubbish: bytes, step: int) -> None:
        with pytest.raises(MalformedBody):
            unpacked(gzip.compress(TEXT) + rubbish, step=step)

    def test_a_wrong_checksum_is_malformed(self) -> None:
        packed = bytearray(gzip.compress(TEXT))
        packed[-5] ^= 1

        with pytest.raises(MalformedBody, match="isn't"):
            unpacked(bytes(packed))

    def test_every_cut_is_noticed_but_the_one_between_members(self) -> None:
        first, second = gzip.compress(b"one"), gzip.compress(b"two")
        whole = first + second

        for cut in range(1, len(whole)):
            if cut == len(first):
                assert unpacked(whole[:cut]) == b"one"
            else:
                with pytest.raises(MalformedBody, match="cut off"):
                    unpacked(whole[:cut])

    def test_the_limit_holds_over_all_members_together(self) -> None:
        packed = gzip.compress(b"x" * 60) + gzip.compress(b"x" * 40)

        assert unpacked(packed, most=100) == b"x" * 100
        with pytest.raises(BodyTooLarge):
            unpacked(packed, most=99)

    @pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
    def test_what_is_larger_than_a_piece_comes_whole(self, size: int) -> None:
        assert unpacked(gzip.compress(b"x" * size, 1), most=size) == b"x" * size

    def test_a_bomb_is_noticed_before_it_goes_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        packed = gzip.compress(b"\0" * (16 << 20), 9)
        handed_out: list[int] = []
        genuine = zlib.decompressobj

        class Watched:
            """A decompressor that notes how much it hands out."""

            def __init__(self, wbits: int) -> None:
                self._genuine = genuine(wbits)

            def __getattr__(self, name: str) -> object:
                return getattr(self._genuine, name)

            def decompress(self, data: bytes, most: int) -> bytes:
                piece = self._genuine.decompress(data, most)
                handed_out.append(len(piece))
                return piece

        monkeypatch.setattr(zlib, "decompressobj", Watched)
        with pytest.raises(BodyTooLarge):
            Unpacker(1_000_000).unpack(packed)

        assert sum(handed_out) <= 1_000_000 + PIECE

    def test_a_bomb_of_empty_members_ends(self) -> None:
        assert unpacked(gzip.compress(b"") * 5_000, most=1) == b""

    @settings(max_examples=100, deadline=None)
    @given(
        members=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
        cuts=st.lists(st.integers(0, 2_000), max_size=6),
        level=st.integers(0, 9),
        padding=st.integers(0, 9),
    )
    def test_whatever_was_packed_comes_out_however_it_is_chopped(
        self, members: list[bytes], cuts: list[int], level: int, padding: int
    ) -> None:
        packed = b"".join(gzip.compress(member, level) for member in members) + b"\0" * padding
        borders = sorted({0, len(packed), *(cut % (len(packed) + 1) for cut in cuts)})
        unpacker = Unpacker(sum(map(len, members)))

        pieces = [unpacker.unpack(packed[start:end]) for start, end in pairwise(borders)]
        unpacker.finish()

        assert b"".join(pieces) == b"".join(members)

    @settings(max_examples=150, deadline=None)
    @given(
        st.binary(max_size=100)
        | st.tuples(st.integers(0, 90), st.binary(min_size=1, max_size=4)).map(
            lambda change: (
                gzip.compress(TEXT)[: change[0]] + change[1] + gzip.compress(TEXT)[change[0] + len(change[1]) :]
            )
        )
    )
    def test_rubbish_is_unpacked_or_refused(self, packed: bytes) -> None:
        try:
            unpacked(packed, most=10_000)
        except (MalformedBody, BodyTooLarge) as error:
            assert str(error)  # noqa: PT017 (it need not come at all)
