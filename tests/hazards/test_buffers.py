"""The content of buffers: half written, sent in pieces, never checked (H23 to H29)."""

import asyncio
import random
from typing import Any

import grpc
import numpy as np
import pytest

from pynq_async import Buffer, RemoteDevice
from pynq_async.errors import BoardError, Misuse, NoBoardMemory, ProtocolViolation, ServerError, StaleHandle
from pynq_async.sim import Link
from pynq_async.wire import messages as m
from pynq_async.wire import methods
from pynq_async.wire.framing import frames

from ..sim.conftest import eventually
from .conftest import QUICK, assert_works, careless, endangered, nothing_sent, reached, served

MIB = 1 << 20


async def test_h23_too_much_is_partly_written_and_ok_without_defence() -> None:
    async with careless() as (sim, raw):
        buffer_id = await raw.allocate(4)
        assert (await raw.fill(buffer_id, b"abcd", b"e")).msg == "Buffer overflow."
        assert sim.memory.read(sim.area.base, 4) == b"abcd"


async def test_h23_what_the_server_says_in_its_answer_is_an_error() -> None:
    async with endangered() as (sim, board), board.allocate(64, "u1") as buffer:
        buffer[:] = 1
        sim.faults.answer("buffer.write", m.BufferWriteResponse(msg="Buffer overflow."), execute=True)

        with pytest.raises(ServerError, match="Buffer overflow"):
            await buffer.sync_to_device()

        assert _torn(buffer)
        assert sim.counters.calls["buffer.flush"] == 0
        sim.faults.answer("buffer.flush", m.FlushResponse(msg="no"))

        with pytest.raises(ServerError, match="no"):
            await buffer.sync_to_device()

        sim.faults.answer("buffer.invalidate", m.InvalidateResponse(msg="never"))

        with pytest.raises(ServerError, match="never"):
            await buffer.sync_from_device()

        sim.faults.answer("buffer.allocate", m.AllocateResponse(msg="not today"))

        with pytest.raises(ServerError, match="not today"):
            await board.allocate(64)

        await buffer.sync_to_device()
        assert not _torn(buffer)
        await assert_works(sim, board)


async def test_h24_an_upload_that_stops_short_is_ok_without_defence() -> None:
    async with careless() as (sim, raw):
        buffer_id = await raw.allocate(8)
        await raw.fill(buffer_id, b"\1" * 8)
        assert not (await raw.fill(buffer_id, b"\2" * 4)).msg
        assert not (await raw.fill(buffer_id)).msg
        assert sim.memory.read(sim.area.base, 8) == b"\2" * 4 + b"\1" * 4


@pytest.mark.parametrize("how", ["cancelled", "cut", "refused", "died"])
async def test_h24_after_a_broken_upload_the_buffer_is_torn_until_a_whole_one(how: str) -> None:
    async with served() as sim:
        link = Link(sim.address)

        async with (
            link as link_address,
            RemoteDevice(link_address, timeouts=QUICK) as board,
            board.allocate(8 * MIB, "u1") as buffer,
        ):
            buffer[:] = 1
            await buffer.sync_to_device()
            buffer[:] = 2
            flushed = sim.counters.calls["buffer.flush"]
            sim.faults.bandwidth = 50e6
            begun = sim.counters.bytes_in

            if how == "refused":
                sim.faults.fail("buffer.write", grpc.StatusCode.INTERNAL)

            upload = asyncio.create_task(buffer.sync_to_device())

            if how != "refused":
                await eventually(lambda: sim.counters.bytes_in > begun)

            match how:
                case "cancelled":
                    upload.cancel()
                case "cut":
                    link.cut()
                case "died":
                    await sim.restart()

            await asyncio.wait({upload})
            assert upload.cancelled() if how == "cancelled" else isinstance(upload.exception(), BoardError)
            assert _torn(buffer)
            assert sim.counters.calls["buffer.flush"] == flushed
            sim.faults.clear()

            if how == "died":
                with pytest.raises(StaleHandle):
                    await buffer.sync_to_device()
            else:
                await reached(board)
                await buffer[: 4 * MIB].sync_to_device()
                assert _torn(buffer)
                await buffer.sync_to_device()
                assert not _torn(buffer)
                assert sim.memory.read(buffer.physical_address, 8 * MIB) == bytes([2]) * (8 * MIB)

            await assert_works(sim, board)


async def test_h25_start_and_end_are_ignored_without_defence() -> None:
    async with careless() as (sim, raw):
        buffer_id = await raw.allocate(8)
        await raw.fill(buffer_id, b"\1" * 8)
        request = m.BufferWriteRequest(buffer_id=buffer_id, data=b"\2\2", start=4, end=6)
        await raw.call(methods.BUFFER_WRITE, request)
        assert sim.memory.read(sim.area.base, 8) == b"\2\2" + b"\1" * 6
        parts = await raw.stream(methods.BUFFER_READ, m.BufferReadRequest(buffer_id=buffer_id, start=4, end=6))
        assert [len(part.data) for part in parts] == [8]


