"""What runs in the processes: `python -m tests.cluster.served scheduler`, or `worker SCHEDULER BOARDS`."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dask
from distributed import Scheduler, Worker

from pynq_async import Address, BoardFarm, Health, Timeouts
from pynq_async.cluster import WorkerBoards
from pynq_async.farm import BoardSpec
from pynq_async.sim.commands import follow_input

SOON = Health(interval=0.1, timeout=0.5)
QUICK = Timeouts(connect=0.5, call=2, grace=0.05)


def farm(boards: dict[str, str]) -> BoardFarm:
    """The farm of a worker."""
    specs = []

    for name, text in boards.items():
        address, *tags = text.split(",")
        specs.append(BoardSpec(name, Address.parse(address), tags=frozenset(tags)))

    return BoardFarm(specs, require=0, health=SOON, timeouts=QUICK)


@asynccontextmanager
async def scheduler(allowed_failures: str) -> AsyncIterator[str]:
    """A scheduler."""
    async with Scheduler(
        host="127.0.0.1", port=0, dashboard=False, dashboard_address=":0", allowed_failures=int(allowed_failures)
    ) as served:
        yield served.address


@asynccontextmanager
async def worker(address: str, boards: str = "{}") -> AsyncIterator[str]:
    """A worker with these boards, or with none."""
    specs = json.loads(boards)
    plugins = [WorkerBoards(lambda: farm(specs), linger=1.0)] if specs else []

    async with Worker(
        address, host="127.0.0.1", nthreads=1, plugins=plugins, dashboard=False, dashboard_address=":0"
    ) as served:
        yield served.address


async def main(what: str, *arguments: str) -> None:
    """Serve until the input ends."""
    over = asyncio.Event()

    async with scheduler(*arguments) if what == "scheduler" else worker(*arguments) as address:
        sys.stdout.write(json.dumps({"address": address}) + "\n")
        sys.stdout.flush()
        follow_input(asyncio.get_running_loop(), lambda line: None, over.set)
        await over.wait()


if __name__ == "__main__":
    dask.config.set({"distributed.worker.memory.target": False, "distributed.worker.memory.spill": False})
    asyncio.run(main(*sys.argv[1:]))
