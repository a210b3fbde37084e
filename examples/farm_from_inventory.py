"""Choose boards from an inventory file by their tags, and open those.

python examples/farm_from_inventory.py examples/inventory.toml zcu104
python examples/farm_from_inventory.py        # simulated boards in the place of those of examples/inventory.toml
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from pynq_async import Address, BoardFarm
from pynq_async.errors import InvalidArgument
from pynq_async.farm import load_inventory
from pynq_async.sim import SimBoard, serve

EXAMPLE = Path(__file__).with_name("inventory.toml")


async def simulated_farm(stack: AsyncExitStack, *tags: str) -> BoardFarm:
    """The boards of the example, each with the address of a simulated one."""
    boards = []

    for number, board in enumerate(load_inventory(EXAMPLE, tags=tags)):
        address = await stack.enter_async_context(serve(SimBoard(seed=number)))
        boards.append(replace(board, address=Address.parse(address), tls=None))

    return BoardFarm(boards)


async def main(inventory: str | None = None, *tags: str) -> None:
    """Say what the chosen boards are."""
    async with AsyncExitStack() as stack:
        if inventory is not None:
            farm = BoardFarm.from_inventory(inventory, tags=tags)
        else:
            farm = await simulated_farm(stack, "zcu104")

        await stack.enter_async_context(farm)

        for name, board in farm.items():
            print(f"{name}: a {board.model} at {board.address}, called on for {board.timeouts.call:g} s at most")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except InvalidArgument as error:  # a mistake in the file, or a tag that no board has
        sys.exit(str(error))
