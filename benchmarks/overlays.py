"""What an overlay costs on a board with round trips of 1 ms: loading it again, streaming by DMA, and a block RAM.

    python benchmarks/overlays.py

The board is simulated, in a process of its own; what is compared takes turns.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import numpy as np

from pynq_async import Overlay, RemoteDevice
from pynq_async.bitstream import (
    SyntheticIp,
    parse_bitstream,
    shipped_description,
    synthetic_bitstream,
    synthetic_design,
)
from pynq_async.sim import spawn

ROUND_TRIP = 0.001
MEMORY_BYTES = 4096

Timed = Callable[[], Awaitable[None]]


async def timed(work: Timed) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def load_again(folder: Path, repeats: int) -> None:
    """An overlay that the board has and whose description is cached; how late the event loop is meanwhile."""
    path = folder / "resizer.bit"
    path.write_bytes(synthetic_bitstream(size=4_045_564))
    path.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with spawn(1, latency=ROUND_TRIP) as addresses, RemoteDevice(addresses[0]) as board:
        await Overlay.load(board, path)
        late = 0.0

        async def tick() -> None:
            nonlocal late

            while True:
                due = time.perf_counter() + 0.002
                await asyncio.sleep(0.002)
                late = max(late, time.perf_counter() - due)

        ticker = asyncio.ensure_future(tick())
        seconds = [await timed(lambda: _load(board, path)) for _ in range(repeats)]
        ticker.cancel()
        report("overlay loaded again", f"{1000 * median(seconds):.0f} ms", f"loop late {1000 * late:.0f} ms", "< 60 ms")


async def _load(board: RemoteDevice, path: Path) -> None:
    await Overlay.load(board, path)


async def block_ram(repeats: int) -> None:
    """4 KiB of block RAM, written and read, beside one word after another."""
    design = synthetic_design({"ram": SyntheticIp("BRAM", 0x4000_0000, MEMORY_BYTES)})
    bitstream = parse_bitstream("ram.bit", synthetic_bitstream())
    words = np.arange(MEMORY_BYTES // 4, dtype="u4")

    async with spawn(1, latency=ROUND_TRIP) as addresses, RemoteDevice(addresses[0]) as board:
        ram = (await Overlay.load(board, bitstream, design=design)).ram

        async def at_once() -> None:
            await ram[:].write(words)
            assert np.array_equal(await ram[:].read(), words)

        async def one_by_one() -> None:
            for index, word in enumerate(words):
                await ram.write(4 * index, word)

            assert [await ram.read(4 * index) for index in range(len(words))] == words.tolist()

        ratios = [await timed(one_by_one) / await timed(at_once) for _ in range(repeats)]
        report("4 KiB of block RAM", f"{median(ratios):.1f} times", "as fast as word by word", ">= 2.5")


def report(what: str, figure: str, more: str, target: str) -> None:
    """Print one line."""
    print(f"{what:<28}{figure:>14}  {more:<30} target {target}", flush=True)


async def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        await load_again(Path(folder), options.repeats)

    await block_ram(options.repeats)


if __name__ == "__main__":
    asyncio.run(main())
