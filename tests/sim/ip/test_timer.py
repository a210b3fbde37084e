"""The simulated AXI timer behaves as PG079 says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pynq_async import MMIO
from pynq_async.errors import SimulationError
from pynq_async.hardware import axi_timer as regs
from pynq_async.sim import SimBoard
from pynq_async.sim.ip import TimerModel
from tests.boards import simulated
from tests.designs import design, firmware, ip

BASE = 0x4280_0000
FREQUENCY = 1_000_000
CYCLE = 1 / FREQUENCY
GO = regs.ENT | regs.UDT


@asynccontextmanager
async def timer_with(**parameters: object) -> AsyncIterator[tuple[SimBoard, TimerModel, MMIO]]:
    """A board with one AXI timer whose time stands still, its model and its registers."""
    parameters = {"FREQ_HZ": FREQUENCY, **parameters}
    only = design(
        {"timer": ip("xilinx.com:ip:axi_timer:2.0", BASE, parameters=parameters, interrupts={"interrupt": ("", 0)})}
    )

    async with simulated(designs=[only]) as (sim, board):
        await board.download(firmware(), design=only)
        model = sim.ip["timer"]
        model.clock = lambda: 0.0
        yield sim, model, board.mmio(BASE, 0x1_0000)


async def load(registers: MMIO, index: int, value: int) -> None:
    await registers.write(regs.LOAD_VALUE[index], value)
    await registers.write(regs.CONTROL[index], regs.LOAD)


def irq(sim: SimBoard) -> bool:
    """The level of the interrupt line."""
    return any(sim.fabric.wiring.processor.values())


async def test_one_shot_rolls_over_two_cycles_after_zero_and_holds() -> None:
    async with timer_with() as (_, model, registers):
        await load(registers, 0, 98)
        assert await registers.read(regs.TCR0) == 98
        model.advance(1.0)
        assert await registers.read(regs.TCR0) == 98, "it does not run while LOAD is set"
        await registers.write(regs.TCSR0, GO)
        model.advance(98.5 * CYCLE)
        assert await registers.read(regs.TCR0) == 0
        assert not await registers.read(regs.TCSR0) & regs.TINT
        model.advance(2 * CYCLE)
        assert await registers.read(regs.TCSR0) == GO | regs.TINT
        model.advance(1.0)
        assert await registers.read(regs.TCR0) == 0xFFFF_FFFF
        await registers.write(regs.TCSR0, GO)
        assert await registers.read(regs.TCSR0) == GO | regs.TINT, "writing a zero leaves it"
        await registers.write(regs.TCSR0, GO | regs.TINT)
        assert await registers.read(regs.TCSR0) == GO


async def test_auto_reload_has_a_period_of_two_more_than_its_load() -> None:
    async with timer_with() as (_, model, registers):
        await load(registers, 0, 98)
        await registers.write(regs.TCSR0, GO | regs.ARHT)
        model.advance(1050.5 * CYCLE)
        assert await registers.read(regs.TCR0) == 48
        assert await registers.read(regs.TCSR0) & regs.TINT
        await registers.write(regs.TLR0, 18)  # from the next time on
        model.advance(50 * CYCLE)
        assert await registers.read(regs.TCR0) == 18
        model.advance(25 * CYCLE)
        assert await registers.read(regs.TCR0) == 13


async def test_it_counts_up_as_well() -> None:
    async with timer_with(C_COUNT_WIDTH=8) as (_, model, registers):
        await load(registers, 0, 0xFFF0)
        assert await registers.read(regs.TCR0) == 0xF0, "the counter has 8 bits"
        await registers.write(regs.TCSR0, regs.ENT | regs.ARHT)
        model.advance(3.5 * CYCLE)
        assert await registers.read(regs.TCR0) == 0xF3
        model.advance(14 * CYCLE)
        assert await registers.read(regs.TCR0) == 0xF0
        assert await registers.read(regs.TCSR0) & regs.TINT


async def test_the_interrupt_is_a_level_that_both_timers_share() -> None:
    async with timer_with() as (sim, model, registers):
        for index in (0, 1):
            await load(registers, index, 8)
            await registers.write(regs.CONTROL[index], GO | (regs.ENIT if index else 0))

        model.advance(5 * CYCLE)
        assert not irq(sim)
        model.advance(6 * CYCLE)
        assert irq(sim)
        await registers.write(regs.TCSR1, GO | regs.ENIT | regs.TINT)
        assert not irq(sim)
        await registers.write(regs.TCSR0, GO | regs.ENIT)
        assert irq(sim), "what happened before is kept"
        await registers.write(regs.TCSR0, 0)
        assert not irq(sim)


async def test_enabling_all_starts_both_and_is_seen_in_both() -> None:
    async with timer_with() as (_, model, registers):
        await registers.write(regs.TCSR1, regs.ENALL)
        assert await registers.read(regs.TCSR0) == regs.ENALL | regs.ENT
        model.advance(7.5 * CYCLE)
        assert await registers.read(regs.TCR0) == await registers.read(regs.TCR1) == 7
        await registers.write(regs.TCSR1, regs.ENT)
        assert await registers.read(regs.TCSR0) == regs.ENT


async def test_a_capture_is_held_until_it_was_read() -> None:
    async with timer_with() as (_, model, registers):
        await registers.write(regs.TCSR0, regs.MDT | regs.CAPT | regs.ENT)
        model.capture(1)
        model.advance(10.5 * CYCLE)
        model.capture(0)
        model.advance(10 * CYCLE)
        model.capture(0)
        assert await registers.read(regs.TLR0) == 10
        assert await registers.read(regs.TLR1) == 0, "it was not enabled there"
        assert await registers.read(regs.TCSR0) & regs.TINT
        model.capture(0)
        assert await registers.read(regs.TLR0) == 20
        await registers.write(regs.TCSR0, regs.MDT | regs.CAPT | regs.ENT | regs.ARHT)
        model.advance(1 * CYCLE)
        model.capture(0)
        model.advance(1 * CYCLE)
        model.capture(0)
        assert await registers.read(regs.TLR0) == 22


async def test_pwm_takes_both_timers() -> None:
    async with timer_with() as (_, model, registers):
        assert model.pwm() is None
        pwm = regs.PWMA | regs.GENT | regs.ARHT | regs.UDT

        for index, value in enumerate((998, 248)):
            await load(registers, index, value)
            await registers.write(regs.CONTROL[index], pwm)

        assert model.pwm() is None
        await registers.write(regs.TCSR0, pwm | regs.ENALL)
        assert model.pwm() == pytest.approx((1e-3, 250e-6))
        await registers.write(regs.TLR1, 998)
        assert model.pwm() is None, "high for all of the period is low"


async def test_one_timer_only() -> None:
    async with timer_with(C_ONE_TIMER_ONLY=1) as (_, model, registers):
        await registers.write(regs.TLR1, 5)
        assert await registers.read(regs.TLR1) == 0

        with pytest.raises(SimulationError, match="timer has no timer 1; it has 1"):
            model.capture(1)


async def test_time_passes_by_itself() -> None:
    async with timer_with() as (sim, model, registers):
        model.clock = asyncio.get_running_loop().time
        await load(registers, 0, 5_000)
        await registers.write(regs.TCSR0, GO | regs.ENIT)
        await registers.wait_for(regs.TCSR0, regs.TINT, regs.TINT, timeout=2)
        assert irq(sim)