async def test_h25_a_view_is_read_exactly_and_written_only_where_the_server_can() -> None:
    async with endangered() as (sim, board), board.allocate(8 * MIB, "u1") as buffer:
        content = np.random.default_rng(25).integers(0, 255, 8 * MIB, np.uint8)
        sim.memory.write(buffer.physical_address, content.tobytes())
        await buffer[1000:2000].sync_from_device()
        assert (buffer[1000:2000] == content[1000:2000]).all()
        assert not buffer[:1000].any()
        assert not buffer[2000:].any()
        await eventually(lambda: sim.counters.streams_now == 0)
        assert sim.counters.bytes_out < 6 * MIB  # stopped early

        buffer[:100] = 7
        await buffer[:100].sync_to_device()
        assert sim.memory.read(buffer.physical_address, 8 * MIB) == bytes([7]) * 100 + content[100:].tobytes()

        for view in (buffer[1:], buffer[::2], buffer[10:20], buffer[::-1]):
            with nothing_sent(sim), pytest.raises(Misuse):
                await view.sync_to_device()

        with nothing_sent(sim), pytest.raises(NoBoardMemory):
            await buffer.copy().sync_to_device()

        await assert_works(sim, board)


async def test_h26_later_ids_are_ignored_so_every_message_has_the_same() -> None:
    async with careless() as (sim, raw):
        first, second = await raw.allocate(4), await raw.allocate(4)
        requests = [m.BufferWriteRequest(buffer_id=one, data=b"ab") for one in (first, second)]
        await raw.call(methods.BUFFER_WRITE, *requests)
        assert sim.memory.read(sim.area.base, 4) == b"abab"

    content = memoryview(bytes(3 * MIB + 5))
    sent = [
        m.BufferWriteRequest.FromString(part)
        for part in frames(m.BufferWriteRequest(buffer_id="0xab"), 2, content, lambda _: None)
    ]
    assert [(part.buffer_id, len(part.data)) for part in sent] == [("0xab", MIB)] * 3 + [("0xab", 5)]


async def test_h27_pieces_do_not_end_at_elements_without_defence() -> None:
    async with careless() as (_, raw):
        buffer_id = await raw.allocate(12 * MIB // 4)
        first, *_ = await raw.fetch(buffer_id)

        with pytest.raises(ValueError, match="multiple of element size"):
            np.frombuffer(first, "V12")


@pytest.mark.parametrize("dtype", ["V12", "S3", "c16", np.dtype([("a", "u1"), ("b", ">u8"), ("c", "f4")])])
async def test_h27_elements_of_any_size_arrive_whole(dtype: Any) -> None:
    async with endangered() as (_, board):
        kind = np.dtype(dtype)
        count = 2 * MIB // kind.itemsize + 3
        content = random.Random(27).randbytes(count * kind.itemsize)

        async with board.allocate(count, kind) as buffer:
            buffer[:] = np.frombuffer(content, kind)
            await buffer.sync_to_device()
            buffer[:] = np.zeros(1, kind)
            await buffer.sync_from_device()
            assert buffer.tobytes() == content


@pytest.mark.parametrize("stretch", [-1, -MIB, 1, 5000])
async def test_h27_a_stream_that_is_short_or_long_is_an_error(stretch: int) -> None:
    async with endangered() as (sim, board), board.allocate(2 * MIB + 100, "u1") as buffer:
        buffer[:] = 1
        await buffer.sync_to_device()
        sim.faults.stretch("buffer.read", stretch)

        with pytest.raises(ProtocolViolation):
            await buffer.sync_from_device()

        await buffer.sync_from_device()
        assert (buffer == 1).all()
        await assert_works(sim, board)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL])
@pytest.mark.parametrize(
    "method", ["buffer.flush", "buffer.invalidate", "buffer.allocate", "buffer.physical_address", "buffer.freebuffer"]
)
async def test_h28_an_exception_in_the_server_is_an_error_and_never_repeated(
    method: str, code: grpc.StatusCode
) -> None:
    async with endangered() as (sim, board):
        buffer = await board.allocate(64, "u1")
        calls = sim.counters.calls[method]
        sim.faults.fail(method, code, "Unexpected error in RPC handling", execute=method == "buffer.freebuffer")

        with pytest.raises(ServerError, match="log on the board"):
            match method:
                case "buffer.flush":
                    await buffer.sync_to_device()
                case "buffer.invalidate":
                    await buffer.sync_from_device()
                case "buffer.freebuffer":
                    await buffer.free()
                case _:
                    await board.allocate(64)

        assert sim.counters.calls[method] == calls + 1
        await buffer.free()
        await assert_works(sim, board)


async def test_h29_the_element_type_is_the_hosts_business() -> None:
    async with endangered(family="zynqmp") as (sim, board), board.allocate((3, 5), ">i2") as buffer:
        buffer[:] = np.arange(15).reshape(3, 5)
        await buffer[:1].sync_to_device()
        assert sim.memory.read(buffer.physical_address, 30) == np.arange(5, dtype=">i2").tobytes() + bytes(20)

        with nothing_sent(sim), pytest.raises(Misuse):
            await board.allocate(4, "O")


def _torn(buffer: Buffer) -> bool:
    return buffer.torn
