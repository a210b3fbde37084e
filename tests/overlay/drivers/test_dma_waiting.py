"""Waiting for a DMA: in several tasks, with timeouts, and what is known of a transfer afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import numpy as np
import pytest

from pynq_async import Overlay
from pynq_async.errors import DeadlineExceeded, HardwareError, Misuse
from pynq_async.hardware import axi_dma
from pynq_async.overlay import DMA, AxiVDMA
from tests.boards import begun, simulated

from ...designs import firmware
from .dmas import GATHER, SIMPLE, Mode, dma_design, offer, taken, with_dma
from .vdmas import COLOUR, vdma_design

pytestmark = pytest.mark.usefixtures("impatient")
MODES = pytest.mark.parametrize("mode", [SIMPLE, GATHER], ids=["simple", "gather"])
REALIGNS: Mode = {"C_INCLUDE_MM2S_DRE": 1, "C_INCLUDE_S2MM_DRE": 1}


@MODES
async def test_everybody_waits_for_as_long_as_they_said(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(64, "u1") as result:
        await dma.recvchannel.transfer(result)
        reads = sim.counters.calls["mmio.read"]

        async with asyncio.TaskGroup() as group:
            patient = group.create_task(dma.recvchannel.wait(5))
            await begun(sim, "mmio.read", reads + 1)
            began = anyio.current_time()

            with pytest.raises(DeadlineExceeded, match="64 bytes were not received within 0.02 s"):
                await dma.recvchannel.wait(0.02)

            with pytest.raises(DeadlineExceeded, match="within 0 s"):
                await dma.recvchannel.finish(0)

            with pytest.raises(Misuse, match="dma.recvchannel has a transfer in flight"):
                await dma.recvchannel.transfer(result)

            assert anyio.current_time() - began < 1
            assert not patient.done()
            offer(sim, b"\5" * 64)

        assert (result == 5).all()


@MODES
async def test_one_look_is_enough_for_what_is_done(mode: Mode) -> None:
    async with with_dma(loop=False, **mode) as (sim, board, dma), board.allocate(64, "u1") as result:
        await dma.recvchannel.transfer(result)
        offer(sim, b"\5" * 64)
        reads = sim.counters.calls["mmio.read"]
        await dma.recvchannel.wait(0)
        assert sim.counters.calls["mmio.read"] == reads + 1
        assert (result == 5).all()


async def test_a_wait_takes_seconds() -> None:
    async with with_dma(loop=False) as (sim, board, dma), board.allocate(64, "u1") as result:
        await dma.recvchannel.transfer(result)
        reads = sim.counters.calls["mmio.read"]
        wrong: Any

        for wrong in (None, float("nan"), "1"):
            for wait in (dma.recvchannel.wait, dma.recvchannel.finish):
                with pytest.raises(Misuse, match=r"a timeout is a number of seconds, not"):
                    await wait(wrong)

        assert sim.counters.calls["mmio.read"] == reads

        async with dma.stream(64, "u1") as stream:
            with pytest.raises(Misuse, match="a timeout is a number of seconds, not None"):
                stream.process([], timeout=None)  # type: ignore[arg-type]

        await dma.recvchannel.stop()
        timeout: Any = np.float32(1)
        await dma.recvchannel.transfer(result)
        offer(sim, bytes(64))
        await dma.recvchannel.wait(timeout)


@MODES
async def test_what_was_received_and_not_read_is_not_written_over(mode: Mode) -> None:
    async with with_dma(loop=False, **mode, **REALIGNS) as (sim, board, dma), board.allocate(96, "u1") as data:
        data[:] = 9
        send, receive = dma.sendchannel, dma.recvchannel
        said = f"^{board.name}: dma.sendchannel: .* from its start .* before byte 32 .*: read that first"
        await receive.transfer(data, 0, 32)

        with pytest.raises(Misuse, match=said):
            await send.transfer(data, 32, 32)

        offer(sim, b"x" * 32)
        await receive.finish()
        writes = sim.counters.calls["buffer.write"]

        with pytest.raises(Misuse, match=said):
            await send.transfer(data, 32, 32)

        assert sim.counters.calls["buffer.write"] == writes
        await send.transfer(data, 0, 16)  # what it says is what is written
        assert taken(sim) == b"\x09" * 16
        await send.wait()
        await receive.wait()
        await send.transfer(data, 32, 32)
        assert taken(sim) == b"\x09" * 32
        assert (data[16:32] == ord("x")).all()


async def test_what_was_received_may_be_read_in_any_way_or_given_up() -> None:
    async with (
        with_dma(loop=False, **REALIGNS) as (sim, board, dma),
        board.allocate(96, "u1") as data,
        board.allocate(32, "u1") as other,
    ):
        send, receive = dma.sendchannel, dma.recvchannel

        async def read() -> None:
            await data.sync_from_device()

        async def read_in_parts() -> None:
            await data[16:].sync_from_device()

            with pytest.raises(Misuse, match="read that first"):
                await send.transfer(data, 64)

            await data[:16].sync_from_device()

        async def replace() -> None:
            await data.sync_to_device()

        async def receive_again() -> None:
            await receive.transfer(data, 0, 40)
            offer(sim, bytes(40))
            await receive.wait()

        ways: list[Callable[[], Awaitable[None]]] = [read, read_in_parts, replace, receive_again]

        for give_up in ways:
            await receive.launch(data, 0, 32)
            offer(sim, b"x" * 32)
            await receive.finish()
            await receive.launch(other)
            offer(sim, b"y")
            await receive.finish()

            with pytest.raises(Misuse, match="read that first"):
                await send.transfer(data, 64)

            await send.launch(data, 64)
            taken(sim)
            await send.wait()
            await give_up()
            await send.transfer(data, 64)
            taken(sim)
            await send.wait()

        await receive.transfer(data, 0, 32)
        await receive.stop()
        await send.transfer(data, 64)
        taken(sim)
        await send.wait()


@MODES
async def test_how_much_was_received_is_forgotten_with_a_reset_and_that_is_said(mode: Mode) -> None:
    async with (
        with_dma(loop=False, **mode) as (sim, board, dma),
        board.allocate(64, "u1") as result,
        board.allocate(64, "u1") as data,
    ):

        async def receive(packet: bytes) -> None:
            await dma.recvchannel.transfer(result)
            offer(sim, packet)
            await dma.recvchannel.wait()

        async def reset() -> None:
            await dma.sendchannel.transfer(data)  # nobody takes it
            await dma.sendchannel.stop()

        await receive(b"ten bytes.")
        await reset()

        if mode is SIMPLE:
            said = r"dma.recvchannel: how much was received went with a reset of the DMA; await transferred\(\) before"

            with pytest.raises(HardwareError, match=said):
                await dma.recvchannel.transferred()
        else:
            assert await dma.recvchannel.transferred() == 10

        await receive(b"ten bytes.")
        assert await dma.recvchannel.transferred() == 10
        await reset()
        calls = sim.counters.calls.total()
        assert await dma.recvchannel.transferred() == 10
        assert sim.counters.calls.total() == calls


class Prepared(DMA):
    """A DMA that something has to be written for first."""

    bindto = DMA.bindto
    done = 0

    async def _setup(self) -> None:
        self.done += 1
        await self.write(axi_dma.MM2S.status, axi_dma.IOC_IRQ)
        await self.sendchannel.start()


@MODES
@pytest.mark.parametrize("use", ["transfer", "launch", "start", "running", "idle", "error"])
async def test_a_subclass_is_set_up_before_its_channels_are_used(mode: Mode, use: str) -> None:
    known = dma_design(**mode)

    async with simulated(designs=[known]) as (_, board):
        overlay = await Overlay.load(board, firmware(), design=known, drivers=[Prepared])

        async with board.allocate(64, "u1") as result:
            for _ in range(2):
                method = getattr(overlay.dma.recvchannel, use)
                await (method(result) if use in ("transfer", "launch") else method())
                await overlay.dma.recvchannel.stop()

        assert overlay.dma.done == 1


async def test_a_video_dma_is_set_up_before_its_channels_are_used() -> None:
    class PreparedVideo(AxiVDMA):
        bindto = AxiVDMA.bindto
        done = 0

        async def _setup(self) -> None:
            self.done += 1
            assert not await self.readchannel.running()

    known = vdma_design()

    async with simulated(designs=[known]) as (_, board):
        overlay = await Overlay.load(board, firmware(), design=known, drivers=[PreparedVideo])
        driver = overlay.video.vdma
        driver.readchannel.mode = COLOUR

        async with driver.readchannel:
            assert driver.done == 1
            assert await driver.readchannel.running()

        assert not await driver.writechannel.running()
        assert driver.done == 1
