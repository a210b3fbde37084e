"""Farms that soon notice what happens to their boards, for the tests of map."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pynq_async import BoardFarm, Health, RemoteDevice, Timeouts
from pynq_async.sim import SimBoard

from .farms import simulated_farm

QUICK = Timeouts(connect=0.3, call=0.5, grace=0.02)
SOON = Health(interval=0.05, timeout=0.2, patience=0.3)


@asynccontextmanager
async def farm_of(*sims: SimBoard) -> AsyncIterator[BoardFarm]:
    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=QUICK) as farm:
        yield farm


async def twice(board: RemoteDevice, item: int) -> int:
    await asyncio.sleep(0)
    return 2 * item
