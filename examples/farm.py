"""Program many boards at once and ask all of them, with progress and with one that fails.

PYNQ_REMOTE_DEVICES=192.168.2.99,192.168.2.100 python examples/farm.py BITSTREAM
python examples/farm.py                       # three simulated boards, one of another family
"""

import asyncio
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from pynq_async import BoardFarm, Progress, RemoteDevice
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import SimBoard, serve


def show(step: Progress) -> None:
    """Print whole megabytes."""
    if step.stage == "upload":
        print(f"{step.board}: {step.done >> 20} of {step.total >> 20} MiB")


async def free_memory(board: RemoteDevice) -> str:
    """How much contiguous memory a board has left."""
    lines = (await board.read_file("/proc/meminfo")).decode().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("CmaFree"))


async def program(farm: BoardFarm, bitstream: str) -> None:
    """Program all boards; those that cannot be are named, the others work."""
    loaded = await farm.download(bitstream, progress=show, check=False)

    for name, error in loaded.failures.items():
        print(f"{name} failed: {error}")

    for name, free in (await farm.run(free_memory, to=loaded)).items():
        print(f"{name} runs {loaded[name].name}, {free} of contiguous memory are free")


def made_up(folder: str) -> str:
    """A bitstream for a Pynq-Z2 with meaningless content."""
    path = Path(folder, "made_up.bit")
    path.write_bytes(synthetic_bitstream("7z020clg400", 4 << 20))
    return str(path)


async def main(bitstream: str | None = None) -> None:
    """Use the boards of the environment, or simulated ones."""
    async with AsyncExitStack() as stack:
        if "PYNQ_REMOTE_DEVICES" in os.environ and bitstream is not None:
            farm = BoardFarm.from_env()
        else:
            sims = [SimBoard(), SimBoard(seed=1), SimBoard(family="zynqmp", model="ZCU104")]
            names = ["bench-left", "bench-right", "shelf"]
            addresses = [await stack.enter_async_context(serve(sim)) for sim in sims]
            farm = BoardFarm(dict(zip(names, addresses, strict=True)))
            bitstream = made_up(stack.enter_context(tempfile.TemporaryDirectory()))

        await stack.enter_async_context(farm)
        await program(farm, bitstream)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
