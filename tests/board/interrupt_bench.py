"""A board with a design full of interrupts, waited for by polling or through the board's service."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from pynq_async import RemoteDevice
from pynq_async.errors import BoardError
from pynq_async.sim import SimBoard

from ..boards import begun, simulated
from ..designs import design, firmware, ip

OUTER, INNER, SOURCES = 0x4180_0000, 0x4181_0000, 0x4280_0000
EDGES = {"C_NUM_INTR_INPUTS": "4", "C_KIND_OF_INTR": "0xfffffff2"}  # input 1 captures edges; 0, 2 and 3 are levels
CONCAT = "concat/In1"  # another name for the input of edge/done
PINS = {
    "level/done": ("outer", 0),
    "edge/done": ("outer", 1),
    CONCAT: ("outer", 1),
    "other/done": ("outer", 2),
    "deep/done": ("inner", 3),
    "deep_edge/done": ("inner", 1),
    "direct/done": ("", 1),
}
DESIGN = design(
    {
        "outer": ip("xilinx.com:ip:axi_intc:4.1", OUTER, parameters=EDGES),
        "inner": ip("xilinx.com:ip:axi_intc:4.1", INNER, parameters=EDGES, interrupts={"irq": ("outer", 3)}),
        **{
            pin.removesuffix("/done"): ip(
                "acme.com:user:source:1.0", SOURCES + 0x1_0000 * number, interrupts={"done": place}
            )
            for number, (pin, place) in enumerate(PINS.items())
            if pin != CONCAT
        },
    },
    also={CONCAT: "edge/done"},
)
WAIT, REGISTER, RELEASE = "interrupt.wait_for_interrupt", "interrupt.register_interrupt", "interrupt.release_interrupt"


class Bench:
    """A board with the design loaded, and its pins."""

    def __init__(self, sim: SimBoard, board: RemoteDevice, *, service: bool) -> None:
        self.sim = sim
        self.board = board
        self.service = service
        self.pins = board.interrupts.of(DESIGN)

    def drive(self, pin: str, *levels: bool) -> None:
        """Set the level of a pin, on the board."""
        path, port = pin.split("/")

        for level in levels:
            self.sim.ip[path].site.line(port)(level)

    def pulse(self, pin: str) -> None:
        """Let a pin be active for an instant."""
        self.drive(pin, True, False)

    async def waited(self, rounds: int = 2) -> None:
        """Wait until those who wait have asked the board, and once more."""
        method = WAIT if self.service else "mmio.read"
        await begun(self.sim, method, self.sim.counters.calls[method] + rounds)

    @property
    def calls(self) -> int:
        """How many calls the board has seen."""
        return sum(self.sim.counters.calls.values())

    def count(self, method: str) -> int:
        """How many calls of a method the board has seen."""
        return self.sim.counters.calls[method]


@asynccontextmanager
async def bench(*, service: bool = False, known: bool = True, **options: Any) -> AsyncIterator[Bench]:
    """A simulated board with the design loaded."""
    async with simulated(designs=[DESIGN] if known else [], interrupt=service, **options) as (sim, board):
        await board.download(firmware())
        yield Bench(sim, board, service=service)


async def outcome(wait: Awaitable[None]) -> BoardError | None:
    """The error that a wait ended with."""
    try:
        await wait
    except BoardError as error:
        return error

    return None
