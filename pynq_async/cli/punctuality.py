"""How punctual the event loop is while it works."""

import time
from types import TracebackType

import anyio

_TICK = 0.01


class Punctuality:
    """Ticks every 10 ms inside an `async with`; `latest` is by how many seconds the latest tick came too late."""

    def __init__(self) -> None:
        self.latest = 0.0
        self._group = anyio.create_task_group()

    async def __aenter__(self) -> "Punctuality":
        await self._group.__aenter__()
        self._group.start_soon(self._tick)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._group.cancel_scope.cancel()
        # Nothing of the block is handed to the group: it would come out inside an exception group.
        await self._group.__aexit__(None, None, None)

    async def _tick(self) -> None:
        while True:
            begun = time.perf_counter()
            await anyio.sleep(_TICK)
            self.latest = max(self.latest, time.perf_counter() - begun - _TICK)
