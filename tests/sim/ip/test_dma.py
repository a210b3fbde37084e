"""The model of the AXI DMA, by its registers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from pynq_async import RemoteDevice
from pynq_async.board.mmio import MMIO
from pynq_async.hardware.axi_dma import (
    CONTROL_AFTER_RESET,
    DECODE_ERROR,
    DESCRIPTOR_COMPLETE,
    ERR_IRQ,
    ERR_IRQ_ENABLE,
    FIRST,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    IOC_IRQ,
    IOC_IRQ_ENABLE,
    LAST,
    MM2S,
    RESET,
    RUN,
    S2MM,
    SG_DECODE_ERROR,
    SG_INCLUDED,
    SG_INTERNAL_ERROR,
    SG_SLAVE_ERROR,
    SLAVE_ERROR,
    DmaRegisters,
)
from pynq_async.sim import SimBoard

from ...boards import simulated
from ...designs import design, firmware, ip

BASE = 0x4040_0000
NOWHERE = 0x8000_0000
LOOP = {"dma/M_AXIS_MM2S": "dma/S_AXIS_S2MM"}
PINS = {"mm2s_introut": ("", 0), "s2mm_introut": ("", 1)}


@asynccontextmanager
async def dma(*, loop: bool = False, **parameters: Any) -> AsyncIterator[tuple[SimBoard, RemoteDevice, MMIO]]:
    """A board with a DMA, perhaps with its streams connected, and its registers."""
    settings = {"c_include_sg": 0, "c_sg_length_width": 16, "c_addr_width": 32} | parameters
    known = design(
        {"dma": ip("xilinx.com:ip:axi_dma:7.1", BASE, parameters=settings, interrupts=PINS)},
        streams=LOOP if loop else {},
    )

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware())
        yield sim, board, board.mmio(BASE, 0x1_0000)


async def simple(window: MMIO, registers: DmaRegisters, address: int, nbytes: int) -> int:
    """Begin a transfer of simple mode; returns the status."""
    await window.write(registers.control, RUN)
    await window.write(registers.address, address)
    await window.write(registers.length, nbytes)
    return await window.read(registers.status)


async def test_registers_after_power_up_and_reset() -> None:
    async with dma() as (_, _, window):
        for registers in (MM2S, S2MM):
            assert await window.read(registers.control) == CONTROL_AFTER_RESET
            assert await window.read(registers.status) == HALTED
            await window.write(registers.control, RUN | IOC_IRQ_ENABLE | 3 << 16)
            assert await window.read(registers.status) == 0, "not idle before the first transfer"
            assert await window.read(registers.control) == RUN | IOC_IRQ_ENABLE | 3 << 16 | 2
            await window.write(registers.address, 0x1234)
            assert await window.read(registers.address) == 0x1234
            await window.write(registers.address + 4, 1)
            assert await window.read(registers.address + 4) == 0, "addresses have 32 bits"

        await window.write(S2MM.control, RESET)

        for registers in (MM2S, S2MM):
            assert await window.read(registers.control) == CONTROL_AFTER_RESET
            assert await window.read(registers.status) == HALTED
            assert await window.read(registers.address) == 0

        assert await window.read(0x100) == 0


async def test_a_loopback_moves_memory() -> None:
    async with dma(loop=True) as (sim, board, window), board.allocate(512, "u1") as buffer:
        buffer[:256] = np.arange(256)
        await buffer.sync_to_device()
        assert await simple(window, MM2S, buffer.physical_address, 256) == 0, "nobody takes it yet"
        assert await simple(window, S2MM, buffer.physical_address + 256, 256) == IDLE | IOC_IRQ
        assert await window.read(MM2S.status) == IDLE | IOC_IRQ
        await buffer.sync_from_device()
        assert (buffer[:256] == buffer[256:]).all()
        assert sim.counters.strays == 0


async def test_without_channels_their_registers_are_not_there() -> None:
    async with dma(c_include_mm2s=0) as (sim, _, window):
        await window.write(MM2S.control, RUN)
        assert await window.read(MM2S.status) == 0
        assert sim.ip["dma"].send is None and sim.ip["dma"].recv is not None


async def test_a_packet_may_be_short_and_must_not_be_long() -> None:
    async with dma() as (sim, board, window), board.allocate(64, "u1") as buffer:
        stream = sim.ip["dma"].site.stream("S_AXIS_S2MM")
        assert await simple(window, S2MM, buffer.physical_address, 64) == 0
        stream.send(b"short")
        assert await window.read(S2MM.status) == IDLE | IOC_IRQ
        assert await window.read(S2MM.length) == 5
        assert sim.memory.read(buffer.physical_address, 8) == b"short\0\0\0"

        await window.write(S2MM.status, IOC_IRQ)
        assert await window.read(S2MM.status) == IDLE
        stream.send(b"longer than ten")
        assert await simple(window, S2MM, buffer.physical_address, 10) == HALTED | INTERNAL_ERROR | ERR_IRQ
        assert sim.memory.read(buffer.physical_address, 12) == b"longer than\0"[:10] + bytes(2)
        assert not await window.read(S2MM.control) & RUN


async def test_the_length_register_forgets_what_it_has_no_bits_for() -> None:
    async with dma(c_sg_length_width=8) as (sim, board, window), board.allocate(4096, "u1") as buffer:
        await simple(window, MM2S, buffer.physical_address, 0x1_0020)
        assert await window.read(MM2S.length) == 0x20
        assert sim.ip["dma"].site.stream("M_AXIS_MM2S").take() == bytes(32)
        status = await simple(window, MM2S, buffer.physical_address, 256)
        assert status == HALTED | INTERNAL_ERROR | IOC_IRQ | ERR_IRQ, "the length is 0"


async def test_errors_halt_until_a_reset() -> None:
    async with dma(loop=True) as (sim, board, window), board.allocate(64, "u1") as buffer:
        assert await simple(window, MM2S, NOWHERE, 64) == HALTED | DECODE_ERROR | ERR_IRQ
        await window.write(MM2S.status, ERR_IRQ)
        assert await simple(window, MM2S, buffer.physical_address, 64) == HALTED | DECODE_ERROR
        await window.write(MM2S.control, RESET)
        sim.ip["dma"].recv.trouble = SLAVE_ERROR
        await simple(window, S2MM, buffer.physical_address, 64)
        assert await simple(window, MM2S, buffer.physical_address, 64) == IDLE | IOC_IRQ
        assert await window.read(S2MM.status) == HALTED | SLAVE_ERROR | ERR_IRQ


async def test_a_halted_channel_does_not_begin() -> None:
    async with dma() as (sim, board, window), board.allocate(64, "u1") as buffer:
        await window.write(MM2S.address, buffer.physical_address)
        await window.write(MM2S.length, 64)
        assert await window.read(MM2S.status) == HALTED
        assert sim.ip["dma"].site.stream("M_AXIS_MM2S").waiting == 0


async def test_stopping_lets_what_is_under_way_end_and_a_reset_does_not() -> None:
    async with dma() as (sim, board, window), board.allocate(64, "u1") as buffer:
        stream = sim.ip["dma"].site.stream("M_AXIS_MM2S")
        await simple(window, MM2S, buffer.physical_address, 64)
        await window.write(MM2S.control, 0)
        assert await window.read(MM2S.status) == 0, "not halted: the stream stalls"
        stream.take()
        assert await window.read(MM2S.status) == HALTED | IOC_IRQ
        await simple(window, MM2S, buffer.physical_address, 64)
        await window.write(MM2S.control, RESET)
        assert stream.waiting == 0


async def test_memory_that_was_freed_is_counted_as_strayed_into() -> None:
    async with dma() as (sim, board, window):
        sent, received = await board.allocate(64, "u1"), await board.allocate(64, "u1")
        await simple(window, MM2S, sent.physical_address, 64)
        await simple(window, S2MM, received.physical_address, 64)
        await sent.free()
        await received.free()
        assert sim.counters.strays == 0
        sim.ip["dma"].site.stream("S_AXIS_S2MM").send(bytes(16))
        assert sim.counters.strays == 1
        sim.ip["dma"].site.stream("M_AXIS_MM2S").take()
        assert sim.counters.strays == 2


async def test_interrupts_follow_their_enables() -> None:
    async with dma() as (sim, board, window), board.allocate(64, "u1") as buffer:

        def lines() -> list[bool]:
            return [sim.fabric.wiring.processor.get(number, False) for number in (61, 62)]

        await simple(window, S2MM, buffer.physical_address, 64)
        sim.ip["dma"].site.stream("S_AXIS_S2MM").send(b"1")
        assert lines() == [False, False]
        await window.write(S2MM.control, RUN | IOC_IRQ_ENABLE)
        assert lines() == [False, True]
        await window.write(S2MM.status, IOC_IRQ)
        assert lines() == [False, False]
        await window.write(MM2S.control, RUN | ERR_IRQ_ENABLE)
        await window.write(MM2S.length, 0)
        assert lines() == [True, False]
        await window.write(S2MM.control, RESET)
        assert lines() == [False, False]


def describe(
    buffer: Any, index: int, address: int, length: int, flags: int = 0, *, follower: int | None = None
) -> None:
    """Write a descriptor; the next one follows it unless told."""
    words = buffer.view(np.ndarray)[index]
    follower = buffer.physical_address + 64 * (index + 1) if follower is None else follower
    words[:] = 0
    words[0], words[1] = follower & 0xFFFF_FFFF, follower >> 32
    words[2], words[3] = address & 0xFFFF_FFFF, address >> 32
    words[6] = length | flags


async def gather(window: MMIO, registers: DmaRegisters, descriptors: Any, tail: int, *, begin: int = 0) -> int:
    """Point a channel to its descriptors, and start it; returns the status."""
    await window.write(registers.current, descriptors[begin].physical_address)
    await window.write(registers.control, RUN)
    await window.write(registers.tail, descriptors[tail].physical_address)
    return await window.read(registers.status)


READY = SG_INCLUDED | 1 << 16


async def test_scatter_gather_after_power_up() -> None:
    async with dma(c_include_sg=1) as (_, _, window):
        assert await window.read(MM2S.status) == HALTED | READY
        await window.write(MM2S.control, RUN)
        assert await window.read(MM2S.status) == IDLE | READY
        await window.write(MM2S.current, 0x1000)
        assert await window.read(MM2S.current) == 0, "read-only while it runs"
        await window.write(MM2S.length, 4)
        await window.write(MM2S.address, 4)
        assert await window.read(MM2S.length) == await window.read(MM2S.address) == 0


@pytest.mark.parametrize("wide", [False, True])
async def test_descriptors_are_gathered_into_a_packet_and_scattered_again(wide: bool) -> None:
    settings = {"c_include_sg": 1, "c_addr_width": 40 if wide else 32}

    async with (
        dma(loop=True, **settings) as (sim, board, window),
        board.allocate(300, "u1") as data,
        board.allocate(300, "u1") as result,
        board.allocate((8, 16), "u4") as sends,
        board.allocate((8, 16), "u4") as receives,
    ):
        data[:] = np.arange(300) % 251
        describe(sends, 0, data.physical_address, 100, FIRST)
        describe(sends, 1, data.physical_address + 100, 50, LAST)
        describe(sends, 2, data.physical_address + 150, 150, FIRST | LAST)

        for index in range(4):
            describe(receives, index, result.physical_address + 75 * index, 75)

        for each in (data, sends, receives):
            await each.sync_to_device()

        for registers, descriptors, tail in ((MM2S, sends, 1), (S2MM, receives, 3)):
            await gather(window, registers, descriptors, tail)

            if wide:
                assert not await window.read(registers.status) & IOC_IRQ
                await window.write(registers.tail + 4, 0)

        assert await window.read(MM2S.status) == IDLE | READY | IOC_IRQ
        assert await window.read(S2MM.status) == READY | IOC_IRQ, "two descriptors are left for the next packet"
        assert await window.read(MM2S.current) == sends[1].physical_address
        await window.write(MM2S.tail, sends[2].physical_address)

        if wide:
            await window.write(MM2S.tail + 4, 0)

        assert await window.read(S2MM.status) == IDLE | READY | IOC_IRQ

        for each in (result, sends, receives):
            await each.sync_from_device()

        assert (result == data).all()
        assert [int(word) for word in sends[:3, 7]] == [DESCRIPTOR_COMPLETE | count for count in (100, 50, 150)]
        flags = (FIRST, LAST, FIRST, LAST)
        assert [int(word) for word in receives[:4, 7]] == [DESCRIPTOR_COMPLETE | 75 | flag for flag in flags]
        assert sim.counters.strays == 0


async def test_interrupts_after_several_packets() -> None:
    async with (
        dma(c_include_sg=1) as (sim, board, window),
        board.allocate(64, "u1") as data,
        board.allocate((4, 16), "u4") as descriptors,
    ):
        for index in range(4):
            describe(descriptors, index, data.physical_address, 8)

        await descriptors.sync_to_device()
        await window.write(S2MM.control, IOC_IRQ_ENABLE | 3 << 16)
        await gather(window, S2MM, descriptors, 3)
        stream = sim.ip["dma"].site.stream("S_AXIS_S2MM")
        await window.write(S2MM.control, RUN | IOC_IRQ_ENABLE | 3 << 16)
        stream.send(b"1")
        stream.send(b"2")
        assert not await window.read(S2MM.status) & IOC_IRQ
        stream.send(b"3")
        assert await window.read(S2MM.status) & IOC_IRQ
        assert sim.fabric.wiring.processor[62]


async def test_a_packet_longer_than_its_descriptors_goes_on_in_the_next() -> None:
    async with (
        dma(c_include_sg=1) as (sim, board, window),
        board.allocate(64, "u1") as data,
        board.allocate((4, 16), "u4") as descriptors,
    ):
        for index in range(4):
            describe(descriptors, index, data.physical_address + 8 * index, 8)

        await descriptors.sync_to_device()
        sim.ip["dma"].site.stream("S_AXIS_S2MM").send(b"twenty bytes are sent")
        assert await gather(window, S2MM, descriptors, 1) == IDLE | READY
        await window.write(S2MM.tail, descriptors[2].physical_address)
        assert await window.read(S2MM.status) == IDLE | READY | IOC_IRQ
        assert sim.memory.read(data.physical_address, 21) == b"twenty bytes are sent"
        await descriptors.sync_from_device()
        assert [int(word) for word in descriptors[:3, 7]] == [
            DESCRIPTOR_COMPLETE | 8 | FIRST,
            DESCRIPTOR_COMPLETE | 8,
            DESCRIPTOR_COMPLETE | 5 | LAST,
        ]


@pytest.mark.parametrize(
    ("spoil", "error", "status"),
    [
        (lambda words: words.__setitem__((0, 7), DESCRIPTOR_COMPLETE), SG_INTERNAL_ERROR, DESCRIPTOR_COMPLETE),
        (lambda words: words.__setitem__((0, 2), NOWHERE), DECODE_ERROR, DESCRIPTOR_COMPLETE | 1 << 30),
        (lambda words: words.__setitem__((0, 6), FIRST | LAST), INTERNAL_ERROR, DESCRIPTOR_COMPLETE | 1 << 28),
    ],
)
async def test_what_is_wrong_with_a_descriptor_halts_the_channel(spoil: Any, error: int, status: int) -> None:
    async with (
        dma(c_include_sg=1) as (_, board, window),
        board.allocate(64, "u1") as data,
        board.allocate((2, 16), "u4") as descriptors,
    ):
        describe(descriptors, 0, data.physical_address, 8, FIRST | LAST)
        spoil(descriptors)
        await descriptors.sync_to_device()
        assert await gather(window, MM2S, descriptors, 0) == HALTED | error | ERR_IRQ | READY
        await descriptors.sync_from_device()
        assert descriptors[0, 7] == status


async def test_descriptors_that_are_nowhere() -> None:
    async with dma(c_include_sg=1) as (sim, _, window):
        await window.write(MM2S.current, NOWHERE)
        await window.write(MM2S.control, RUN)
        await window.write(MM2S.tail, NOWHERE)
        assert await window.read(MM2S.status) == HALTED | SG_DECODE_ERROR | ERR_IRQ | READY
        await window.write(MM2S.control, RESET)
        sim.ip["dma"].send.trouble = SG_SLAVE_ERROR
        await window.write(MM2S.control, RUN)
        await window.write(MM2S.tail, 0)
        assert await window.read(MM2S.status) == HALTED | SG_SLAVE_ERROR | ERR_IRQ | READY
