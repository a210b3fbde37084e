"""A DMA: one buffer out and back, then frames as a stream.

    python examples/dma.py

The board is simulated; in its design the DMA's two streams are connected to each other.
"""

import asyncio

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.errors import DeadlineExceeded, OutOfRange
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard, serve

DESIGN = synthetic_design(
    {"dma": SyntheticIp("xilinx.com:ip:axi_dma:7.1", 0x4040_0000, parameters={"C_SG_LENGTH_WIDTH": 20})},
    streams={"dma/M_AXIS_MM2S": "dma/S_AXIS_S2MM"},
)  # with a real design this is `await load_design("loopback.bit")`
BITSTREAM = parse_bitstream("loopback.bit", synthetic_bitstream())


async def one_buffer(board: RemoteDevice, dma: DMA) -> None:
    """As in PYNQ, awaited."""
    async with board.allocate(1024, "u4") as data, board.allocate(1024, "u4") as result:
        data[:] = np.arange(1024)
        await dma.recvchannel.transfer(result)
        await dma.sendchannel.transfer(data)
        await dma.sendchannel.wait()
        await dma.recvchannel.wait(timeout=1.0)
        same = "the same" if np.array_equal(result, data) else "others"
        print(f"{await dma.recvchannel.transferred()} bytes came back, {same}")

        await dma.recvchannel.transfer(result, start=1024, nbytes=64)

        try:
            await dma.recvchannel.wait(timeout=0.1)
        except DeadlineExceeded as error:  # nobody sends; leaving the block stops the DMA before it frees the buffer
            print(error)


async def many_frames(dma: DMA) -> None:
    """Frames as a stream: while one is in the hardware, the next goes to the board and the last comes back."""
    frames = (np.full((64, 64), number, "u1") for number in range(10))

    async with dma.stream((64, 64), "u1") as stream:
        async for result in stream.process(frames):
            print(f"a frame of {result.shape} came back, all {result.max()}")


async def main() -> None:
    """Use the DMA of a simulated board."""
    async with serve(SimBoard(designs=[DESIGN])) as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        await one_buffer(board, overlay.dma)
        await many_frames(overlay.dma)

        async with board.allocate(1 << 20, "u1") as large:
            try:
                await overlay.dma.sendchannel.transfer(large)
            except OutOfRange as error:
                print(error)


if __name__ == "__main__":
    asyncio.run(main())
