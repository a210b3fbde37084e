"""The model of the AXI IIC: what the manual says of the core, and what a careless client runs into."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pynq_async import MMIO
from pynq_async.hardware.axi_iic import (
    BUS_BUSY,
    CR,
    ENABLE,
    GIE,
    GLOBAL_ENABLE,
    GPO,
    IER,
    ISR,
    MASTER,
    NO_ACKNOWLEDGE,
    NOT_BUSY,
    READ,
    RECEIVE_FULL,
    REPEATED_START,
    RX_EMPTY,
    RX_FIFO,
    RX_FIFO_OCY,
    RX_FIFO_PIRQ,
    SOFTR,
    SR,
    START,
    STOP,
    TLOW,
    TRANSMIT,
    TRANSMIT_EMPTY,
    TRANSMIT_ERROR,
    TX_EMPTY,
    TX_FIFO,
    TX_FIFO_OCY,
    TX_FIFO_RESET,
    TX_FULL,
)
from pynq_async.sim import IicMemory, SimBoard
from pynq_async.sim.ip import IicModel

from ...boards import simulated
from ...designs import design, firmware, ip

BASE, MEMORY = 0x4160_0000, 0x50 << 1
PARAMETERS = {"C_IIC_FREQ": "1000000", "C_S_AXI_ACLK_FREQ_HZ": "100000000", "C_GPO_WIDTH": "2"}
PINS = {"iic2intc_irpt": ("", 0)}
KNOWN = design({"iic": ip("xilinx.com:ip:axi_iic:2.1", BASE, parameters=PARAMETERS, interrupts=PINS)})


@asynccontextmanager
async def core() -> AsyncIterator[tuple[SimBoard, MMIO, IicMemory]]:
    async with simulated(designs=[KNOWN]) as (sim, board):
        await board.download(firmware())
        memory = IicMemory(bytes(range(256)))
        model(sim).attach(MEMORY >> 1, memory)
        yield sim, board.mmio(BASE, 0x1000), memory


def model(sim: SimBoard) -> IicModel:
    found = sim.ip["iic"]
    assert isinstance(found, IicModel)
    return found


async def fill(iic: MMIO, *words: int) -> None:
    for word in words:
        await iic.write(TX_FIFO, word)


async def test_the_registers_after_power_up_and_after_a_reset() -> None:
    async with core() as (sim, iic, _):
        for _ in range(2):
            assert await iic.read(SR) == RX_EMPTY | TX_EMPTY
            assert await iic.read(CR) == await iic.read(IER) == await iic.read(RX_FIFO_PIRQ) == 0
            assert await iic.read(ISR) & ~NOT_BUSY == 0xC0
            assert await iic.read(TLOW) == 50
            await iic.write(RX_FIFO_PIRQ, 0xFF)
            assert await iic.read(RX_FIFO_PIRQ) == 0xF
            await iic.write(GPO, 7)
            assert model(sim).gpo == await iic.read(GPO) == 3
            await iic.write(TLOW, 3)
            await fill(iic, *range(17))
            assert await iic.read(TX_FIFO_OCY) == 15
            assert await iic.read(SR) & (TX_FULL | TX_EMPTY) == TX_FULL
            await iic.write(CR, TX_FIFO_RESET)
            assert await iic.read(SR) & TX_EMPTY
            await iic.write(SOFTR, 0xB)
            assert await iic.read(GPO) == 3
            await iic.write(SOFTR, 0xA)


async def test_the_timing_registers_have_as_many_bits_as_the_design_needs() -> None:
    async with core() as (_, iic, _memory):
        await iic.write(TLOW, 8000)
        assert await iic.read(TLOW) == 8000 % 128


async def test_h10_reading_the_receive_fifo_as_it_stands_loses_every_other_byte() -> None:
    async with core() as (_, iic, _memory):
        await iic.write(RX_FIFO_PIRQ, 15)
        await fill(iic, START | MEMORY | READ, STOP | 6)
        await iic.write(CR, ENABLE)
        await iic.wait_for(RX_FIFO_OCY, 0xF, 5, 1)
        assert [await iic.read(RX_FIFO) for _ in range(3)] == [1, 3, 5]
        assert await iic.read(SR) & RX_EMPTY
        assert await iic.read(RX_FIFO) == 5, "an empty FIFO goes on showing the last byte"


async def test_the_bus_is_held_while_as_many_bytes_are_in_the_fifo_as_is_asked_for() -> None:
    async with core() as (_, iic, memory):
        await fill(iic, START | MEMORY | READ, STOP | 3)
        await iic.write(CR, ENABLE)

        for byte in range(3):
            await iic.wait_for(SR, RX_EMPTY, 0, 1)
            await asyncio.sleep(0.001)
            assert await iic.read(RX_FIFO_OCY) == 0
            assert await iic.read(SR) & BUS_BUSY, "the STOP waits for the last byte as well"
            assert memory.pointer == byte + 1
            assert await iic.read(RX_FIFO) == byte

        await iic.wait_for(SR, BUS_BUSY, 0, 1)
        assert not await iic.read(CR) & MASTER


async def test_a_count_that_comes_too_late_reads_one_byte() -> None:
    async with core() as (_, iic, memory):
        await iic.write(CR, ENABLE)
        await fill(iic, START | MEMORY | READ)
        await iic.wait_for(SR, RX_EMPTY, 0, 1)
        await fill(iic, STOP | 5)
        assert await iic.read(RX_FIFO) == 0
        await iic.wait_for(SR, BUS_BUSY, 0, 1)
        assert memory.pointer == 1


async def test_a_transfer_in_standard_mode() -> None:
    async with core() as (_, iic, memory):
        await fill(iic, MEMORY, 0x20, 9)
        await iic.write(CR, ENABLE | MASTER | TRANSMIT)
        await iic.wait_for(ISR, TRANSMIT_EMPTY, TRANSMIT_EMPTY, 1)
        await iic.write(CR, ENABLE | MASTER | REPEATED_START)
        await fill(iic, MEMORY | READ)
        await iic.wait_for(SR, RX_EMPTY, 0, 1)
        assert memory.content[0x20] == 9
        await iic.write(CR, ENABLE | MASTER | NO_ACKNOWLEDGE)
        assert await iic.read(RX_FIFO) == 0x21
        await iic.wait_for(SR, RX_EMPTY, 0, 1)
        await iic.write(CR, ENABLE)
        await iic.wait_for(SR, BUS_BUSY, 0, 1)
        assert await iic.read(RX_FIFO) == 0x22
        assert await iic.read(ISR) & TRANSMIT_ERROR


async def test_a_send_in_standard_mode_ends_with_the_byte_under_way_when_master_is_cleared() -> None:
    async with core() as (_, iic, memory):
        await fill(iic, MEMORY, 0x20)
        await iic.write(CR, ENABLE | MASTER | TRANSMIT)
        await iic.wait_for(ISR, TRANSMIT_EMPTY, TRANSMIT_EMPTY, 1)
        await iic.write(CR, ENABLE | TRANSMIT)
        await iic.wait_for(SR, BUS_BUSY, 0, 1)
        assert memory.pointer == 0x20


async def test_a_read_goes_on_by_itself_after_the_last_byte_written_was_refused() -> None:
    async with core() as (sim, iic, memory):
        memory.acknowledge = lambda message: not message  # type: ignore[method-assign]
        await fill(iic, START | MEMORY, 0x20, START | MEMORY | READ, STOP | 2)
        await iic.write(CR, ENABLE)
        await iic.wait_for(SR, RX_EMPTY, 0, 1)
        assert model(sim).load(ISR) & TRANSMIT_ERROR
        assert memory.pointer == 1, "the refused pointer was not set"


async def test_a_written_one_toggles_an_event_and_what_lasts_is_set_again() -> None:
    async with core() as (sim, iic, _):
        await fill(iic, START | MEMORY | READ, STOP | 1)
        await iic.write(CR, ENABLE)
        await iic.wait_for(ISR, RECEIVE_FULL, RECEIVE_FULL, 1)
        await iic.write(ISR, RECEIVE_FULL | TRANSMIT_ERROR | NOT_BUSY)
        assert await iic.read(ISR) & (RECEIVE_FULL | TRANSMIT_ERROR | NOT_BUSY) == RECEIVE_FULL
        await iic.write(ISR, TRANSMIT_ERROR)
        assert await iic.read(ISR) & TRANSMIT_ERROR, "a 1 where there was none sets it"
        await iic.read(RX_FIFO)
        await iic.write(ISR, RECEIVE_FULL)
        assert not await iic.read(ISR) & RECEIVE_FULL
        assert not sim.fabric.wiring.processor.get(61)
        await iic.write(IER, NOT_BUSY)
        assert not sim.fabric.wiring.processor.get(61)
        await iic.write(GIE, GLOBAL_ENABLE)
        assert sim.fabric.wiring.processor[61]
        await iic.write(IER, 0)
        assert not sim.fabric.wiring.processor[61]


@pytest.mark.parametrize("enabled", [True, False])
async def test_disabling_the_core_lets_go_of_the_bus(enabled: bool) -> None:
    async with core() as (_, iic, memory):
        await iic.write(CR, ENABLE)
        await fill(iic, START | MEMORY, 0x20)
        await iic.wait_for(ISR, TRANSMIT_EMPTY, TRANSMIT_EMPTY, 1)
        assert await iic.read(SR) & BUS_BUSY
        await iic.write(CR, 0 if enabled else TX_FIFO_RESET)
        assert not await iic.read(SR) & BUS_BUSY
        assert memory.pointer == 0, "without a STOP the message never ended"
