"""The simulated AXI interrupt controller, register by register as PG099 has it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from pynq_async import MMIO
from pynq_async.bitstream import load_design
from pynq_async.hardware import axi_intc as intc
from pynq_async.sim import SimBoard
from pynq_async.sim.ip import IntcModel

from ...bitstream.conftest import OVERLAYS
from ...boards import simulated
from ...designs import design, firmware, ip

BASE, OUTER = 0x4180_0000, 0x4181_0000

# Of six inputs of the inner controller, 0 to 2 capture edges; above them is one interrupt of software's.
PARAMETERS = {"C_NUM_INTR_INPUTS": "6", "C_KIND_OF_INTR": "0xffffffc7", "C_NUM_SW_INTR": "1"}
CASCADE = design(
    {
        "inner": ip("xilinx.com:ip:axi_intc:4.1", BASE, parameters=PARAMETERS, interrupts={"irq": ("outer", 4)}),
        "outer": ip("xilinx.com:ip:axi_intc:4.1", OUTER),
    }
)
EDGE, LEVEL, SOFTWARE = 1, 4, 6


@dataclass
class Setup:
    sim: SimBoard
    inner: MMIO
    outer: MMIO

    def drive(self, index: int, *levels: bool) -> None:
        model = self.sim.ip["inner"]
        assert isinstance(model, IntcModel)

        for level in levels:
            model.interrupt(index, level)

    async def status(self) -> int:
        return await self.inner.read(intc.ISR)


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with simulated(designs=[CASCADE]) as (sim, board):
        await board.download(firmware())
        yield Setup(sim, board.mmio(BASE, intc.SIZE), board.mmio(OUTER, intc.SIZE))


async def test_nothing_is_captured_before_the_inputs_are_enabled(setup: Setup) -> None:
    setup.drive(EDGE, True, False)
    setup.drive(LEVEL, True, False)
    assert await setup.status() == 0
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    assert await setup.status() == 0


async def test_a_level_that_is_active_is_captured_as_the_inputs_are_enabled(setup: Setup) -> None:
    setup.drive(EDGE, True)
    setup.drive(LEVEL, True)
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    assert await setup.status() == 1 << LEVEL


async def test_what_was_captured_stays_until_it_is_acknowledged(setup: Setup) -> None:
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    setup.drive(EDGE, True, False)
    setup.drive(LEVEL, True, False)
    assert await setup.status() == 1 << EDGE | 1 << LEVEL, "whether it is enabled or not"
    await setup.inner.write(intc.IAR, 1 << EDGE)
    assert await setup.status() == 1 << LEVEL
    await setup.inner.write(intc.IAR, 1 << LEVEL)
    assert await setup.status() == 0


async def test_an_active_level_comes_back_after_its_acknowledgement_and_an_edge_does_not(setup: Setup) -> None:
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    setup.drive(EDGE, True)
    setup.drive(LEVEL, True)
    await setup.inner.write(intc.IAR, 0xFFFF_FFFF)
    assert await setup.status() == 1 << LEVEL
    setup.drive(EDGE, True)
    assert await setup.status() == 1 << LEVEL, "it did not rise"
    setup.drive(EDGE, False, True)
    assert await setup.status() == 1 << LEVEL | 1 << EDGE


async def test_the_input_enable_can_be_set_and_not_taken_back(setup: Setup) -> None:
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE | intc.MASTER_ENABLE)
    await setup.inner.write(intc.MER, 0)
    assert await setup.inner.read(intc.MER) == intc.HARDWARE_ENABLE


async def test_interrupts_are_enabled_together_and_one_by_one(setup: Setup) -> None:
    await setup.inner.write(intc.IER, 0b0011)
    await setup.inner.write(intc.SIE, 0b0110)
    await setup.inner.write(intc.CIE, 0b0001)
    assert await setup.inner.read(intc.IER) == 0b0110
    await setup.inner.write(intc.SIE, 0xFFFF_FFFF)
    assert await setup.inner.read(intc.IER) == 0b111_1111, "there are no more inputs"
    assert [await setup.inner.read(offset) for offset in (intc.SIE, intc.CIE, intc.IAR)] == [0, 0, 0]


async def test_the_vector_is_the_lowest_that_is_enabled_and_captured(setup: Setup) -> None:
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    await setup.inner.write(intc.IER, 1 << EDGE | 1 << LEVEL)
    assert await setup.inner.read(intc.IVR) == intc.NOTHING_PENDING
    setup.drive(0, True)
    setup.drive(LEVEL, True)
    assert await setup.inner.read(intc.IPR) == 1 << LEVEL
    assert await setup.inner.read(intc.IVR) == LEVEL
    setup.drive(EDGE, True)
    assert await setup.inner.read(intc.IVR) == EDGE


async def test_software_raises_interrupts_only_before_the_inputs_are_enabled_but_its_own_always(setup: Setup) -> None:
    await setup.inner.write(intc.ISR, 0xFFFF_FFFF)
    assert await setup.status() == 0b111_1111
    await setup.inner.write(intc.ISR, 1 << EDGE)
    assert await setup.status() == 1 << EDGE
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    await setup.inner.write(intc.ISR, 1 << LEVEL | 1 << SOFTWARE)
    assert await setup.status() == 1 << EDGE | 1 << SOFTWARE
    await setup.inner.write(intc.ISR, 0)
    assert await setup.status() == 1 << EDGE


async def test_the_output_is_an_input_of_the_next_controller_and_in_the_end_the_processors(setup: Setup) -> None:
    both = intc.HARDWARE_ENABLE | intc.MASTER_ENABLE
    setup.drive(LEVEL, True)
    await setup.inner.write(intc.MER, both)
    await setup.outer.write(intc.MER, both)
    assert await setup.outer.read(intc.ISR) == 0, "it is captured and not enabled"
    await setup.inner.write(intc.SIE, 1 << LEVEL)
    assert await setup.outer.read(intc.ISR) == 1 << 4
    assert not setup.sim.fabric.wiring.processor.get(61)
    await setup.outer.write(intc.SIE, 1 << 4)
    assert setup.sim.fabric.wiring.processor[61]

    setup.drive(LEVEL, False)
    await setup.inner.write(intc.IAR, 1 << LEVEL)
    await setup.outer.write(intc.IAR, 1 << 4)
    assert not setup.sim.fabric.wiring.processor[61]


async def test_without_the_master_enable_the_output_is_quiet(setup: Setup) -> None:
    await setup.outer.write(intc.MER, intc.HARDWARE_ENABLE)
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    await setup.inner.write(intc.IER, 1 << LEVEL)
    setup.drive(LEVEL, True)
    assert await setup.outer.read(intc.ISR) == 0
    await setup.inner.write(intc.MER, intc.MASTER_ENABLE)
    assert await setup.outer.read(intc.ISR) == 1 << 4


async def test_an_input_that_is_not_there_is_not_captured(setup: Setup) -> None:
    await setup.inner.write(intc.MER, intc.HARDWARE_ENABLE)
    setup.drive(6, True)
    setup.drive(31, True)
    assert await setup.status() == 0


@pytest.mark.parametrize(("name", "controller"), [("pynq-z2-base", "system_interrupts"), ("zcu104-base", "axi_intc_0")])
async def test_the_registers_are_those_of_real_descriptions(name: str, controller: str) -> None:
    path = OVERLAYS / name / "base.hwh"

    if not path.exists():
        pytest.skip(f"no real overlay at {path.parent}")

    described = (await load_design(path)).ip[controller].registers
    assert {register: described[register]["address_offset"] for register in intc.REGISTERS} == dict(intc.REGISTERS)
