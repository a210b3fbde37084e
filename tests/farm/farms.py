"""Several simulated boards and nothing left behind on any of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from pynq_async.sim import SimBoard, serve

from ..boards import assert_clean, assert_no_tasks_left

NAMES = "abcdefghijklmnop"
DEAD = "127.0.0.1:1"


@asynccontextmanager
async def simulated_farm(*sims: SimBoard) -> AsyncIterator[dict[str, str]]:
    """Serve boards called a, b, c, ..."""
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(serve(sim)) for sim in sims]
        yield dict(zip(NAMES, addresses, strict=False))

    for sim in sims:
        assert_clean(sim)

    assert_no_tasks_left()


def several(count: int) -> list[SimBoard]:
    """So many different boards."""
    return [SimBoard(seed=seed) for seed in range(count)]
