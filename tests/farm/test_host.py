"""What outlives a call, when the event loop ends before the farm is closed."""

import asyncio
import gc

import pytest

from pynq_async import BoardFarm
from pynq_async.errors import NotOpen
from pynq_async.sim import SimBoard

from .farms import simulated_farm
from .maps import twice


async def test_a_farm_whose_host_task_is_gone_starts_nothing_and_takes_boards_back() -> None:
    async with simulated_farm(SimBoard()) as boards:
        farm = await BoardFarm(boards)
        lease = farm.lease()
        await lease.__aenter__()

        host = next(task for task in asyncio.all_tasks() if task.get_name() == "farm")
        host.cancel()
        await asyncio.wait({host})

        with pytest.warns(ResourceWarning, match="never left"):
            del lease
            gc.collect()

        assert farm.statistics().boards["a"].state == "free"

        with pytest.raises(NotOpen):
            await farm.map(twice, [1]).__aenter__()

        await farm.aclose()
