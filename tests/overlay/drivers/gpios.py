"""Boards with an AXI GPIO in their fabric, for the tests of its driver."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pynq_async import Design, Overlay
from pynq_async.sim import SimBoard
from tests.boards import asked_again, simulated
from tests.designs import design, firmware, ip

if TYPE_CHECKING:
    from pynq_async.overlay import AxiGPIO
    from pynq_async.sim.ip import GpioModel

BASE, LEVELS, EDGES = 0x4120_0000, 0x4180_0000, 0x4181_0000
LEDS = {"C_GPIO_WIDTH": 4, "C_ALL_OUTPUTS": 1, "C_DOUT_DEFAULT": "0x00000006"}
BUTTONS = {"C_GPIO_WIDTH": 4, "C_ALL_INPUTS": 1, "C_INTERRUPT_PRESENT": 1}
DUAL = {**BUTTONS, "C_IS_DUAL": 1, "C_GPIO2_WIDTH": 2, "C_ALL_INPUTS_2": 1}
MIXED = {"C_GPIO_WIDTH": 8, "C_DOUT_DEFAULT": "0x00000081", "C_INTERRUPT_PRESENT": 1}
WIRED_TO = {"polled": None, "levels": "levels", "edges": "edges", "service": "edges"}


def only(parameters: Mapping[str, object], wired_to: str | None = None) -> Design:
    """A design with one AXI GPIO, its interrupt wired to a controller, the processor (`""`) or nothing."""
    pins = {} if wired_to is None else {"ip2intc_irpt": (wired_to, 3)}
    return design(
        {
            "gpio": ip("xilinx.com:ip:axi_gpio:2.0", BASE, parameters=parameters, interrupts=pins),
            "levels": ip("xilinx.com:ip:axi_intc:4.1", LEVELS),
            "edges": ip("xilinx.com:ip:axi_intc:4.1", EDGES, parameters={"C_KIND_OF_INTR": "0xffffffff"}),
        }
    )


class Bench:
    """A board with one AXI GPIO: its driver and its model."""

    def __init__(self, sim: SimBoard, overlay: Overlay) -> None:
        self.sim = sim
        self.overlay = overlay
        self.gpio: AxiGPIO = overlay.gpio
        self.model: GpioModel = sim.ip["gpio"]

    @property
    def calls(self) -> int:
        """How many register accesses the board has seen."""
        return self.sim.counters.calls["mmio.read"] + self.sim.counters.calls["mmio.write"]

    async def waited(self, rounds: int = 2) -> None:
        """Let whoever waits ask the board again."""
        await asked_again(self.sim, rounds)


@asynccontextmanager
async def bench(parameters: Mapping[str, object], wired_to: str | None = None, **options: Any) -> AsyncIterator[Bench]:
    """A board with one AXI GPIO."""
    known = only(parameters, wired_to)

    async with simulated(designs=[known], **options) as (sim, board):
        yield Bench(sim, await Overlay.load(board, firmware(), design=known))
