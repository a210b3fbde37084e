"""LEDs and buttons at AXI GPIOs: light an LED for as long as its button is pressed.

It runs as it stands, on a simulated board: python examples/leds_and_buttons.py
"""

import asyncio

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.sim import SimBoard, serve

GPIO = "xilinx.com:ip:axi_gpio:2.0"
LEDS = {"C_GPIO_WIDTH": 4, "C_ALL_OUTPUTS": 1}
BUTTONS = {"C_GPIO_WIDTH": 4, "C_ALL_INPUTS": 1, "C_INTERRUPT_PRESENT": 1}
DESIGN = synthetic_design(
    {
        "leds": SyntheticIp(GPIO, 0x4120_0000, parameters=LEDS),
        "buttons": SyntheticIp(GPIO, 0x4121_0000, parameters=BUTTONS, interrupts={"ip2intc_irpt": ("intc", 0)}),
        "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
    }
)  # with a real board all this is `await Overlay.load(board, "base.bit")`
BITSTREAM = parse_bitstream("leds.bit", synthetic_bitstream())


async def follow(overlay: Overlay, index: int) -> None:
    """Show one button by its LED, pressed and released."""
    button, led = overlay.buttons.channel1[index], overlay.leds.channel1[index]
    await button.wait_for_value(1, timeout=10)
    await led.on()
    print(f"button {index} is pressed, the LEDs are {await overlay.leds.channel1.read():04b}")
    await button.wait_for_value(0, timeout=10)
    await led.off()
    print(f"button {index} is released, the LEDs are {await overlay.leds.channel1.read():04b}")


async def press(sim: SimBoard) -> None:
    """Press the simulated buttons, since nobody else does: each for a while, one after the other and both at once."""
    for pressed in (0b0001, 0b0101, 0b0100, 0b0000):
        sim.ip["buttons"].set_input(1, pressed)
        await asyncio.sleep(0.2)


async def main() -> None:
    """Load the design on a simulated board, and follow two buttons at the same time."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        await overlay.leds.channel1.off()

        async with asyncio.TaskGroup() as group:
            group.create_task(follow(overlay, 0))
            group.create_task(follow(overlay, 2))
            group.create_task(press(sim))


if __name__ == "__main__":
    asyncio.run(main())
