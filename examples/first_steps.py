"""Open a board, program it, write a register, move a buffer there and back.

    python examples/first_steps.py [ADDRESS [BITSTREAM]]

Without an address a simulated board is used, and without a bitstream one that is made up.
"""

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from pynq_async import RemoteDevice
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import SimBoard, serve


async def use(board: RemoteDevice, bitstream: str | None) -> None:
    """What one does with a board."""
    print(f"{board.name} is a {board.model} ({board.family}, {board.arch})")

    if bitstream is not None:
        loaded = await board.download(bitstream)
        print(f"programmed {loaded.name}, {loaded.uploaded_bytes} bytes sent")
        leds = board.mmio(0x4000_0000, 0x1000)
        await leds.write(0x0, 0b1010)
        print(f"the register at 0x40000000 is {await leds.read(0x0):#06b}")

    async with board.allocate((256, 256), "u2") as picture:
        picture[:] = np.arange(256)
        await picture.sync_to_device()
        picture[:] = 0
        await picture.sync_from_device()
        print(f"the buffer at {picture.physical_address:#x} came back with a mean of {picture.mean()}")


def made_up(folder: str) -> str:
    """A bitstream for a Pynq-Z2 with meaningless content."""
    path = Path(folder, "made_up.bit")
    path.write_bytes(synthetic_bitstream("7z020clg400", 1 << 20))
    return str(path)


async def main(address: str | None = None, bitstream: str | None = None) -> None:
    """Use the board at `address`, or a simulated one."""
    async with AsyncExitStack() as stack:
        if address is None:
            address = await stack.enter_async_context(serve(SimBoard()))
            bitstream = made_up(stack.enter_context(tempfile.TemporaryDirectory()))

        board = await stack.enter_async_context(RemoteDevice(address))
        await use(board, bitstream)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
