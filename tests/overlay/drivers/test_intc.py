from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pynq_async import Overlay, load_design
from pynq_async.errors import Misuse, OutOfRange
from pynq_async.hardware import axi_intc as regs
from pynq_async.overlay import AxiIntc
from pynq_async.sim import SimBoard
from tests.boards import simulated, under_faults
from tests.designs import design, firmware, ip
from tests.overlay.test_real_designs import overlay_file

DESIGN = design(
    {
        "intc": ip(
            "xilinx.com:ip:axi_intc:4.1", 0x4180_0000, parameters={"C_NUM_INTR_INPUTS": 6, "C_KIND_OF_INTR": "0x07"}
        )
    }
)
EDGE, LEVEL = 1, 4


@asynccontextmanager
async def controller() -> AsyncIterator[tuple[SimBoard, AxiIntc]]:
    async with simulated(designs=[DESIGN]) as (sim, board):
        intc = (await Overlay.load(board, firmware(), design=DESIGN)).intc
        assert isinstance(intc, AxiIntc)
        yield sim, intc


async def test_inputs_are_seen_enabled_and_acknowledged() -> None:
    async with controller() as (sim, intc):
        model = sim.ip["intc"]
        lines = sim.fabric.wiring.processor
        assert intc.inputs == 6 and intc.is_edge(EDGE) and not intc.is_edge(LEVEL)
        model.interrupt(EDGE, True)
        assert await intc.raised() == set(), "nothing is captured before it is started"
        model.interrupt(EDGE, False)
        await intc.start()
        model.interrupt(EDGE, True)
        model.interrupt(LEVEL, True)
        assert await intc.raised() == {EDGE, LEVEL}
        assert await intc.pending() == set() and not lines.get(61)
        await intc.enable(EDGE, LEVEL)
        assert await intc.enabled() == await intc.pending() == {EDGE, LEVEL}
        assert lines.get(61)
        await intc.acknowledge(EDGE, LEVEL)
        assert await intc.raised() == {LEVEL}, "its level is still active"
        model.interrupt(LEVEL, False)
        await intc.acknowledge(LEVEL)
        assert await intc.raised() == set() and not lines.get(61)
        await intc.disable(LEVEL)
        assert await intc.enabled() == {EDGE}
        await intc.stop()
        model.interrupt(EDGE, False)
        model.interrupt(EDGE, True)
        assert await intc.pending() == {EDGE} and not lines.get(61)


async def test_inputs_that_it_does_not_have_are_refused_before_anything_is_sent() -> None:
    async with controller() as (sim, intc):
        calls = sim.counters.calls.total()

        for act in (intc.enable, intc.disable, intc.acknowledge):
            with pytest.raises(OutOfRange, match="intc has inputs 0 to 5, not 6"):
                await act(0, 6)

            with pytest.raises(Misuse, match="name at least one input"):
                await act()

        assert sim.counters.calls.total() == calls


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
async def test_lost_calls_are_typed_errors_and_slow_ones_are_waited_for(method: str) -> None:
    async with controller() as (sim, intc):

        async def use() -> None:
            await intc.enable(EDGE)
            assert await intc.enabled() == {EDGE}

        await under_faults(sim, method, use)


async def test_the_registers_are_those_of_a_real_description() -> None:
    path: Path = overlay_file("pynq-z2-base")
    described = (await load_design(path)).ip_dict["system_interrupts"]["registers"]
    assert {name: described[name]["address_offset"] for name in regs.REGISTERS} == regs.REGISTERS
