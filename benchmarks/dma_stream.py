"""Frames through a DMA loopback: as a stream, against one after another.

    python benchmarks/dma_stream.py

The board is simulated in a process of its own and answers every call after 1 ms; both ways take turns.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import numpy as np
import numpy.typing as npt

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.overlay import DMA
from pynq_async.sim import SimBoard, serve

ROUND_TRIP = 0.001
FRAME = 64 << 10
TARGET = 1.7
SETTINGS = {"C_INCLUDE_SG": 0, "C_SG_LENGTH_WIDTH": 20, "C_ADDR_WIDTH": 32}
DESIGN = synthetic_design(
    {"dma": SyntheticIp("xilinx.com:ip:axi_dma:7.1", 0x4040_0000, parameters=SETTINGS)},
    streams={"dma/M_AXIS_MM2S": "dma/S_AXIS_S2MM"},
)
BITSTREAM = parse_bitstream("loopback.bit", synthetic_bitstream())

Frames = list[npt.NDArray[np.uint8]]


async def one_after_another(dma: DMA, frames: Frames) -> float:
    """Send, receive and wait for each frame; returns the seconds it took."""
    async with dma.board.allocate(FRAME, "u1") as out, dma.board.allocate(FRAME, "u1") as back:
        started = time.perf_counter()

        for frame in frames:
            out[:] = frame
            await dma.sendchannel.transfer(out)
            await dma.recvchannel.transfer(back)
            await dma.sendchannel.wait()
            await dma.recvchannel.wait()
            compare(frame, back)

        return time.perf_counter() - started


async def streamed(dma: DMA, frames: Frames) -> float:
    """The same as a stream."""
    async with dma.stream(FRAME, "u1") as stream:
        started = time.perf_counter()
        done = 0

        async for result in stream.process(frames):
            compare(frames[done], result)
            done += 1

        return time.perf_counter() - started


def compare(frame: npt.NDArray[np.uint8], result: npt.NDArray[np.uint8]) -> None:
    """A benchmark of wrong results is worth nothing."""
    if not np.array_equal(frame, result):
        raise SystemExit("a frame came back with another content")


async def dma_stream(repeats: int = 7, count: int = 40) -> str:
    """Measure, and give the line to be printed."""
    random = np.random.default_rng(1)
    frames = [random.integers(0, 256, FRAME, "u1") for _ in range(count)]

    async with board_of_its_own() as address, RemoteDevice(address) as board:
        overlay = await Overlay.load(board, BITSTREAM, design=DESIGN)
        await one_after_another(overlay.dma, frames[:3])
        await streamed(overlay.dma, frames[:3])
        plain, stream, ratios = [], [], []

        for _ in range(repeats):
            plain.append(await one_after_another(overlay.dma, frames) / count)
            stream.append(await streamed(overlay.dma, frames) / count)
            ratios.append(plain[-1] / stream[-1])

    figures = f"{median(stream) * 1e3:.1f} ms each, one after another {median(plain) * 1e3:.1f} ms"
    ratio = f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    return f"DMA stream, 64 KiB frames: {figures}, {ratio}   target {TARGET}"


@asynccontextmanager
async def board_of_its_own() -> AsyncIterator[str]:
    """The simulated board in a process of its own, as a real one is."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "--board", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdin is not None and child.stdout is not None

    try:
        yield (await child.stdout.readline()).decode().strip()
    finally:
        child.stdin.close()
        await child.wait()


async def be_the_board() -> None:
    """Serve the board until our input ends."""
    sim = SimBoard(designs=[DESIGN])
    sim.faults.latency = ROUND_TRIP

    async with serve(sim) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def run(options: argparse.Namespace) -> None:
    """Measure, or be what is measured with."""
    if options.board:
        await be_the_board()
    else:
        print(await dma_stream(options.repeats))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--board", action="store_true", help=argparse.SUPPRESS)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
