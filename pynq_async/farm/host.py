"""The farm's host task: all that runs longer than one call of the user, with its own task group."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..concurrency import to_the_end
from ..errors import NotOpen


class Host:
    """Runs work from `start` on until it ends or `aclose` cancels it and waits for it.

    The work must not raise: it tells its own failures to whoever waits for them.
    """

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None
        self._task: asyncio.Task[None] | None = None
        self._works: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def open(self) -> None:
        """Begin."""
        begun = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(begun), name="farm")
        await begun.wait()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Have something done; raises `NotOpen` once the farm is closed."""
        if self._group is None or self._stop.is_set():
            work.close()
            raise NotOpen("the farm", "it is not open")

        task = self._group.create_task(work, name=f"farm: {name}")
        self._works.add(task)
        task.add_done_callback(self._works.discard)
        return task

    def check_not_inside(self) -> None:
        """Raise in work that would wait for its own end by closing the farm."""
        if asyncio.current_task() in self._works:
            raise NotOpen("the farm", "it cannot be closed by work that it does itself")

    async def aclose(self) -> None:
        """Cancel what still runs and wait for its end; a second time does nothing."""
        self._stop.set()

        if self._task is not None:
            await to_the_end(self._end(self._task))

    async def _end(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait({task})

        if not task.cancelled():  # as when its event loop ends
            task.result()

    async def _run(self, begun: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as self._group:
            begun.set()

            try:
                await self._stop.wait()
            finally:
                self._stop.set()  # cancelled, as when its event loop ends: nothing can be started any more

                for work in self._works:
                    work.cancel()
