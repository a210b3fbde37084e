"""Block RAM of a design as an array: samples written into it, some of them changed, all read back.

python examples/block_ram.py
"""

import asyncio

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.sim import SimBoard, serve

DESIGN = synthetic_design({"player/waveform": SyntheticIp("BRAM", 0x4000_0000, size=0x1000)})
BITSTREAM = parse_bitstream("player.bit", synthetic_bitstream())  # with files: `Overlay.load(board, "player.bit")`


async def use(board: RemoteDevice) -> None:
    """Fill the memory with a sine of 16-bit samples and put silence into the middle."""
    overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
    samples = overlay.player.waveform.view("i2")
    print(f"{samples.name} holds {len(samples)} samples of {samples.dtype}")

    await samples[:].write((32767 * np.sin(np.linspace(0, 20 * np.pi, len(samples)))).astype("i2"))
    await samples[501:999].write(0)
    played = await samples[:].read()
    print(f"loudest {played.max()}, silent {np.count_nonzero(played[501:999] == 0)} samples long")


async def main() -> None:
    """Use a simulated board that knows the design."""
    async with serve(SimBoard(designs=[DESIGN])) as address, RemoteDevice(address) as board:
        await use(board)


if __name__ == "__main__":
    asyncio.run(main())
