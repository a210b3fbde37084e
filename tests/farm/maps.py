"""Farms for the tests of map."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pynq_async import BoardFarm, Health, RemoteDevice, Timeouts
from pynq_async.sim import SimBoard

from .farms import simulated_farm

# Asked often, so that a board that was suspected is soon trusted again, and not set aside because this machine is busy.
CALM = Health(interval=0.05, timeout=10, patience=30)

# For boards that freeze: it is soon noticed.
SOON = Health(interval=0.05, timeout=0.4, patience=30)


@asynccontextmanager
async def farm_of(*sims: SimBoard, health: Health = CALM, call: float = 30) -> AsyncIterator[BoardFarm]:
    timeouts = Timeouts(call=call, grace=0.02)

    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=health, timeouts=timeouts) as farm:
        yield farm


async def twice(board: RemoteDevice, item: int) -> int:
    await asyncio.sleep(0)
    return 2 * item
