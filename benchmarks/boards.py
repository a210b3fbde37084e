"""What many boards cost: programming 64 at once, one frozen among 16, keeping 8 busy, opening 256.

    python benchmarks/boards.py [programming] [frozen] [busy] [opening]

Simulated boards, several in each of two processes of their own. Needs Linux, for /proc. Prints each figure with its
target; the targets are for this program and its boards on a machine with two cores.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

from pynq_async import BoardFarm, RemoteDevice, Timeouts, load_bitstream
from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import SimBoard, serve

MBIT = 1e6 / 8
PROCESSES = 2
SIZE = 4_000_000
ROUNDS = 5


def show(what: str, figure: str, target: str) -> None:
    """Print a row."""
    print(f"{what:70}{figure:>12}   target {target}", flush=True)


async def host(count: int, first: int, latency: float, bandwidth: float) -> None:
    """Serve so many boards until the input ends; a number read from it freezes or thaws that board.

    A line `arrivals` waits until every board has the bitstream, and says when each had, by the clock of the machine.
    """
    boards = [
        SimBoard(seed=first + place, cma_bytes=1 << 20, firmware_bytes=16 << 20, digests=False)
        for place in range(count)
    ]

    for board in boards:
        board.faults.latency = latency
        board.faults.bandwidth = bandwidth or None

    async with AsyncExitStack() as stack:
        print(json.dumps([await stack.enter_async_context(serve(board)) for board in boards]), flush=True)
        frozen: set[int] = set()

        while line := await asyncio.to_thread(sys.stdin.readline):
            if line == "arrivals\n":
                print(json.dumps(await arrivals(boards)), flush=True)
                continue

            place = int(line)
            await (boards[place].thaw() if place in frozen else boards[place].freeze())
            frozen ^= {place}


async def arrivals(boards: list[SimBoard]) -> list[float]:
    """When each board had the whole bitstream."""
    times: dict[SimBoard, float] = {}

    while len(times) < len(boards):
        for board in boards:
            if board not in times and board.counters.bytes_in >= SIZE:
                times[board] = time.monotonic()

        await asyncio.sleep(0.005)

    return list(times.values())


@dataclass
class Boards:
    """Simulated boards: their addresses, how to freeze or thaw the first one, and how to ask for `arrivals`."""

    addresses: list[str]
    switch: Callable[[], Awaitable[None]]
    arrivals: Callable[[], Coroutine[Any, Any, list[float]]]


@asynccontextmanager
async def simulated(count: int, *, latency: float = 0.0, bandwidth: float = 0.0) -> AsyncIterator[Boards]:
    """Serve so many boards in other processes."""
    share, pipe = -(-count // PROCESSES), asyncio.subprocess.PIPE
    children = []

    for first in range(0, count, share):
        options = map(str, (min(share, count - first), first, latency, bandwidth))
        children.append(
            await asyncio.create_subprocess_exec(sys.executable, __file__, "--host", *options, stdin=pipe, stdout=pipe)
        )

    addresses: list[str] = []

    try:
        for child in children:
            assert child.stdout is not None
            addresses += json.loads(await child.stdout.readline())

        async def switch() -> None:
            assert children[0].stdin is not None
            children[0].stdin.write(b"0\n")
            await children[0].stdin.drain()

        async def arrivals() -> list[float]:
            times: list[float] = []

            for child in children:
                assert child.stdin is not None
                child.stdin.write(b"arrivals\n")

            for child in children:
                assert child.stdout is not None
                times += json.loads(await child.stdout.readline())

            return times

        yield Boards(addresses, switch, arrivals)
    finally:
        for child in children:
            assert child.stdin is not None
            child.stdin.close()

        for child in children:
            await child.wait()


def _file(folder: str) -> str:
    path = Path(folder, "benchmark.bit")
    path.write_bytes(synthetic_bitstream("7z020clg400", SIZE))
    return str(path)


async def programming() -> None:
    """The last of 64 boards on links of 20 Mbit/s has a bitstream of 4 MB, compared with one board alone; medians."""
    arrived: dict[int, list[float]] = {1: [], 64: []}
    programmed: dict[int, list[float]] = {1: [], 64: []}

    with tempfile.TemporaryDirectory() as folder:
        bitstream = await load_bitstream(_file(folder))

    for count in (1, 64) * ROUNDS:
        async with simulated(count, bandwidth=20 * MBIT) as boards, BoardFarm(boards.addresses) as farm:
            begun = time.monotonic()

            async with asyncio.TaskGroup() as group:
                times = group.create_task(boards.arrivals())
                await farm.download(bitstream)
                programmed[count].append(time.monotonic() - begun)

            arrived[count].append(max(times.result()) - begun)

    for what, seconds, target in (
        ("has it", arrived, "1.15"),
        ("is programmed with it, checks included", programmed, "-"),
    ):
        one, last = (median(seconds[count]) for count in (1, 64))
        ratios = sorted(many / alone for many, alone in zip(seconds[64], seconds[1], strict=True))
        show(f"1 board over 20 Mbit/s {what}", f"{one:.2f} s", "-")
        show(f"the last of 64 over 20 Mbit/s {what}", f"{last:.2f} s", "-")
        show(f"   that many times as long ({ratios[0]:.2f} to {ratios[-1]:.2f})", f"{median(ratios):.3f}", target)


async def job(board: RemoteDevice, item: int) -> bool:
    """One call to the board."""
    return await board.exists_file("/etc")


async def frozen() -> None:
    """How much the other 15 boards do while one is frozen, of what they do otherwise."""
    async with simulated(16, latency=0.05) as boards, BoardFarm(boards.addresses) as farm:
        first, rate = boards.addresses[0], []

        async with farm.map(job, repeat(0)) as results:
            for is_frozen in (False, True):
                if is_frozen:
                    await boards.switch()

                begun, done = time.perf_counter(), 0

                async for result in results:
                    done += result.board != first

                    if time.perf_counter() - begun > 12:
                        break

                rate.append(done / (time.perf_counter() - begun))

            assert first in farm.absent, "the frozen board was not noticed"

        await boards.switch()

    show("15 boards beside a good one, jobs of 50 ms", f"{rate[0]:.0f} /s", "-")
    show("15 boards beside a frozen one", f"{rate[1]:.0f} /s", "-")
    show("that part of what they do otherwise", f"{rate[1] / rate[0]:.1%}", "95 %")


async def busy() -> None:
    """How much of the time 8 boards work on jobs of 5 ms."""
    async with simulated(8) as boards, BoardFarm(boards.addresses) as farm:
        await measure(farm, "that wait 5 ms", wait)

    async with simulated(8, latency=0.005) as boards, BoardFarm(boards.addresses) as farm:
        await measure(farm, "that are calls of 5 ms", job)


async def wait(board: RemoteDevice, item: int) -> None:
    """A job of 5 ms that asks nothing of this machine."""
    await asyncio.sleep(0.005)


async def measure(farm: BoardFarm, what: str, fn: Callable[[RemoteDevice, int], Awaitable[object]]) -> None:
    """Run 4,000 jobs on 8 boards."""
    begun = time.perf_counter()

    async with farm.map(fn, range(4000)) as results:
        async for result in results:
            assert result.error is None

    seconds = time.perf_counter() - begun
    statistics = farm.statistics().boards.values()
    show(f"8 boards busy with jobs {what}, least", f"{min(s.busy_seconds for s in statistics) / seconds:.1%}", "90 %")
    show("   jobs a second, of 1,600 at the most", f"{4000 / seconds:.0f}", "-")


async def opening() -> None:
    """How long opening 256 boards takes, and the most memory that this program has had."""
    async with simulated(256) as boards:
        begun = time.perf_counter()

        async with BoardFarm(boards.addresses, timeouts=Timeouts(connect=15)):
            seconds = time.perf_counter() - begun
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        show("opening 256 boards", f"{seconds:.2f} s", "5 s")
        show("the most memory so far", f"{peak:.0f} MiB", "256 MiB")


async def main(names: list[str]) -> None:
    """Run what was named, or all; opening first, since memory is measured there."""
    for measurement in (opening, busy, frozen, programming):
        if not names or measurement.__name__ in names:
            await measurement()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--host"]:
        asyncio.run(host(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("names", nargs="*", help="programming, frozen, busy, opening; all unless told")
        asyncio.run(main(parser.parse_args().names))
