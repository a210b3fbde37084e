"""The simulated AXI GPIO behaves as PG144 says."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from pynq_async import MMIO
from pynq_async.errors import SimulationError
from pynq_async.hardware import axi_gpio as gpio
from pynq_async.sim import SimBoard
from pynq_async.sim.ip import GpioModel
from tests.boards import simulated
from tests.designs import design, firmware, ip

BASE = 0x4120_0000
INPUTS = {"C_GPIO_WIDTH": 4, "C_ALL_INPUTS": 1, "C_INTERRUPT_PRESENT": 1}
OUTPUTS = {"C_GPIO_WIDTH": 4, "C_ALL_OUTPUTS": 1, "C_DOUT_DEFAULT": "0x00000005", "C_INTERRUPT_PRESENT": 1}
DUAL = {
    "C_IS_DUAL": 1,
    "C_GPIO_WIDTH": 8,
    "C_DOUT_DEFAULT": "0x0000000F",
    "C_TRI_DEFAULT": "0xFFFFFFF0",
    "C_GPIO2_WIDTH": 2,
    "C_ALL_INPUTS_2": 1,
    "C_INTERRUPT_PRESENT": 1,
}


@asynccontextmanager
async def gpio_with(parameters: Mapping[str, object]) -> AsyncIterator[tuple[SimBoard, GpioModel, MMIO]]:
    """A board with one AXI GPIO, its model and its registers."""
    only = design(
        {
            "gpio": ip("xilinx.com:ip:axi_gpio:2.0", BASE, parameters=parameters, interrupts={"ip2intc_irpt": ("", 0)}),
        }
    )

    async with simulated(designs=[only]) as (sim, board):
        await board.download(firmware(), design=only)
        yield sim, sim.ip["gpio"], board.mmio(BASE, 0x1_0000)


def irq(sim: SimBoard) -> bool:
    """The level of the interrupt line."""
    return any(sim.fabric.wiring.processor.values())


async def test_inputs_are_what_a_test_sets_and_take_no_writes() -> None:
    async with gpio_with(INPUTS) as (_, model, registers):
        model.set_input(1, 0b1010)
        assert await registers.read(gpio.GPIO_DATA) == 0b1010
        model.set_input(1, 0b0001, mask=0b0011)
        assert await registers.read(gpio.GPIO_DATA) == 0b1001
        await registers.write(gpio.GPIO_DATA, 0)
        await registers.write(gpio.GPIO_TRI, 0)
        assert await registers.read(gpio.GPIO_DATA) == 0b1001
        assert model.output(1) == 0


async def test_a_channel_of_one_direction_has_no_tristate_register() -> None:
    for parameters in (INPUTS, OUTPUTS):
        async with gpio_with(parameters) as (_, _, registers):
            await registers.write(gpio.GPIO_TRI, 0)
            assert await registers.read(gpio.GPIO_TRI) == 0xFFFF_FFFF
            assert await registers.read(gpio.GPIO2_DATA) == 0
            assert await registers.read(gpio.GPIO2_TRI) == 0xFFFF_FFFF


async def test_outputs_begin_with_their_default_and_read_back() -> None:
    async with gpio_with(OUTPUTS) as (sim, model, registers):
        assert model.output(1) == await registers.read(gpio.GPIO_DATA) == 0b0101
        await registers.write(gpio.GPIO_DATA, 0xFFFF_FFFA)
        assert model.output(1) == await registers.read(gpio.GPIO_DATA) == 0b1010
        assert await registers.read(gpio.IP_ISR) == 0, "outputs see no pins"
        assert not irq(sim)


async def test_a_mixed_channel_follows_its_tristate_register() -> None:
    async with gpio_with(DUAL) as (_, model, registers):
        assert await registers.read(gpio.GPIO_TRI) == 0xF0
        assert model.output(1) == 0x0F
        model.set_input(1, 0x50)
        assert await registers.read(gpio.GPIO_DATA) == 0x5F
        await registers.write(gpio.GPIO_DATA, 0xA0)  # kept for the inputs, but not driven
        assert await registers.read(gpio.GPIO_DATA) == 0x50
        await registers.write(gpio.GPIO_TRI, 0x0F)
        assert model.output(1) == 0xA0
        assert await registers.read(gpio.GPIO_DATA) == 0xA0


async def test_the_status_of_an_interrupt_toggles_when_it_is_written() -> None:
    async with gpio_with(INPUTS) as (sim, model, registers):
        model.set_input(1, 1)
        assert await registers.read(gpio.IP_ISR) == 1, "it is latched, enabled or not"
        assert not irq(sim)
        await registers.write(gpio.IP_IER, 3)
        assert await registers.read(gpio.IP_IER) == 1, "there is no second channel"
        assert not irq(sim)
        await registers.write(gpio.GIER, 0xFFFF_FFFF)
        assert await registers.read(gpio.GIER) == 0x8000_0000
        assert irq(sim)
        await registers.write(gpio.IP_ISR, 1)
        assert not irq(sim)
        await registers.write(gpio.IP_ISR, 1)
        assert irq(sim), "a bit that was clear is set by writing it"
        await registers.write(gpio.GIER, 0)
        assert not irq(sim)


async def test_each_channel_has_its_interrupt() -> None:
    async with gpio_with(DUAL) as (sim, model, registers):
        await registers.write(gpio.GIER, gpio.GLOBAL_ENABLE)
        await registers.write(gpio.IP_IER, gpio.CHANNEL_INTERRUPT[2])
        model.set_input(1, 0x10)
        assert await registers.read(gpio.IP_ISR) == 1
        assert not irq(sim)
        model.set_input(2, 3)
        model.set_input(2, 3)
        assert await registers.read(gpio.IP_ISR) == 3
        assert irq(sim)
        await registers.write(gpio.IP_ISR, 3)
        await registers.write(gpio.GPIO_DATA, 0)  # outputs of a mixed channel are pins that it sees
        assert await registers.read(gpio.IP_ISR) == 1


async def test_without_interrupts_there_are_no_registers_for_them() -> None:
    async with gpio_with({**INPUTS, "C_INTERRUPT_PRESENT": 0}) as (sim, model, registers):
        await registers.write(gpio.GIER, gpio.GLOBAL_ENABLE)
        await registers.write(gpio.IP_IER, 1)
        model.set_input(1, 1)
        assert [await registers.read(offset) for offset in (gpio.GIER, gpio.IP_IER, gpio.IP_ISR)] == [0, 0, 0]
        assert not irq(sim)


async def test_what_does_not_fit_is_said() -> None:
    async with gpio_with(INPUTS) as (_, model, _):
        with pytest.raises(SimulationError, match="gpio: 0x10 does not fit the 4 wires of channel 1"):
            model.set_input(1, 0x10)

        with pytest.raises(SimulationError, match="gpio has no channel 2; there is 1"):
            model.set_input(2, 0)
