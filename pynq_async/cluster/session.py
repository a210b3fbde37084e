"""A map of a cluster on one worker: a map of the worker's own farm, whose items Dask brings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any

import anyio

from ..farm.jobs import Guest, MapResult
from ..farm.mapping import Ground, LocalMap
from ..farm.maps import Plan
from .parcels import Ticket, unpacked


@dataclass(eq=False, slots=True)
class Visit(Guest):
    """An item on this worker, and who waits for what becomes of it."""

    result: asyncio.Future[MapResult[Any, Any]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def leave(self) -> None:
        """Nobody waits any more: do not begin, or end at once."""
        self.scope.cancel()
        self.result.cancel()


class Session:
    """Runs until it is cancelled, there was nothing to do for `linger` seconds, or no board is left.

    Attributes:
        over: whether it takes no more items.
        results: the map of this worker's farm.
    """

    def __init__(self, ground: Ground, ticket: Ticket, linger: float) -> None:
        self.over = False
        self._fn, setup = unpacked(ticket.work, "the function, or its setup,")
        self._linger = linger
        self._come: asyncio.Queue[Visit] = asyncio.Queue()
        self._here: set[Visit] = set()
        # Without patience: when no board is left here, there may be some elsewhere.
        plan = Plan(
            self._call,
            setup,
            self._visits(),
            ticket.want,
            ordered=False,
            attempts=ticket.attempts,
            timeout=ticket.timeout,
            ahead=4,
            turn=ticket.turn,
            holder=ticket.holder,
        )
        self.results: LocalMap[Visit, Any] = LocalMap(ground, plan, patience=0)

    async def serve(self, visit: Visit) -> MapResult[Any, Any]:
        """Have an item done; raises what ended the session."""
        self._here.add(visit)
        self._come.put_nowait(visit)

        try:
            return await visit.result
        finally:
            self._here.discard(visit)

    async def run(self) -> None:
        """Do the items."""
        error: Exception = asyncio.InvalidStateError("the session has ended")

        try:
            async with self.results as results:
                async for result in results:
                    if not result.item.result.done():
                        result.item.result.set_result(result)
        except Exception as problem:
            error = problem
        finally:
            self.over = True

            for visit in self._here:
                if not visit.result.done():
                    visit.result.set_exception(error)

    async def _visits(self) -> AsyncIterator[Visit]:
        while True:
            try:
                async with asyncio.timeout(self._linger):
                    visit = await self._come.get()
            except TimeoutError:
                if not self._here:
                    self.over = True
                    return
            else:
                yield visit

    def _call(self, tool: Any, visit: Visit) -> Any:
        if visit.scope.cancel_called:
            return asyncio.sleep(0)

        answer = self._fn(tool, visit.item)
        return _until_left(visit, answer) if isinstance(answer, Awaitable) else answer


async def _until_left(visit: Visit, work: Awaitable[Any]) -> Any:
    with anyio.CancelScope() as visit.scope:
        return await work
