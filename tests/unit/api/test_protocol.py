"""The transport that writes a turn's pieces in one go: nothing is lost, nothing changes places."""

import asyncio

from aura_analytics.api.protocol import GatheringTransport


class Wire(asyncio.Transport):
    """Notes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_what_a_turn_brought_is_written_in_one_go_and_in_order() -> None:
    wire = Wire()
    transport = GatheringTransport(wire, asyncio.get_running_loop())
    transport.write(b"head ")
    transport.writelines([b"body ", b"end"])
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [b"head body end"]


async def test_closing_loses_nothing_and_writes_nothing_afterwards() -> None:
    wire = Wire()
    transport = GatheringTransport(wire, asyncio.get_running_loop())
    transport.write(b"last")
    transport.close()
    transport.write(b"too late")
    await asyncio.sleep(0)
    assert (wire.written, wire.closed, transport.is_closing()) == ([b"last"], True, True)
