"""A DMA, and memory that others may have by now: after a restart of the server, and when it is unknown what it does."""

from typing import TYPE_CHECKING

import grpc
import pytest

from pynq_async.errors import BoardError, HardwareError, StaleHandle
from pynq_async.hardware import axi_dma
from tests.boards import settled
from tests.test_cancellation import at_every_place

from .dmas import GATHER, SIMPLE, Mode, offer, with_dma

if TYPE_CHECKING:
    from pynq_async import Buffer

pytestmark = pytest.mark.usefixtures("impatient")
MODES = pytest.mark.parametrize("mode", [SIMPLE, GATHER], ids=["simple", "gather"])


@MODES
@pytest.mark.parametrize("waits", [False, True])
async def test_memory_is_not_given_out_again_while_the_dma_may_write_to_it(mode: Mode, waits: bool) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma):
        lost = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(lost)
        at = lost.physical_address
        await sim.restart()

        if waits:
            with pytest.raises(StaleHandle):
                await dma.recvchannel.wait(0.1)

        async with board.allocate(64, "u1") as data:
            assert data.physical_address == at
            offer(sim, b"\xee" * 64)
            await data.sync_from_device()
            assert not data.any()

        with pytest.raises(StaleHandle, match="from before the board server restarted"):
            await dma.recvchannel.wait()

        await lost.free()


async def test_a_dma_that_cannot_be_stopped_after_a_restart_is_an_error_of_allocate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pynq_async.overlay.drivers.dma_engine._RESET", 0.02)

    async with with_dma(loop=False) as (sim, board, dma):
        lost = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(lost)
        await sim.restart()
        stuck = sim.on_read(dma.mmio.base, lambda _, word: word | axi_dma.RESET)

        for _ in range(2):
            with pytest.raises(
                HardwareError,
                match=f"^{board.name}: the buffer of .* before .* restarted.*not reset within 0.02 s.*load the design",
            ):
                await board.allocate(64)

        assert sim.counters.live_buffers == 0
        stuck()

        async with board.allocate(64):
            offer(sim, bytes(64))


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
@pytest.mark.parametrize("fault", ["slow", "lost before", "lost after", "refused"])
async def test_an_allocation_whose_reset_is_lost_is_a_typed_error(method: str, fault: str) -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        lost = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(lost)
        await sim.restart()

        if fault == "slow":
            sim.faults.delay(method, 0.01)
        elif fault == "refused":
            sim.faults.fail(method, grpc.StatusCode.INTERNAL)
        else:
            sim.faults.drop(method, after=fault == "lost after")

        try:
            async with board.allocate(64):
                assert fault == "slow"
        except BoardError as error:
            assert str(error).startswith(board.name)
            assert sim.counters.live_buffers == 0

        await settled(sim)
        sim.faults.clear()

        async with board.allocate(64, "u1") as data:
            offer(sim, b"\xee" * 64)
            await data.sync_from_device()
            assert not data.any()


async def test_an_allocation_cancelled_while_it_resets_the_dma() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        held: list[Buffer] = []

        async def lose() -> None:
            held.append(await board.allocate(64, "u1"))
            await dma.recvchannel.transfer(held[-1])
            await sim.restart()

        async def allocate() -> None:
            async with board.allocate(64, "u1") as data:
                offer(sim, b"\xee" * 64)
                await data.sync_from_device()
                assert not data.any()

        async def again() -> None:
            await allocate()
            await held.pop().free()
            await lose()

        await lose()
        assert await at_every_place(allocate, 1, again) > 5
        await held.pop().free()
