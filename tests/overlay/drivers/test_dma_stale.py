"""A DMA, and memory that others may have by now: after a restart of the server, and when it is unknown what it does."""

import asyncio

import grpc
import pytest

from pynq_async import Buffer
from pynq_async.errors import BoardError, HardwareError, OutcomeUnknown, StaleHandle
from pynq_async.hardware import axi_dma
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard
from tests.boards import settled
from tests.test_cancellation import at_every_place

from .dmas import GATHER, SHORT_PIECES, SIMPLE, Mode, loopback, offer, with_dma

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


async def _begun_or_not(sim: SimBoard, dma: DMA, buffer: Buffer) -> None:
    """Begin to receive; the answer of the call that begins it is lost, but it was carried out."""

    def lose_the_next(_: int, word: int) -> int:
        sim.faults.drop("mmio.write", after=True)
        return word

    channel = dma.recvchannel
    begins = sim.on_write(dma.mmio.base + axi_dma.S2MM.status, lose_the_next)  # the write before

    with pytest.raises(OutcomeUnknown):
        await channel.transfer(buffer)

    begins()
    await settled(sim)


async def test_descriptors_that_the_dma_may_be_using_are_not_written_over() -> None:
    async with with_dma(loop=False, **SHORT_PIECES) as (sim, board, dma):
        one, other = await board.allocate(1000, "u1"), await board.allocate(1000, "u1")
        await dma.recvchannel.transfer(one)
        offer(sim, b"1" * 1000)
        await dma.recvchannel.wait()
        await _begun_or_not(sim, dma, one)
        sim.faults.drop("mmio.write")  # the reset

        with pytest.raises(OutcomeUnknown):
            await dma.recvchannel.transfer(other)

        await other.free()
        offer(sim, b"2" * 1000)
        await asyncio.sleep(0.01)
        assert sim.counters.strays == 0
        await one.sync_from_device()
        assert set(one.tobytes()) == {ord("2")}, "it was begun, and nothing was changed under its feet"
        await one.free()


async def test_a_transfer_cancelled_after_one_that_perhaps_began() -> None:
    async with with_dma(loop=False, **SHORT_PIECES) as (sim, board, dma):

        async def lose() -> None:
            held.append(await board.allocate(1000, "u1"))
            await dma.recvchannel.transfer(held[-1])
            offer(sim, b"1" * 1000)
            await dma.recvchannel.wait()
            await _begun_or_not(sim, dma, held[-1])

        async def receive() -> None:
            async with board.allocate(1000, "u1") as other:
                await dma.recvchannel.transfer(other)

        async def after() -> None:
            offer(sim, b"2" * 1000)
            await asyncio.sleep(0)
            assert sim.counters.strays == 0
            await held.pop().free()
            await dma.recvchannel.stop()
            sim.ip["dma"].site.stream("S_AXIS_S2MM").clear()
            await lose()

        held: list[Buffer] = []
        await lose()
        assert await at_every_place(receive, 1, after) > 10
        await held.pop().free()


@MODES
@pytest.mark.parametrize("known", [False, True])
async def test_a_channel_that_was_stopped_is_started_after_a_restart(mode: Mode, known: bool) -> None:
    async with with_dma(**mode) as (sim, board, dma):
        async with board.allocate(64, "u1") as data, board.allocate(64, "u1") as result:
            await loopback(dma, data, result)
            await dma.recvchannel.stop()
            await sim.restart()

            if known:
                await board.exists_file("/proc/version")

            await dma.recvchannel.start()
            assert await dma.recvchannel.running()

        async with board.allocate(64, "u1") as data, board.allocate(64, "u1") as result:
            data[:] = 3
            await loopback(dma, data, result)
            assert (result == 3).all()


@MODES
async def test_a_cancelled_stop_is_made_good_by_the_next_transfer(mode: Mode) -> None:
    async with (
        with_dma(**mode) as (_, board, dma),
        board.allocate(64, "u1") as data,
        board.allocate(64, "u1") as result,
    ):

        async def works() -> None:
            await dma.recvchannel.transfer(result)  # first, since it may reset both channels
            await dma.sendchannel.transfer(data)
            await dma.recvchannel.wait()

        await works()
        assert await at_every_place(dma.recvchannel.stop, 1, works) > 1
