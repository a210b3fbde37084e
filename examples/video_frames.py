"""Capture video frames, process them, and show them: an AXI VDMA between a camera and a display.

python examples/video_frames.py
"""

import asyncio

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.overlay import AxiVDMA, VideoMode
from pynq_async.sim import SimBoard, serve

MODE = VideoMode(64, 48, 24)
DESIGN = synthetic_design({"video/axi_vdma": SyntheticIp("xilinx.com:ip:axi_vdma:6.3", 0x4300_0000)})
BITSTREAM = parse_bitstream("video.bit", synthetic_bitstream())


async def use(vdma: AxiVDMA) -> None:
    """Show five frames of the camera, inverted."""
    vdma.readchannel.mode = vdma.writechannel.mode = MODE

    async with vdma.readchannel as camera, vdma.writechannel as display:
        for _ in range(5):
            frame = await camera.readframe()
            await display.writeframe(255 - frame)
            print(f"captured a frame of {frame.shape}, {frame.mean():.0f} bright on average")


def video(sim: SimBoard) -> list[bytes]:
    """Attach a camera, whose picture becomes brighter, and a display; what the display shows comes into the list."""
    vdma = sim.ip["video/axi_vdma"]
    shown: list[bytes] = []
    brightness = 0

    def shoot() -> None:
        nonlocal brightness
        brightness = (brightness + 1) % 256
        vdma.s2mm.stream.send(np.full(MODE.shape, brightness, "u1").tobytes())
        vdma.site.later(1 / 60, shoot)

    shoot()
    vdma.mm2s.stream.on_offer(lambda: shown.append(vdma.mm2s.stream.take()))
    return shown


async def main() -> None:
    """Load the design on a simulated board with a camera and a display."""
    sim = SimBoard(designs=[DESIGN])

    async with serve(sim) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        shown = video(sim)
        await use(overlay.video.axi_vdma)
        print(f"the display showed {len(shown)} frames, {len(set(shown))} different ones")


if __name__ == "__main__":
    asyncio.run(main())
