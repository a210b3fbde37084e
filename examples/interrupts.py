"""Interrupts of the fabric, awaited: by one task, by several, and with a timeout.

python examples/interrupts.py
"""

import asyncio

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.sim import SimBoard, serve

# Inputs 0 and 1 of the controller capture edges.
DESIGN = synthetic_design(
    {
        "camera": SyntheticIp("acme.com:user:camera:1.0", 0x43C0_0000, interrupts={"frame": ("intc", 0)}),
        "alarm": SyntheticIp("acme.com:user:alarm:1.0", 0x43C1_0000, interrupts={"smoke": ("intc", 1)}),
        "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000, parameters={"C_KIND_OF_INTR": 0b11}),
    }
)
BITSTREAM = parse_bitstream("camera.bit", synthetic_bitstream())  # with files: `Overlay.load(board, "camera.bit")`


async def use(board: RemoteDevice, sim: SimBoard) -> None:
    """Wait for frames in two tasks, then for an alarm that does not come."""
    overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
    frame, smoke = overlay.camera.frame, overlay.alarm.smoke

    await frame.listen()  # before what raises the edge is started
    sim.raise_interrupt("camera/frame")  # in the simulated fabric the pin goes up and down
    await frame.wait(timeout=5)
    print("a frame that came before anybody waited")

    async with asyncio.TaskGroup() as group:
        for name in ("display", "recorder"):
            group.create_task(frame.wait(timeout=5), name=name).add_done_callback(lambda task: print(task.get_name()))

        await asyncio.sleep(0.05)
        sim.raise_interrupt("camera/frame")

    try:
        await smoke.wait(timeout=0.1)
    except TimeoutError as error:
        print(str(error).partition(": ")[2])


async def main() -> None:
    """Use a simulated board that knows the design."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        await use(board, sim)


if __name__ == "__main__":
    asyncio.run(main())
