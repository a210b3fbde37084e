"""What the processing system offers beside the fabric: clocks, GPIO pins and sensors.

    python examples/processing_system.py [ADDRESS]

Without an address a simulated ZCU104 is used. On a board of your own, know what its design does with PL clock 3 and
with EMIO pin 0: the clock is changed for a moment, and the pin is driven.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

from pynq_async import RemoteDevice
from pynq_async.sim import SimBoard, serve


async def clocks(board: RemoteDevice) -> None:
    """Read all clocks, and set one."""
    print(f"the CPU runs at {await board.clocks.cpu_mhz():.0f} MHz")

    for index in range(4):
        print(f"PL clock {index} runs at {await board.clocks.get_pl_clk(index):.3f} MHz")

    before = await board.clocks.get_pl_clk(3)
    print(f"PL clock 3 can run at {await board.clocks.set_pl_clk(3, 150):.3f} MHz too")
    await board.clocks.set_pl_clk(3, before)


async def pins(board: RemoteDevice) -> None:
    """Pulse an output, and read an input; indices are those of a design's `gpio_dict`."""
    chip = "versal_gpio" if board.family == "versal" else None  # a Versal has two

    async with (
        board.gpio.pin(0, "out", target_label=chip) as reset,
        board.gpio.pin(1, "in", target_label=chip) as done,
    ):
        await reset.write(1)
        await reset.write(0)
        print(f"{reset} was pulsed; {done} is {await done.read()}")


async def sensors(board: RemoteDevice) -> None:
    """Read every sensor at once, and the die's temperature alone."""
    for reading in (await board.sensors.read()).values():
        print(reading)

    print(f"the die is at {await board.sensors.temperature():.1f} °C")


async def main(address: str | None = None) -> None:
    """Use the board at `address`, or a simulated one."""
    async with AsyncExitStack() as stack:
        if address is None:
            address = await stack.enter_async_context(serve(SimBoard(model="ZCU104", family="zynqmp")))

        board = await stack.enter_async_context(RemoteDevice(address))
        await clocks(board)
        await pins(board)
        await sensors(board)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
