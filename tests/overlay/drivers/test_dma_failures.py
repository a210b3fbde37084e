"""The DMA driver when something goes wrong: errors, stalls, freed buffers, cancellation, lost calls and restarts."""

import asyncio
import gc
import warnings
from typing import Any

import anyio
import numpy as np
import pytest

from pynq_async import Overlay, RemoteDevice
from pynq_async.errors import (
    BoardError,
    BufferFreed,
    DeadlineExceeded,
    DesignReplaced,
    HardwareError,
    OutcomeUnknown,
    StaleHandle,
)
from pynq_async.hardware import axi_dma
from pynq_async.overlay import DMA
from tests.boards import HASTY, begun, settled, under_faults
from tests.designs import firmware
from tests.test_cancellation import at_every_place

from .dmas import GATHER, SHORT_PIECES, SIMPLE, Mode, dma_design, loopback, offer, taken, with_dma

pytestmark = pytest.mark.usefixtures("impatient")
MODES = pytest.mark.parametrize("mode", [SIMPLE, GATHER], ids=["simple", "gather"])


async def works(board: RemoteDevice, dma: DMA) -> None:
    """The DMA moves data."""
    async with board.allocate(300, "u1") as data, board.allocate(300, "u1") as result:
        data[:] = np.arange(300) % 251
        await loopback(dma, data, result)
        assert (data == result).all()


@pytest.mark.parametrize(
    ("mode", "trouble", "words"),
    [
        (SIMPLE, axi_dma.DECODE_ERROR, "a decode error: nothing answers at an address"),
        (SIMPLE, axi_dma.SLAVE_ERROR, "a slave error: the memory refused an access"),
        (SIMPLE, axi_dma.INTERNAL_ERROR, "an internal error: it could not send the 64 bytes as one packet"),
        (GATHER, axi_dma.DECODE_ERROR, "a decode error"),
        (GATHER, axi_dma.SG_DECODE_ERROR, "a scatter-gather decode error: nothing answers at a descriptor's address"),
        (GATHER, axi_dma.SG_SLAVE_ERROR, "a scatter-gather slave error"),
        (GATHER, axi_dma.SG_INTERNAL_ERROR, "a scatter-gather internal error: .* complete already"),
    ],
)
async def test_errors_say_what_they_mean_and_the_next_transfer_resets(mode: Mode, trouble: int, words: str) -> None:
    async with with_dma(**mode) as (sim, board, dma):
        async with board.allocate(64, "u1") as data:
            sim.ip["dma"].send.trouble = trouble
            await dma.sendchannel.transfer(data)

            for _ in range(2):
                with pytest.raises(HardwareError, match=f"^{board.name}: dma.sendchannel: {words}.*DMASR 0x"):
                    await dma.sendchannel.wait()

            assert await dma.sendchannel.error()
            assert "broken" in repr(dma.sendchannel)

        await works(board, dma)
        assert not await dma.sendchannel.error()


