"""An IP of one's own: a driver for it, a simulated model of it, and a program that cannot tell the difference.

python examples/own_ip.py
"""

import asyncio

from pynq_async import DefaultIP, Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.sim import IpModel, SimBoard, SimDesign, serve

CONTROL, SETPOINT, TEMPERATURE = 0x0, 0x4, 0x8
HEAT, REACHED = 0x1, 0x2


class Oven(DefaultIP):
    """The driver: what `Overlay.load(drivers=[Oven])` binds to every oven of a design."""

    bindto = ("acme.com:user:oven",)

    async def heat(self, degrees: int, timeout: float = 5.0) -> int:
        """Heat up, wait until the temperature is reached, and return it."""
        await self.write(SETPOINT, degrees)
        await self.update(CONTROL, HEAT, HEAT)
        await self.wait_for(CONTROL, REACHED, REACHED, timeout)
        return await self.read(TEMPERATURE)


class OvenModel(IpModel):
    """The simulated IP: what answers loads and stores on a simulated board. Heating takes a millisecond a degree."""

    def store(self, offset: int, word: int) -> None:
        """Remember the word; HEAT begins to heat."""
        super().store(offset, word)

        if offset == CONTROL and word & HEAT:
            self.site.later(self.words.get(SETPOINT, 0) / 1000, self.reach)

    def reach(self) -> None:
        """Be as hot as was asked for, and say so by a bit and an interrupt."""
        self.words[TEMPERATURE] = self.words[SETPOINT]
        self.words[CONTROL] |= REACHED
        self.site.line("hot")(True)


DESIGN = synthetic_design(
    {
        "kitchen/oven": SyntheticIp("acme.com:user:oven:1.0", 0x43C0_0000, interrupts={"hot": ("intc", 0)}),
        "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
    }
)  # with a real design this is `await load_design("kitchen.bit")`
BITSTREAM = parse_bitstream("kitchen.bit", synthetic_bitstream())


async def main() -> None:
    """Load the design on a simulated board and use the oven through its driver."""
    sim = SimBoard(designs=[SimDesign(DESIGN, models={"acme.com:user:oven": OvenModel})])

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN, drivers=[Oven])
        print(overlay)
        print(f"the oven has {await overlay.kitchen.oven.heat(180)} degrees")
        print(f"the board saw {sim.counters.calls['mmio.read']} register reads")


if __name__ == "__main__":
    asyncio.run(main())
