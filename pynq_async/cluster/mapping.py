"""`ClusterFarm.map`: every item is a task of Dask, which finds the worker; here it is only asked for and answered."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from distributed import Future
from distributed.scheduler import KilledWorker
from distributed.utils import CancelledError as Forgotten

from ..concurrency import to_the_end
from ..errors import ConnectionLost, FarmError, InvalidArgument, NotOpen
from ..farm.flow import Flow
from ..farm.host import Host
from ..farm.jobs import Job, Jobs, MapResult
from ..farm.leases import Want
from ..farm.maps import FarmMap, Plan
from .parcels import Answer, Offer, Ticket, packed, resource_of, unpacked_outcome
from .scheduler import Scheduler
from .tasks import end_map, offer, run_item

Item = TypeVar("Item")
Value = TypeVar("Value")

_LOOK = 1.0  # seconds between looks at which workers there are and what they have


@dataclass(eq=False, slots=True)
class _Errand:
    """An item on its way through the cluster.

    Attributes:
        spent: the workers and boards that have failed under it.
        workers: those it was restricted to, if it was.
        future: Dask's, while it is under way.
        moved: whether Dask was told to forget it so that it can be begun anew.
    """

    job: Job
    spent: list[tuple[str, str]] = field(default_factory=list)
    workers: frozenset[str] | None = None
    future: Future | None = None
    moved: bool = False


class ClusterMap(FarmMap[Item, Value]):
    """A map over the boards of all workers, which fails after `patience` seconds without any."""

    def __init__(
        self,
        scheduler: Scheduler,
        host: Host,
        maps: "set[ClusterMap[Any, Any]]",
        ticket: Ticket,
        plan: Plan,
        patience: float,
    ) -> None:
        self.failures: dict[str, Exception] = {}
        self._scheduler = scheduler
        self._host = host
        self._maps = maps
        self._ticket = ticket
        self._jobs = jobs = Jobs(ordered=plan.ordered, attempts=plan.attempts)
        self._flow = Flow[Item, Value](jobs, plan.items, plan.ahead, lambda: self._width, self._added)
        self._patience = patience
        self._resource = resource_of(ticket.want)
        self._supply: dict[str, int] = {}  # the boards of each worker that answer
        self._boards: dict[str, frozenset[str]] = {}  # all those of each worker that would do
        self._barred: set[str] = set()  # the workers where `setup` has failed on every board
        self._errands: set[_Errand] = set()
        self._works: set[asyncio.Task[None]] = set()
        self._begun = 0
        self._changed = asyncio.Event()
        self._idle_since: float | None = None
        self._state = "new"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise NotOpen("the farm", "a map is entered once; ask for another one")

        self._state = "entered"
        self._check(await self._ask_for_boards(None))
        self._state = "open"
        self._maps.add(self)
        self._start(self._look(), "workers")
        self._start(self._flow.feed(), "items")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.end()

    async def __anext__(self) -> MapResult[Item, Value]:
        if self._state != "open":
            raise NotOpen("the farm", "the results of a map are taken inside of 'async with farm.map(...) as results'")

        return await self._flow.result()

    def fail(self, error: Exception) -> None:
        """End the results with an error; called by the farm when it is closed."""
        self._flow.fail(error)

    async def end(self) -> None:
        """Cancel what is under way, and wait until the workers have their boards back."""
        if self._state == "open":
            self._state = "closed"
            self._maps.discard(self)
            await to_the_end(self._end())

    # Which workers there are.

    @property
    def _width(self) -> int:
        return sum(count for worker, count in self._supply.items() if worker not in self._barred)

    async def _ask_for_boards(self, workers: Iterable[str] | None) -> dict[str, Offer]:
        """Have workers offer the boards that would do; returns those that have boards."""
        want = self._ticket.want
        # Which map goes first is no property of a board.
        asked = Want(1, want.names, want.model, want.family, want.tags)
        offers: dict[str, Offer] = await self._scheduler.on_workers(offer, asked, workers=workers)

        for worker, found in offers.items():
            self._boards[worker] = frozenset(found.boards)
            self._supply[worker] = found.supply

        return offers

    def _check(self, offers: dict[str, Offer]) -> None:
        if not offers:
            raise InvalidArgument(
                "no worker of the Dask cluster has boards; start workers beside them: "
                "dask worker ADDRESS --preload pynq_async.cluster.preload --inventory FILE"
            )

        if not any(found.boards for found in offers.values()):
            known = "; ".join(f"{worker} has {', '.join(found.known)}" for worker, found in sorted(offers.items()))
            raise InvalidArgument(f"a map over {self._resource} can never be met by the boards of the cluster: {known}")

    async def _look(self) -> None:
        """Look now and then at which workers there are: Dask tells nobody."""
        try:
            while True:
                await asyncio.sleep(_LOOK)
                there = await self._scheduler.resources()

                if new := [name for name, has in there.items() if "board" in has and self._resource not in has]:
                    await self._ask_for_boards(new)

                self._supply = {
                    name: int(has.get(self._resource, self._supply.get(name, 0)))
                    for name, has in there.items()
                    if name in self._boards
                }
                self._barred.intersection_update(there)
                self._news()
                await self._free_the_stuck()
                self._check_left()
        except Exception as error:
            self.fail(error)

    async def _free_the_stuck(self) -> None:
        """Begin anew what waits for workers that are gone, or have no board left."""
        for errand in list(self._errands):
            if errand.workers is None or errand.future is None or errand.future.done():
                continue

            if not any(self._supply.get(worker) for worker in errand.workers):
                errand.moved = True
                await self._scheduler.cancel(errand.future)

    def _news(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        self._flow.eat()

    def _check_left(self) -> None:
        """Fail when no board is left: at once when each has failed in `setup`, else after a time."""
        now = time.monotonic()
        self._idle_since = None if self._width else (self._idle_since or now)

        if self._width or self._jobs.over:
            return

        setup_failed = bool(self._barred) and self._barred.issuperset(self._supply)

        if setup_failed or (self._idle_since is not None and now - self._idle_since > self._patience):
            absent = {
                board: ConnectionLost(board, f"neither the board nor its Dask worker {worker} answers")
                for worker, boards in self._boards.items()
                for board in boards
            }
            self.fail(FarmError({**absent, **self.failures} if not setup_failed else self.failures, {}))

    # The way of an item.

    def _added(self) -> None:
        while (job := self._jobs.take("", lambda job: True)) is not None:
            self._start(self._do(_Errand(job)), f"item {job.index}")

    async def _do(self, errand: _Errand) -> None:
        job = errand.job
        self._errands.add(errand)

        try:
            item = packed(job.item, "the item")

            while not await self._try(errand, item):
                pass
        except InvalidArgument as error:
            self._jobs.done(job, "", None, error)
        except Exception as error:
            self.fail(error)
        finally:
            self._errands.discard(errand)
            self._flow.settled()

    async def _try(self, errand: _Errand, item: bytes) -> bool:
        """Have the item done somewhere; whether it has ended."""
        while not self._where(errand):
            await self._changed.wait()

        self._begun += 1
        key, where = f"{self._ticket.map}-{errand.job.index}-{self._begun}", self._where(errand)
        errand.workers = where if where != frozenset(self._supply) else None
        errand.moved = False
        errand.future = future = self._scheduler.submit(
            run_item,
            self._ticket,
            key,
            item,
            tuple(errand.spent),
            key=key,
            workers=errand.workers,
            resources={self._resource: 1},
            priority=self._ticket.want.priority,
        )

        try:
            answer: Answer = await future
        except Forgotten:
            if not errand.moved:
                raise self._scheduler.gone() from None

            return False
        except KilledWorker as error:
            worker = getattr(error.last_worker, "address", "")
            lost = ConnectionLost(
                f"the Dask worker {worker}",
                "it was lost, as were those before it that this item ran on; does the function end the process?",
            )
            self._jobs.done(errand.job, "", None, lost)
            return True
        except Exception as error:
            problem = InvalidArgument(
                f"a Dask worker could not run the item: {type(error).__name__}: {error}; is this version of pynq-async "
                "installed there?"
            )
            problem.__cause__ = error
            self._jobs.done(errand.job, "", None, problem)
            return True
        finally:
            errand.future = None
            future.release()

        return self._answered(errand, answer)

    def _where(self, errand: _Errand) -> frozenset[str]:
        """The workers to which an item may go; where it was not tried on every board, if there are such."""
        usable = {worker for worker, count in self._supply.items() if count and worker not in self._barred}
        fresh = {
            worker for worker in usable if any((worker, board) not in errand.spent for board in self._boards[worker])
        }
        return frozenset(fresh or usable)

    def _answered(self, errand: _Errand, answer: Answer) -> bool:
        job = errand.job

        if answer.failures is not None:
            self.failures.update(unpacked_outcome(answer.failures, answer.worker)[0] or {})

        if answer.refused:
            self._barred.add(answer.worker)
            self._check_left()
            return False

        value, error = unpacked_outcome(answer.outcome, answer.board)
        errand.spent += [(answer.worker, board) for board in answer.tried]

        if not answer.moves or error is None:
            job.tried.extend(answer.tried)
            self._jobs.done(job, answer.board, value, error)
            return True

        job.tried.extend(answer.tried[:-1])
        again = self._jobs.again(job, answer.board, error, lambda job: True)

        if again:
            self._jobs.take("", lambda job: True)

        return not again

    def _start(self, work: Any, name: str) -> None:
        task = self._host.start(work, f"{self._ticket.map}: {name}")
        self._works.add(task)
        task.add_done_callback(self._works.discard)

    async def _end(self) -> None:
        works = list(self._works)

        for task in works:
            task.cancel()

        if works:
            await asyncio.wait(works)

        with suppress(ConnectionLost):  # then the workers find out by themselves
            await self._scheduler.on_workers(end_map, self._ticket.map)