@pytest.mark.parametrize("mode", [SIMPLE, GATHER, SHORT_PIECES], ids=["simple", "gather", "pieces"])
async def test_a_packet_that_is_too_long_is_an_error(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(400, "u1") as result:
        await dma.recvchannel.transfer(result)
        offer(sim, bytes(401))

        with pytest.raises(HardwareError, match="the packet was too long for the 400 bytes it may fill"):
            await dma.recvchannel.wait()

        await dma.recvchannel.transfer(result)
        offer(sim, b"fits")
        await dma.recvchannel.wait()
        assert result[:4].tobytes() == b"fits"


async def test_an_error_that_nobody_waited_for_comes_out_of_the_next_transfer() -> None:
    async with with_dma() as (sim, board, dma), board.allocate(64, "u1") as data:
        sim.ip["dma"].send.trouble = axi_dma.SLAVE_ERROR
        await dma.sendchannel.transfer(data)

        with pytest.raises(HardwareError, match="slave error"):
            await dma.sendchannel.transfer(data)

        await works(board, dma)


@MODES
async def test_waiting_is_bounded_and_may_be_done_again(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(64, "u1") as data:
        await dma.recvchannel.transfer(data)
        said = "dma.recvchannel: 64 bytes were not received within 0.01 s; DMASR is 0x.*stays in use"

        with pytest.raises(DeadlineExceeded, match=f"^{board.name}: {said}"):
            await dma.recvchannel.wait(timeout=0.01)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await dma.recvchannel.wait()

        with anyio.move_on_after(0.01) as scope:
            await dma.recvchannel.wait()

        assert scope.cancelled_caught
        offer(sim, b"\1" * 64)
        await dma.recvchannel.wait()
        assert (data == 1).all()


@MODES
@pytest.mark.parametrize("direction", ["sendchannel", "recvchannel"])
async def test_freeing_a_buffer_in_flight_resets_the_channel_first(mode: Mode, direction: str) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma):
        channel = getattr(dma, direction)
        data = await board.allocate(64, "u1")
        await channel.transfer(data)

        with pytest.raises(DeadlineExceeded):
            await channel.wait(timeout=0.01)

        at = data.physical_address
        await data.free()
        assert data.freed and not channel.in_flight

        with pytest.raises(HardwareError, match=f"dma was reset to stop dma.{direction} before the transfer was done"):
            await channel.wait()

        async with board.allocate(64, "u1") as other:
            assert other.physical_address == at
            offer(sim, b"\7" * 64)
            assert taken(sim) is None
            await other.sync_from_device()
            assert not other.any(), "the packet went nowhere"


async def test_closing_the_board_resets_what_is_in_flight() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        data = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(data)
        await board.aclose()
        assert data.freed
        offer(sim, bytes(64))


async def test_memory_in_flight_that_is_forgotten_stays_until_the_board_is_closed() -> None:
    async with with_dma(loop=False, **GATHER) as (sim, board, dma):
        data: Any = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(data)
        del data, dma
        gc.collect()

        async with board.allocate(16):
            assert sim.counters.live_buffers == 3, "with the descriptors"

        offer(sim, bytes(64))


async def test_descriptors_go_with_their_dma() -> None:
    async with with_dma(**GATHER) as (sim, board, dma):
        await works(board, dma)
        assert sim.counters.live_buffers == 2
        channel: Any = dma.sendchannel
        del channel, dma

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            gc.collect()


async def test_freed_descriptors_are_made_anew() -> None:
    async with with_dma(**SHORT_PIECES) as (_, board, dma):
        await works(board, dma)

        async with board.allocate(30_000, "u1") as data, board.allocate(30_000, "u1") as result:
            data[:] = np.arange(30_000) % 251
            await loopback(dma, data, result)
            assert (result == data).all()

        await works(board, dma)


async def test_a_waiting_task_learns_that_the_channel_was_stopped() -> None:
    async with with_dma(loop=False) as (sim, board, dma), board.allocate(64, "u1") as data:
        await dma.recvchannel.transfer(data)

        async def wait() -> None:
            with pytest.raises(HardwareError, match="dma was reset to stop dma.recvchannel before"):
                await dma.recvchannel.wait()

        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            await begun(sim, "mmio.read", 3)
            await dma.recvchannel.stop()

        await dma.recvchannel.transfer(data)
        offer(sim, bytes(64))
        await dma.recvchannel.wait()


async def test_a_reset_ends_what_the_other_channel_has_in_flight() -> None:
    async with with_dma(loop=False) as (sim, board, dma), board.allocate(64, "u1") as data:
        await dma.sendchannel.transfer(data)
        await dma.recvchannel.transfer(data)
        await dma.recvchannel.stop()

        with pytest.raises(HardwareError, match=r"sendchannel: dma was reset to stop dma.recvchannel before"):
            await dma.sendchannel.wait()

        await dma.sendchannel.transfer(data)
        assert taken(sim) == bytes(64)


async def test_a_channel_that_others_halted_says_so() -> None:
    async with with_dma(loop=False) as (sim, board, dma), board.allocate(64, "u1") as data:
        await dma.sendchannel.transfer(data)
        await dma.mmio.write(axi_dma.MM2S.control, axi_dma.RESET)

        with pytest.raises(HardwareError, match="halted by others"):
            await dma.sendchannel.wait()

        await dma.sendchannel.transfer(data)
        assert taken(sim) == bytes(64)


async def test_a_dma_whose_reset_does_not_end_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq_async.overlay.drivers.dma_engine._RESET", 0.02)

    async with with_dma() as (sim, board, dma), board.allocate(64, "u1") as data:
        stuck = sim.on_read(dma.mmio.base, lambda _, word: word | axi_dma.RESET)

        with pytest.raises(DeadlineExceeded, match=r"dma was not reset within 0.02 s; is the clock"):
            await dma.sendchannel.transfer(data)

        stuck()
        await works(board, dma)


@MODES
async def test_a_start_whose_answer_is_lost_keeps_the_buffer_until_a_reset(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma):
        data = await board.allocate(64, "u1")
        await dma.recvchannel.start()

        def lose_the_next(_: int, word: int) -> int:
            sim.faults.drop("mmio.write", after=True)
            return word

        if mode is SIMPLE:
            sim.on_write(dma.mmio.base + axi_dma.S2MM.address, lose_the_next)
        else:
            lose_the_next(0, 0)

        with pytest.raises(OutcomeUnknown):
            await dma.recvchannel.transfer(data)

        await settled(sim)

        with pytest.raises(OutcomeUnknown, match="whether the last transfer was begun is unknown"):
            await dma.recvchannel.wait()

        await data.free()
        offer(sim, bytes(64))


@MODES
async def test_after_a_restart_of_the_server_nothing_is_begun_with_memory_that_is_gone(mode: Mode) -> None:
    async with with_dma(**mode) as (sim, board, dma):
        data = await board.allocate(64, "u1")
        await dma.sendchannel.transfer(data)
        await sim.restart()

        with pytest.raises(StaleHandle):
            await dma.sendchannel.wait()

        with pytest.raises(StaleHandle):
            await dma.recvchannel.transfer(data)

        await works(board, dma)
        await data.free()


async def test_after_a_restart_the_dma_is_reset_before_its_next_use() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        lost = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(lost)
        at = lost.physical_address
        await sim.restart()

        async with board.allocate(64, "u1") as data:
            assert data.physical_address == at, "it would be written to"
            await dma.sendchannel.transfer(data)
            offer(sim, b"\7" * 64)
            await data.sync_from_device()
            assert not data.any()

        await lost.free()


async def test_a_buffer_can_be_freed_when_another_design_was_loaded() -> None:
    async with with_dma() as (_, board, dma):
        data = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(data)
        design = dma_design()
        overlay = await Overlay.load(board, firmware(1), design=design)

        with pytest.raises(DesignReplaced):
            await dma.recvchannel.wait()

        await data.free()

        with pytest.raises(DesignReplaced):
            await works(board, dma)

        await works(board, overlay.dma)


async def test_a_buffer_can_be_freed_after_a_reboot() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        data = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(data)
        await sim.reboot()
        await data.free()


@pytest.mark.parametrize(
    ("gather", "method"),
    [
        *((False, method) for method in ("mmio.read", "mmio.write", "buffer.write", "buffer.flush", "buffer.read")),
        *((True, method) for method in ("mmio.read", "mmio.write")),
    ],
)
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(gather: bool, method: str) -> None:
    async with with_dma(options={"timeouts": HASTY}, **(GATHER if gather else SIMPLE)) as (sim, board, dma):
        await works(board, dma)
        await under_faults(sim, method, lambda: works(board, dma), repeated=method == "buffer.read")


@pytest.mark.parametrize(("mode", "times"), [(SIMPLE, 1), (GATHER, 2)], ids=["simple once", "gather twice"])
async def test_cancelled_at_every_place(mode: Mode, times: int) -> None:
    async with with_dma(options={"timeouts": HASTY}, **mode) as (_, board, dma):
        await works(board, dma)
        assert await at_every_place(lambda: works(board, dma), times, lambda: works(board, dma)) >= 20


async def test_use_of_a_freed_buffer_is_refused_while_it_is_freed() -> None:
    async with with_dma(loop=False) as (sim, board, dma):
        data = await board.allocate(64, "u1")
        await dma.recvchannel.transfer(data)

        async with asyncio.TaskGroup() as group:
            group.create_task(data.free())
            group.create_task(_refused(dma, data))

        offer(sim, bytes(64))


async def _refused(dma: DMA, data: Any) -> None:
    with pytest.raises((BufferFreed, BoardError)):
        await dma.sendchannel.transfer(data)
        await asyncio.sleep(0.3)
        await dma.sendchannel.wait(timeout=0.01)
