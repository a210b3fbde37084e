"""The model of the AXI VDMA: its registers and its frame stores, as the manual says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pynq_async import MMIO, Buffer
from pynq_async.hardware import axi_vdma as regs
from pynq_async.hardware.axi_vdma import MM2S, S2MM, VdmaRegisters
from pynq_async.sim import SimBoard
from pynq_async.sim.ip import VdmaModel

from ...boards import simulated
from ...designs import design, firmware, ip

BASE = 0x4300_0000
LINES, BYTES, STRIDE = 3, 8, 12
PINS = {"s2mm_introut": ("", 0)}
KNOWN = design({"vdma": ip("xilinx.com:ip:axi_vdma:6.3", BASE, parameters={"C_NUM_FSTORES": 3}, interrupts=PINS)})


@asynccontextmanager
async def vdma() -> AsyncIterator[tuple[SimBoard, MMIO, list[Buffer]]]:
    async with simulated(designs=[KNOWN]) as (sim, board):
        await board.download(firmware())
        stores = [await board.allocate((LINES, STRIDE), "u1") for _ in range(3)]
        yield sim, board.mmio(BASE, 0x1000), stores
        assert sim.counters.strays == 0


def model(sim: SimBoard) -> VdmaModel:
    found = sim.ip["vdma"]
    assert isinstance(found, VdmaModel)
    return found


async def start(mmio: MMIO, own: VdmaRegisters, stores: list[Buffer], control: int = regs.RUN) -> None:
    await mmio.write(own.control, regs.FRAME_COUNT.put(control, 1))
    await mmio.write_block(own.addresses, [store.physical_address for store in stores])
    await mmio.write(own.stride, STRIDE)
    await mmio.write(own.horizontal, BYTES)
    await mmio.write(own.vertical, LINES)


def picture(value: int, lines: int = LINES) -> bytes:
    return bytes([value]) * BYTES * lines


async def content(store: Buffer) -> list[int]:
    """The first byte of each line, and of what lies between lines."""
    await store.sync_from_device()
    assert all((store[:, :BYTES] == store[:, :1]).flat)
    return [*map(int, store[:, 0]), *{int(byte) for byte in store[:, BYTES:].flat}]


async def test_the_registers_after_power_up_and_after_a_reset_of_one_channel() -> None:
    async with vdma() as (_, mmio, stores):
        assert await mmio.read(regs.VERSION) == 0x6300_0000

        for own in (MM2S, S2MM):
            assert await mmio.read(own.control) == 0x0001_0002
            assert await mmio.read(own.status) == 0x0001_0001
            await start(mmio, own, stores)
            assert not await mmio.read(own.status) & regs.HALTED

        await mmio.write(MM2S.control, regs.RESET)
        assert await mmio.read(MM2S.control) == 0x0001_0002
        assert await mmio.read(MM2S.horizontal) == 0
        assert await mmio.read(S2MM.horizontal) == BYTES
        await mmio.write(S2MM.control, 0)
        assert await mmio.read(S2MM.status) & regs.HALTED


async def test_in_circular_mode_frames_go_to_one_store_after_the_other() -> None:
    async with vdma() as (sim, mmio, stores):
        await start(mmio, S2MM, stores, regs.RUN | regs.CIRCULAR)
        stream = model(sim).s2mm.stream

        for value in range(1, 5):
            stream.send(picture(value))
            assert S2MM.current.of(await mmio.read(regs.PARK_PTR)) == (value - 1) % 3

        assert [await content(store) for store in stores] == [[4, 4, 4, 0], [2, 2, 2, 0], [3, 3, 3, 0]]


async def test_in_park_mode_frames_go_to_the_store_that_is_asked_for() -> None:
    async with vdma() as (sim, mmio, stores):
        await start(mmio, S2MM, stores)
        stream = model(sim).s2mm.stream
        stream.send(picture(1))
        stream.send(picture(2))
        await mmio.write(regs.PARK_PTR, S2MM.parked.put(0, 2))
        assert S2MM.current.of(await mmio.read(regs.PARK_PTR)) == 0, "from the next frame on"
        stream.send(picture(3))
        assert S2MM.current.of(await mmio.read(regs.PARK_PTR)) == 2
        assert [(await content(store))[0] for store in stores] == [2, 0, 3]


async def test_frames_wait_until_the_channel_is_started() -> None:
    async with vdma() as (sim, mmio, stores):
        stream = model(sim).s2mm.stream
        stream.send(picture(1))
        assert stream.waiting == 1
        await start(mmio, S2MM, stores)
        assert stream.waiting == 0
        await mmio.write(S2MM.control, 0)
        stream.send(picture(2))
        assert stream.waiting == 1


@pytest.mark.parametrize(
    ("packet", "errors"),
    [(picture(1, 2), regs.SOF_EARLY | regs.INTERNAL_ERROR), (picture(1, 4), regs.SOF_LATE)],
)
async def test_a_frame_of_another_size_is_flagged_and_the_pointer_stands_still_until_that_is_cleared(
    packet: bytes, errors: int
) -> None:
    async with vdma() as (sim, mmio, stores):
        await start(mmio, S2MM, stores, regs.RUN | regs.CIRCULAR)
        stream = model(sim).s2mm.stream
        stream.send(packet)
        stream.send(picture(2))
        assert await mmio.read(S2MM.status) & regs.FRAME_ERRORS == errors
        assert not await mmio.read(S2MM.status) & regs.HALTED
        assert S2MM.current.of(await mmio.read(regs.PARK_PTR)) == 0
        await mmio.write(S2MM.status, regs.CLEARED_BY_ONE)
        assert await mmio.read(S2MM.status) == 0x0001_0000
        assert S2MM.current.of(await mmio.read(regs.PARK_PTR)) == 1


async def test_what_cannot_be_moved_halts_the_channel_until_a_reset() -> None:
    async with vdma() as (sim, mmio, stores):
        await start(mmio, S2MM, stores)
        await mmio.write(S2MM.addresses, 0xFFFF_0000)
        model(sim).s2mm.stream.send(picture(1))
        status = await mmio.read(S2MM.status)
        assert status & regs.DECODE_ERROR and status & regs.HALTED and status & regs.ERROR_IRQ
        await mmio.write(S2MM.status, 0xFFFF_FFFF)
        assert await mmio.read(S2MM.status) & regs.DECODE_ERROR
        await mmio.write(S2MM.control, regs.RESET)
        assert not await mmio.read(S2MM.status) & regs.DECODE_ERROR

        await mmio.write(S2MM.control, regs.RUN)
        await mmio.write(S2MM.vertical, LINES)
        assert await mmio.read(S2MM.status) & (regs.INTERNAL_ERROR | regs.HALTED) == regs.INTERNAL_ERROR | regs.HALTED


async def test_an_interrupt_comes_after_as_many_frames_as_are_asked_for() -> None:
    async with vdma() as (sim, mmio, stores):
        await start(mmio, S2MM, stores)
        await mmio.write(S2MM.control, regs.FRAME_COUNT.put(regs.RUN | regs.FRAME_COUNT_IRQ_ENABLE, 2))
        stream, levels = model(sim).s2mm.stream, sim.fabric.wiring.processor

        for high in (False, True):
            stream.send(picture(1))
            assert levels.get(61, False) is high

        await mmio.write(S2MM.status, regs.FRAME_COUNT_IRQ)
        assert levels[61] is False


async def test_a_frame_is_displayed_again_after_a_while_and_never_while_nobody_takes_it() -> None:
    async with vdma() as (sim, mmio, stores):
        for value, store in enumerate(stores):
            store[...] = value + 1
            await store.sync_to_device()

        display = model(sim).mm2s
        display.frame_seconds = 0.001
        await start(mmio, MM2S, stores)
        assert display.stream.waiting == 1
        await mmio.write(regs.PARK_PTR, MM2S.parked.put(0, 1))
        assert MM2S.current.of(await mmio.read(regs.PARK_PTR)) == 0
        assert display.stream.take() == picture(1)
        assert display.stream.waiting == 0
        await mmio.wait_for(regs.PARK_PTR, MM2S.current.mask, MM2S.current.put(0, 1), 1)
        assert display.stream.take() == picture(2)
        await mmio.write(MM2S.control, 0)
        assert display.stream.waiting == 0
