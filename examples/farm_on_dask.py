"""A list of pictures over the boards of several hosts, by Dask; one of the workers dies in the middle.

On some host:    dask scheduler
Beside boards:   dask worker tcp://SCHEDULER:8786 --preload pynq_async.cluster.preload --board 192.168.2.99
On yours:        python examples/farm_on_dask.py tcp://SCHEDULER:8786

python examples/farm_on_dask.py                  # starts all of it here, with two workers and four simulated boards

It needs pynq-async[dask].
"""

import asyncio
import logging
import os
import signal
import sys
from collections import Counter

import numpy as np
from distributed import Client, Nanny, Scheduler, SpecCluster

from pynq_async import RemoteDevice
from pynq_async.cluster import ClusterFarm
from pynq_async.sim import spawn


async def brightness(board: RemoteDevice, picture: int) -> float:
    """Bring a made-up picture to the board and back; this is where a design would work on it."""
    async with board.allocate((64, 64), "u1") as buffer:
        buffer[:] = np.random.default_rng(picture).integers(0, 256, (64, 64), np.uint8)
        await buffer.sync_to_device()
        await buffer.sync_from_device()
        return float(buffer.mean())


async def work(scheduler: str, victim: int | None = None) -> None:
    """Do it, and kill a process meanwhile."""
    done: Counter[str] = Counter()

    async with ClusterFarm(scheduler) as farm, farm.map(brightness, range(100)) as results:
        async for result in results:
            assert 100 < result.value < 155  # raises what `brightness` raised
            done[result.board] += 1

            if victim is not None and done.total() == 30:
                os.kill(victim, signal.SIGKILL)
                print("a worker was killed")

    for board, count in sorted(done.items()):
        print(f"{board}: {count} pictures")


def worker(*boards: str) -> dict[str, object]:
    """How `SpecCluster` starts a worker in a process of its own; `dask worker` does the same."""
    arguments = [word for board in boards for word in ("--board", str(board))]
    options = {"nthreads": 1, "preload": "pynq_async.cluster.preload", "preload_argv": arguments}
    return {"cls": Nanny, "options": {**options, "dashboard_address": None, "silence_logs": logging.CRITICAL}}


async def main() -> None:
    """Use the scheduler that is named, or start everything here."""
    if len(sys.argv) > 1:
        await work(sys.argv[1])
        return

    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": ":0"}}

    async with spawn(4) as boards:
        workers = {"left": worker(*boards[:2]), "right": worker(*boards[2:])}

        async with SpecCluster(workers, scheduler, asynchronous=True, silence_logs=logging.CRITICAL) as cluster:
            async with Client(cluster, asynchronous=True, set_as_default=False) as client:
                pids = await client.run(os.getpid)

            await work(cluster.scheduler_address, min(pids.values()))


if __name__ == "__main__":
    asyncio.run(main())
