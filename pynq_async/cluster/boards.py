"""The boards of a Dask worker: opened in its event loop and offered as its resources."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from distributed import Reschedule, Worker, WorkerPlugin
from distributed.core import Status

from ..concurrency import to_the_end
from ..errors import InvalidArgument, PynqError
from ..farm import BoardFarm, BoardJoined, BoardLost, FarmStatistics
from ..farm.health import board_failure
from ..farm.host import Host
from ..farm.leases import Want
from ..farm.lending import parts
from .parcels import Answer, Offer, Ticket, packed_error, packed_outcome, resource_of, unpacked
from .session import Session, Visit

NAME = "pynq-async"

_REGISTERED = (Status.running, Status.paused, Status.closing_gracefully)
_TELL = 10.0  # seconds that the scheduler may take to answer
_ENDED = 256  # maps that are remembered, so that an item that comes late begins nothing


def boards_of_the_environment() -> BoardFarm:
    """The boards of `PYNQ_REMOTE_DEVICES`, those that answer now or later."""
    return BoardFarm.from_env(require=0, exclusive=True)


class WorkerBoards(WorkerPlugin):  # type: ignore[misc]
    """Gives a Dask worker the boards beside it; `dask worker --preload pynq_async.cluster.preload` does the same.

        async with Worker(scheduler, plugins=[WorkerBoards(lambda: BoardFarm("192.168.2.99"))]):
            ...

    The worker offers one of the resource `board` for each board that answers, and one of others, such as
    `board with tag camera`, for maps that ask for more. A board belongs to one worker.

    Args:
        make: makes the farm, in the worker's process; the boards of `PYNQ_REMOTE_DEVICES` unless told.
        linger: seconds that a map keeps its boards set up while it has no items for this worker.
    """

    name = NAME

    def __init__(self, make: Callable[[], BoardFarm] = boards_of_the_environment, *, linger: float = 10.0) -> None:
        self._make = make
        self._linger = linger

    @property
    def is_open(self) -> bool:
        """Whether the boards are there."""
        return hasattr(self, "farm") and not self._closed

    async def setup(self, worker: Worker) -> None:
        """Open the boards; called by Dask."""
        self._worker = worker
        self._threads: int = worker.state.nthreads
        self._wants: dict[str, Want] = {}
        self._told: dict[str, int] = {}  # how many boards the scheduler knows of
        self._sessions: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._visits: dict[str, Visit] = {}
        self._ended: dict[str, None] = {}
        self._telling = asyncio.Lock()
        self._closed = False
        self._host = Host()
        self.farm = await self._make()
        await self._host.open()
        self._host.start(self._follow(), "boards of a worker")
        await self.offer(Want())

    async def teardown(self, worker: Worker) -> None:
        """End all work and close the boards; called by Dask."""
        if self.is_open:
            await to_the_end(self._close())

    def transition(self, key: Any, start: str, finish: str, **more: Any) -> None:
        """End an item that nobody waits for any more: Dask does not cancel what runs. Called by Dask."""
        ended = start in ("executing", "long-running") and finish in ("released", "cancelled", "forgotten")

        if ended and (visit := self._visits.get(str(key))) is not None:
            visit.leave()

    async def offer(self, want: Want) -> Offer:
        """Offer the boards that meet `want` as a resource from now on."""
        leases = parts(self.farm).leasing.leases
        self._wants[resource_of(want)] = want
        await self._tell()
        return Offer(tuple(sorted(leases.fitting(want))), self._supply(want), leases.described())

    async def serve(self, ticket: Ticket, key: str, item: bytes, spent: tuple[tuple[str, str], ...]) -> Answer:
        """Do an item; `spent` are the workers and boards that have failed under it."""
        address: str = self._worker.contact_address

        try:
            session = self._session(ticket)
            content = unpacked(item, "an item")
        except InvalidArgument as error:
            return Answer(address, outcome=packed_error(error, f"the worker {address}"))

        tried = [board if worker == address else f"{worker} {board}" for worker, board in spent]
        visit = self._visits[key] = Visit(content, tried)

        try:
            result = await session.serve(visit)
        except (PynqError, asyncio.InvalidStateError):
            failures = session.results.failures

            if failures:
                return Answer(address, failures=_packed_failures(failures), refused=True)

            await self._tell()
            raise Reschedule from None  # no board is left here
        except asyncio.CancelledError:
            visit.leave()
            raise
        finally:
            del self._visits[key]

        failures = session.results.failures
        return Answer(
            address,
            result.board,
            packed_outcome(result.returned, result.error, result.board),
            tuple(tried[len(spent) :]),
            result.error is not None and board_failure(result.error, result.board) is not None,
            _packed_failures(failures) if failures else None,
        )

    async def end(self, map_name: str) -> None:
        """A map has ended: give its boards back, and do not begin it again."""
        self._ended[map_name] = None

        while len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]

        if (found := self._sessions.pop(map_name, None)) is not None:
            found[1].cancel()
            await asyncio.wait([found[1]])

    def statistics(self) -> FarmStatistics:
        """What the worker's farm has done."""
        return self.farm.statistics()

    def _session(self, ticket: Ticket) -> Session:
        if ticket.map in self._ended:
            raise InvalidArgument(f"the map {ticket.map} has ended")

        found = self._sessions.get(ticket.map)

        if found is None or found[0].over:
            session = Session(parts(self.farm), ticket, self._linger)
            task = self._host.start(session.run(), f"map {ticket.map}")
            found = self._sessions[ticket.map] = session, task
            task.add_done_callback(lambda task: self._forget(ticket.map, task))

        return found[0]

    def _forget(self, map_name: str, task: asyncio.Task[None]) -> None:
        if (found := self._sessions.get(map_name)) is not None and found[1] is task:
            del self._sessions[map_name]

    async def _follow(self) -> None:
        async with self.farm.events() as events:
            await self._tell()

            async for event in events:
                if isinstance(event, BoardLost | BoardJoined):
                    await self._tell()

    def _supply(self, want: Want) -> int:
        if self._closed:
            return 0

        leases = parts(self.farm).leasing.leases
        return sum(not leases.is_aside(name) for name in leases.fitting(want))

    async def _tell(self) -> None:
        """Have the scheduler know how many boards there are.

        The worker's own number never falls: what Dask has sent here must be begun, to be sent elsewhere. Items that had
        no board anywhere are looked at again by the scheduler when a worker goes on after a pause.
        """
        async with self._telling:
            state = self._worker.state
            supply = {resource: self._supply(want) for resource, want in self._wants.items()}
            grown = any(count > self._told.get(resource, 0) for resource, count in supply.items())
            self._told = supply

            for resource, count in supply.items():
                more = max(count - state.total_resources.get(resource, 0), 0)
                state.total_resources[resource] = state.total_resources.get(resource, 0) + more
                state.available_resources[resource] = state.available_resources.get(resource, 0) + more

            # Asynchronous tasks need no thread, but Dask runs no more of them than there are threads.
            needed = int(sum(state.total_resources[resource] for resource in self._wants))
            state.nthreads = max(self._threads, needed)

            if self._worker.status not in _REGISTERED:
                return  # it brings the numbers along when it registers

            # Should the scheduler be gone, so is the worker soon.
            with contextlib.suppress(OSError, KeyError):  # TimeoutError is an OSError
                async with asyncio.timeout(_TELL):
                    await self._worker.scheduler.set_resources(resources=supply, worker=self._worker.contact_address)

            if grown and self._worker.status == Status.running:
                self._worker.status = Status.paused
                self._worker.status = Status.running

    async def _close(self) -> None:
        self._closed = True

        try:
            await self._tell()
        finally:
            await self._host.aclose()
            await self.farm.aclose()


def _packed_failures(failures: dict[str, Exception]) -> bytes:
    return packed_outcome(dict(failures), None, "this worker")
