"""Route streams through an AXI4-Stream Switch: a camera and a test picture to a display and a recorder.

python examples/stream_switch.py
"""

import asyncio

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.errors import Misuse
from pynq_async.overlay import StreamSwitch
from pynq_async.sim import SimBoard, serve

CAMERA, PICTURE = 0, 1  # inputs
DISPLAY, RECORDER = 0, 1  # outputs

SWITCH = SyntheticIp("xilinx.com:ip:axis_switch:1.1", 0x43C0_0000, parameters={"NUM_SI": 2, "NUM_MI": 2})
DESIGN = synthetic_design({"switch": SWITCH})
BITSTREAM = parse_bitstream("switch.bit", synthetic_bitstream())


async def use(switch: StreamSwitch) -> None:
    """Show the camera, then the test picture while the camera is recorded."""
    await switch.set_routing({DISPLAY: CAMERA})
    print(f"routes by output: {await switch.routing()}")
    await switch.set_routing({DISPLAY: PICTURE, RECORDER: CAMERA})
    print(f"routes by output: {await switch.routing()}")

    try:
        await switch.select(DISPLAY, CAMERA)
    except Misuse as error:
        print(error)


async def main() -> None:
    """Use a switch on a simulated board, and see where the data goes."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        await use(overlay.switch)
        streams = sim.ip["switch"].site.stream
        streams("S00_AXIS").send(b"from the camera")
        print(f"the recorder gets: {streams('M01_AXIS').take().decode()}")


if __name__ == "__main__":
    asyncio.run(main())
