"""What the DMA driver refuses before any register is touched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import BufferFreed, Misaligned, Misuse, NoBoardMemory, OutOfRange
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard

from .dmas import with_dma


@asynccontextmanager
async def refusing(dma: DMA, sim: SimBoard) -> AsyncIterator[None]:
    """Nothing is sent in this block."""
    calls = sim.counters.calls.total()
    yield
    assert sim.counters.calls.total() == calls


async def test_what_cannot_be_transferred_is_refused_before_anything_is_sent() -> None:
    async with (
        with_dma(C_SG_LENGTH_WIDTH=10, C_M_AXI_MM2S_DATA_WIDTH=64) as (sim, board, dma),
        RemoteDevice(sim.address, name="other") as neighbour,
        neighbour.allocate(16) as foreign,
        board.allocate((16, 128), "u1") as data,
    ):
        freed = await board.allocate(16)
        await freed.free()
        fixed = data[:4]
        fixed.flags.writeable = False
        nowhere: Any = "1"

        async with refusing(dma, sim):
            for array, start, nbytes, error, words in (
                (np.zeros(4), 0, 0, Misuse, "needs a buffer from board.allocate, not ndarray"),
                (data + 1, 0, 0, NoBoardMemory, "computed or copied"),
                (freed, 0, 0, BufferFreed, "was freed"),
                (foreign, 0, 0, Misuse, "was allocated through other"),
                (data[:4], 512, 0, OutOfRange, "0 bytes from byte 512 on do not lie in an array of 512 bytes"),
                (data[:4], 8, 505, OutOfRange, "505 bytes from byte 8"),
                (data[:4], -8, 8, OutOfRange, "from byte -8"),
                (data[:4], 0, -1, OutOfRange, "-1 bytes"),
                (data[:4], nowhere, 0, Misuse, "start and nbytes are integers"),
                (data[:0], 0, 0, OutOfRange, "0 bytes"),
                (data, 0, 0, OutOfRange, "2048 bytes are more than the 1023 .*Width of Buffer Length Register"),
                (
                    data[:8],
                    4,
                    0,
                    Misaligned,
                    "no multiple of 8 bytes, and the design leaves the realignment engine out",
                ),
                (data[:4, ::2], 0, 0, Misuse, "has gaps or another order"),
                (data[:4].T, 0, 0, Misuse, "has gaps or another order"),
                (data[3::-1], 0, 0, Misuse, "has gaps or another order"),
            ):
                with pytest.raises(error, match=f"^{board.name}: .*{words}"):
                    await dma.sendchannel.transfer(array, start, nbytes)  # type: ignore[arg-type]

            with pytest.raises(Misuse, match="dma.recvchannel: this view is read-only"):
                await dma.recvchannel.transfer(fixed)

            for wait in (dma.sendchannel.wait, dma.sendchannel.finish, dma.sendchannel.transferred):
                with pytest.raises(Misuse, match="dma.sendchannel: there is nothing to wait for"):
                    await wait()

            with pytest.raises(Misuse, match="needs 2 buffers a direction or more, not 1"):
                dma.stream(16, depth=1)

        await dma.recvchannel.transfer(data[:2], 4)
        await dma.sendchannel.transfer(fixed, nbytes=252)
        await dma.recvchannel.wait()


async def test_with_the_realignment_engine_any_address_will_do() -> None:
    async with (
        with_dma(C_INCLUDE_MM2S_DRE=1, C_INCLUDE_S2MM_DRE=1) as (_, board, dma),
        board.allocate(64, "u1") as data,
    ):
        data[:] = np.arange(64)
        await dma.recvchannel.transfer(data, 33, 31)
        await dma.sendchannel.transfer(data, 1, 31)
        await dma.recvchannel.wait()
        assert (data[33:] == np.arange(1, 32)).all()


async def test_addresses_out_of_reach_are_refused() -> None:
    async with with_dma() as (sim, board, dma), board.allocate(64, "u1") as data:
        memory = data._memory
        assert memory is not None
        real, memory.physical_address = memory.physical_address, 0x8_0000_0000

        async with refusing(dma, sim):
            with pytest.raises(OutOfRange, match=r"the buffer at 0x800000000 is out of reach of its 32 address bits"):
                await dma.sendchannel.transfer(data)

        memory.physical_address = real


async def test_a_micro_dma_moves_one_burst_at_most() -> None:
    async with with_dma(C_MICRO_DMA=1, C_MM2S_BURST_SIZE=16) as (_, board, dma), board.allocate(65, "u1") as data:
        with pytest.raises(OutOfRange, match="65 bytes are more than the 64"):
            await dma.sendchannel.transfer(data)

        await dma.recvchannel.transfer(data, nbytes=64)
        await dma.sendchannel.transfer(data, nbytes=64)
        await dma.recvchannel.wait()
