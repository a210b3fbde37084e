"""Buffers whose transfer goes wrong, or whose server has gone."""

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import OutcomeUnknown, ProtocolViolation, ServerError, StaleHandle, UnknownHandle
from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m

from ..boards import simulated

MIB = 1 << 20


async def test_a_short_stream_is_an_error(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(MIB, "u1") as buffer:
        sim.faults.stretch("buffer.read", -100)

        with pytest.raises(ProtocolViolation, match=f"sent {MIB - 100} bytes"):
            await buffer.sync_from_device()

        await buffer.sync_from_device()


async def test_a_long_stream_is_an_error(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(MIB, "u1") as buffer:
        sim.faults.stretch("buffer.read", 100)

        with pytest.raises(ProtocolViolation, match="more than there is"):
            await buffer.sync_from_device()

        await buffer.sync_from_device()


async def test_what_the_server_says_while_it_takes_a_buffer_is_an_error(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(MIB, "u1") as buffer:
        sim.faults.answer("buffer.write", m.BufferWriteResponse(msg="Buffer overflow."))

        with pytest.raises(ServerError, match="Buffer overflow"):
            await buffer.sync_to_device()


async def test_a_cut_upload_leaves_the_buffer_torn_until_a_whole_one(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(4 * MIB, "u1") as buffer:
        sim.faults.drop("buffer.write")

        with pytest.raises(OutcomeUnknown):
            await buffer.sync_to_device()

        assert buffer.torn
        await buffer[:10].sync_to_device()
        assert buffer.torn
        await buffer.sync_to_device()
        assert not buffer.torn


async def test_a_read_is_repeated_after_a_lost_connection(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(4 * MIB, "u1") as buffer:
        buffer[:] = 5
        await buffer.sync_to_device()
        buffer[:] = 0
        sim.faults.drop("buffer.read")
        await buffer.sync_from_device()
        assert (buffer == 5).all()


async def test_a_buffer_of_a_restarted_server_is_stale() -> None:
    async with simulated() as (sim, board):
        buffer = await board.allocate(MIB, "u1")
        await sim.restart()
        other = await board.allocate(MIB, "u1")  # has the same name on the server now

        for use in (buffer.sync_to_device, buffer.sync_from_device):
            with pytest.raises(StaleHandle, match="restarted"):
                await use()

        await buffer.free()
        assert sim.counters.live_buffers == 1
        await other.sync_to_device()
        await other.free()


async def test_a_buffer_that_another_client_freed_is_named() -> None:
    async with simulated() as (sim, board):
        buffer = await board.allocate(MIB, "u1")
        on_board = sim.process.buffers.find(buffer._memory.id if buffer._memory else "")
        assert on_board is not None
        sim.process.buffers.free(on_board)

        for use in (buffer.sync_to_device, buffer.sync_from_device, buffer.free):
            with pytest.raises(UnknownHandle, match="did another client free it"):
                await use()
