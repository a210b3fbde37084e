"""PYNQ-HelloWorld's image resizer: an image by DMA through an HLS kernel and back, on a simulated Pynq-Z2.

python examples/image_resizer.py
"""

import asyncio

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import load_design, parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.sim import KernelCall, SimBoard, SimDesign, serve

# The description is a real one, which pynqmetadata comes with; the bitstream is made up. With files of your own this
# is `Overlay.load(board, "resizer.bit")`, and on a real board all that is `sim` goes.
BITSTREAM = parse_bitstream("resizer.bit", synthetic_bitstream(), description=shipped_description("resizer"))


def halve(call: KernelCall) -> None:
    """What the simulated kernel does with an RGB image of twice the size: every pixel is the mean of four."""
    rows, cols = call.arguments["dst_rows"], call.arguments["dst_cols"]
    image = np.frombuffer(call.receive("src"), np.uint8).reshape(rows, 2, cols, 2, 3)
    call.send("dst", image.mean(axis=(1, 3)).astype(np.uint8).tobytes())


async def resize(board: RemoteDevice) -> None:
    """The program, as in PYNQ's notebook but for `await`."""
    overlay = await Overlay.load(board, BITSTREAM)
    dma, resizer = overlay.axi_dma_0, overlay.resize_accel_0
    print(resizer, resizer.signature)

    async with board.allocate((360, 640, 3), "u1") as image, board.allocate((180, 320, 3), "u1") as small:
        image[:] = np.linspace(0, 255, 640).astype(np.uint8)[:, None]  # from black to white
        await dma.recvchannel.transfer(small)
        await resizer.start(src_rows=360, src_cols=640, dst_rows=180, dst_cols=320)
        await dma.sendchannel.transfer(image)
        await dma.sendchannel.wait()
        await dma.recvchannel.wait(timeout=1.0)
        print(
            f"{image.shape} became {small.shape}, from {small[0, 0, 0]} on the left to {small[0, -1, 0]} on the right"
        )


async def main() -> None:
    """Use a simulated board whose kernel is a Python function."""
    design = await load_design(BITSTREAM)
    sim = SimBoard(designs=[SimDesign(design, kernels={"resize_accel_0": halve})])

    async with serve(sim) as address, RemoteDevice(address) as board:
        await resize(board)


if __name__ == "__main__":
    asyncio.run(main())
