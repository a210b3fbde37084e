"""A list of pictures over whichever boards are free; one board dies and comes back, and a colleague borrows another.

PYNQ_REMOTE_DEVICES=192.168.2.99,192.168.2.100 python examples/farm_work.py
python examples/farm_work.py                  # four simulated boards, one of which freezes for a while
"""

import asyncio
import os
from contextlib import AsyncExitStack

import numpy as np

from pynq_async import BoardFarm, Health, RemoteDevice, Timeouts
from pynq_async.farm import BoardJoined, BoardLost
from pynq_async.sim import SimBoard, serve


async def brightness(board: RemoteDevice, picture: int) -> float:
    """Bring a made-up picture to the board and back; this is where a design would work on it."""
    async with board.allocate((64, 64), "u1") as buffer:
        buffer[:] = np.random.default_rng(picture).integers(0, 256, (64, 64), np.uint8)
        await buffer.sync_to_device()
        await buffer.sync_from_device()
        return float(buffer.mean())


async def watch(farm: BoardFarm) -> None:
    """Print which boards come and go."""
    async with farm.events() as events:
        async for event in events:
            if isinstance(event, BoardLost | BoardJoined):
                print(f"{event.board} {'was lost' if isinstance(event, BoardLost) else 'is back'}")


async def colleague(farm: BoardFarm) -> None:
    """Borrow a board in the middle of the work."""
    async with farm.lease(timeout=30) as board:
        print(f"{board.name} is lent: {board.model}")


async def work(farm: BoardFarm, broken: SimBoard | None) -> None:
    """Do it."""
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(farm))
        group.create_task(colleague(farm))
        done = 0

        async with farm.map(brightness, range(200), turn=0.1) as results:
            async for result in results:
                assert 100 < result.value < 155  # raises what `brightness` raised
                done += 1

                if broken is not None and done in (50, 150):
                    await (broken.freeze() if done == 50 else broken.thaw())

        watching.cancel()

    for name, board in farm.statistics().boards.items():
        print(f"{name}: {board.items} pictures, {board.moved} moved elsewhere")


async def main() -> None:
    """Use the boards of the environment, or simulated ones."""
    if "PYNQ_REMOTE_DEVICES" in os.environ:
        async with BoardFarm.from_env(require="any") as farm:
            await work(farm, None)

        return

    async with AsyncExitStack() as stack:
        sims = [SimBoard(seed=seed) for seed in range(4)]
        addresses = [await stack.enter_async_context(serve(sim)) for sim in sims]
        boards = dict(zip(("red", "green", "blue", "grey"), addresses, strict=True))
        # A farm with real boards needs no such haste.
        health, timeouts = Health(interval=0.2, timeout=0.5), Timeouts(call=2, grace=0.05)
        farm = await stack.enter_async_context(BoardFarm(boards, health=health, timeouts=timeouts))
        await work(farm, sims[0])


if __name__ == "__main__":
    asyncio.run(main())
