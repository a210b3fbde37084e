"""Buffers as arrays: their content on both sides, their views and addresses."""

import random
from itertools import product
from typing import Any

import numpy as np
import pytest

from pynq_async import Buffer, Progress, RemoteDevice
from pynq_async.errors import Misuse, NoBoardMemory
from pynq_async.sim import SimBoard

MIB = 1 << 20


DTYPES = ["u1", "<f8", np.int16, [("x", "u1"), ("y", "<u4")], "V3"]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *product([(1,), (7, 3), (2, 3, 4)], DTYPES),
        *product([10, [4, 4]], ["u1"]),
        *product([(3 * MIB + 5,)], ["u1", "V3"]),
    ],
)
async def test_any_shape_and_dtype_round_trips(board: RemoteDevice, shape: Any, dtype: Any) -> None:
    async with board.allocate(shape, dtype) as buffer:
        assert buffer.flags.c_contiguous
        assert not buffer.view(np.ndarray).view("u1").any(), "a new buffer is zero"
        data = np.frombuffer(random.Random(1).randbytes(buffer.nbytes), "u1")
        buffer.view(np.ndarray).reshape(-1).view("u1")[:] = data
        await buffer.sync_to_device()
        buffer.view(np.ndarray).reshape(-1).view("u1")[:] = 0
        await buffer.sync_from_device()
        assert buffer.tobytes() == data.tobytes()


async def test_the_hardware_sees_what_was_synced(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(256, "u1") as buffer:
        buffer[:] = np.arange(256)
        assert sim.memory.read(buffer.physical_address, 256) == bytes(256)
        await buffer.flush()
        assert sim.memory.read(buffer.physical_address, 256) == bytes(range(256))
        sim.memory.write(buffer.device_address + 3, b"\xff")
        await buffer.invalidate()
        assert buffer[3] == 0xFF


async def test_addresses_are_plain_values_that_include_a_views_offset(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate((4, 1024), "u4") as buffer:
        calls = sum(sim.counters.calls.values())
        assert buffer.physical_address == buffer.device_address == buffer[:2].physical_address
        assert buffer[2].physical_address == buffer.physical_address + 2 * 4096
        assert buffer[1:, 5:].virtual_address == buffer.virtual_address + 4096 + 20
        assert buffer[::-1].physical_address == buffer.physical_address + 3 * 4096, "of its first element"
        assert buffer.cacheable and not buffer.coherent and buffer.nbytes == 16384
        assert sum(sim.counters.calls.values()) == calls

    async with board.allocate(4, cacheable=False) as plain:
        assert not plain.cacheable


async def test_a_view_is_filled_and_nothing_else(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate((8, 512), "u4") as buffer:
        buffer[:] = 1
        await buffer.sync_to_device()
        buffer[:] = 2
        await buffer[3:5].sync_from_device()
        assert (buffer[3:5] == 1).all() and (buffer[:3] == 2).all() and (buffer[5:] == 2).all()
        buffer[:] = 2
        await buffer[:, 1::2].sync_from_device()
        assert (buffer[:, 1::2] == 1).all() and (buffer[:, ::2] == 2).all()
        buffer[:] = 2
        await buffer[6:1:-2, ::-1].sync_from_device()
        assert (buffer[[6, 4, 2]] == 1).all() and (buffer[[0, 1, 3, 5, 7]] == 2).all()


async def test_a_view_at_the_start_is_written_alone(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(4096, "u1") as buffer:
        buffer[:] = 9
        await buffer[:100].sync_to_device()
        assert sim.memory.read(buffer.physical_address, 101) == b"\x09" * 100 + b"\0"


async def test_a_view_elsewhere_or_with_gaps_cannot_be_written(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate((16, 16), "u1") as buffer:
        with pytest.raises(Misuse, match="starts 16 bytes into its buffer"):
            await buffer[1:].sync_to_device()

        with pytest.raises(Misuse, match="has gaps"):
            await buffer[:, ::2].sync_to_device()

    assert sim.counters.calls["buffer.write"] == 0


async def test_an_array_that_shares_no_memory_says_so(board: RemoteDevice) -> None:
    async with board.allocate(16, "u4") as buffer:
        for other in (buffer.copy(), buffer + 1, np.sin(buffer), buffer[[1, 2]], buffer.astype("u1")):
            assert isinstance(other, Buffer)

            with pytest.raises(NoBoardMemory, match=f"^{board.name}: .*buffer\\[:\\] = array"):
                await other.sync_to_device()

            with pytest.raises(NoBoardMemory):
                _ = other.physical_address

        with pytest.raises(NoBoardMemory):
            await np.zeros(3).view(Buffer).sync_from_device()


async def test_single_values_are_numbers(board: RemoteDevice) -> None:
    async with board.allocate(16, "u4") as buffer:
        assert not isinstance(buffer.sum(), np.ndarray)
        assert not isinstance(buffer.mean(), np.ndarray)
        buffer += 1
        assert isinstance(buffer, Buffer) and buffer.physical_address
        assert int(buffer.sum()) == 16


async def test_progress_of_a_sync(board: RemoteDevice) -> None:
    async with board.allocate(3 * MIB, "u1") as buffer:
        steps: list[Progress] = []
        await buffer.sync_to_device(progress=steps.append)
        assert [(step.stage, step.done, step.total) for step in steps] == [
            ("to board", n * MIB, 3 * MIB) for n in (1, 2, 3)
        ]
        steps.clear()
        await buffer[: 2 * MIB].sync_from_device(progress=steps.append)
        assert [(step.stage, step.done, step.total) for step in steps] == [
            ("from board", n * MIB, 2 * MIB) for n in (1, 2)
        ]
        assert steps[0].board == board.name


async def test_a_read_only_view_is_not_filled(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(64) as buffer:
        view = buffer[:]
        view.flags.writeable = False

        with pytest.raises(Misuse, match="read-only"):
            await view.sync_from_device()
