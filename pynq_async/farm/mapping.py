"""`farm.map`: items over whichever board is free.

A worker for each board and one feeder that pulls the items run in the farm's host task, never in the user's loop; the
user only takes results. What is decided is decided by `Jobs` and `Leases`.
"""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Protocol, Self, TypeVar

import anyio

from ..board.device import RemoteDevice
from ..concurrency import asked_to_end, to_the_end
from ..errors import BoardError, FarmError, NotOpen
from .flow import Flow
from .health import board_failure
from .host import Host
from .jobs import Job, Jobs, MapResult
from .leases import Want
from .leasing import Leasing
from .maps import FarmMap, Plan
from .statistics import Tally

Item = TypeVar("Item")
Value = TypeVar("Value")


class Ground(Protocol):
    """What a map needs of its farm."""

    host: Host
    leasing: Leasing
    tally: Tally
    maps: "set[LocalMap[Any, Any]]"
    absent: dict[str, BoardError]

    def suspect(self, error: BoardError) -> None:
        """A board has failed."""


class LocalMap(FarmMap[Item, Value]):
    """A map over the boards of this process, which fails after `patience` seconds without any."""

    def __init__(self, ground: Ground, plan: Plan, patience: float) -> None:
        self.failures: dict[str, Exception] = {}
        self._ground = ground
        self._plan = plan
        self._patience = patience
        self._jobs = jobs = Jobs(ordered=plan.ordered, attempts=plan.attempts)
        self._want = plan.want
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._feeder: asyncio.Task[None] | None = None
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._current: dict[str, Job] = {}  # what each board works on
        self._lost: dict[str, BoardError] = {}
        self._idle: dict[asyncio.Future[None], None] = {}  # in the order they came
        self._flow = Flow[Item, Value](jobs, plan.items, plan.ahead, lambda: len(self._workers), self._added)
        self._giving_up: asyncio.TimerHandle | None = None
        self._state = "new"

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise NotOpen("the farm", "a map is entered once; ask for another one")

        leases = self._ground.leasing.leases
        leases.check(self._want)
        self._feeder = self._ground.host.start(self._flow.feed(), "items")
        self._state = "open"
        self._ground.maps.add(self)

        for name in sorted(leases.fitting(self._want)):
            self.join(name)

        self._check_left()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._state = "closed"
        self._ground.maps.discard(self)

        if self._giving_up is not None:
            self._giving_up.cancel()

        tasks = {name: task for name, task in (("", self._feeder), *self._workers.items()) if task is not None}

        for task in tasks.values():
            task.cancel()

        # What a lost board was doing can take long to give up; the farm waits for that when it is closed.
        await to_the_end(_end([task for name, task in tasks.items() if name not in self._lost]))

    async def __anext__(self) -> MapResult[Item, Value]:
        if self._state != "open":
            raise NotOpen("the farm", "the results of a map are taken inside of 'async with farm.map(...) as results'")

        return await self._flow.result()

    def join(self, name: str) -> None:
        """A board of the farm can be used now; called by the farm."""
        if name in self._ground.leasing.leases.fitting(self._want) and name not in self._workers:
            self._workers[name] = self._ground.host.start(self._work(name), f"map on {name}")

    def found(self, name: str) -> None:
        """A board answers again; called by the farm."""
        self._lost.pop(name, None)
        self.join(name)
        self._wake()
        self._check_left()

    def lost(self, name: str, error: BoardError) -> None:
        """A board does not answer: what it was doing is tried elsewhere; called by the farm."""
        if name in self._workers:
            self._lost[name] = error

            if (job := self._current.pop(name, None)) is not None:
                self._again(job, name, error)  # now: the function may take long to give up

            if (scope := self._scopes.get(name)) is not None:
                scope.cancel()

        self._wake()
        self._check_left()

    def fail(self, error: Exception) -> None:
        """End the results with an error; called by the farm when it is closed."""
        self._flow.fail(error)

    # The worker of a board.

    async def _work(self, name: str) -> None:
        leasing, want = self._ground.leasing, Want(names=frozenset({name}), priority=self._want.priority)

        try:
            while not self._jobs.over and name not in self.failures:
                grant = await leasing.acquire(want, self._plan.holder)

                try:
                    await self._hold(grant.boards[0])
                finally:
                    await leasing.give_back(grant)
        except Exception as error:
            self.fail(error)

    async def _hold(self, board: RemoteDevice) -> None:
        """Work with a board until there is nothing to do, it fails, or somebody else has waited long enough."""
        with anyio.CancelScope() as scope:
            self._scopes[board.name] = scope

            try:
                await self._use(board)
            finally:
                del self._scopes[board.name]

    async def _use(self, board: RemoteDevice) -> None:
        name = board.name
        job = await self._next(name)

        if job is None:
            return

        try:
            async with AsyncExitStack() as stack:
                argument = await _entered(stack, self._plan.setup(board)) if self._plan.setup is not None else board
                until = time.monotonic() + self._plan.turn

                while job is not None:
                    current, job = job, None

                    if not await self._do(current, argument, name):
                        break

                    if time.monotonic() > until and self._contended(name):
                        break

                    job = await self._next(name)
        except asyncio.CancelledError as error:
            if asked_to_end():
                self._again(job, name, self._lost.get(name))
                raise

            self._setup_failed(job, name, RuntimeError(f"setup was cancelled from inside ({error!r})"))
        except Exception as error:
            if (failure := board_failure(error, name)) is not None:
                self._again(job, name, failure)
                self._ground.suspect(failure)
            else:
                self._setup_failed(job, name, error)

    def _setup_failed(self, job: Job | None, name: str, error: Exception) -> None:
        self._again(job, name, None)
        self.failures[name] = error
        self._check_left()

    async def _do(self, job: Job, argument: Any, name: str) -> bool:
        """Call the function; whether the board has served."""
        begun = time.monotonic()
        limit = asyncio.timeout(self._plan.timeout)
        self._current[name] = job
        failure: BoardError | None = None
        value: Any = None
        problem: Exception | None = None

        try:
            async with limit:
                answer = self._plan.fn(argument, job.item)

                if not isinstance(answer, Awaitable):
                    raise TypeError("map() needs an async function; this one returned at once")

                value = await answer
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise

            problem = RuntimeError(f"the function was cancelled from inside ({error!r})")
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                problem = TimeoutError(f"{name}: the function did not end within {self._plan.timeout:g} s")
            elif (failure := board_failure(error, name)) is None:
                problem = error

        if self._current.pop(name, None) is not job:
            return False  # moved already

        if failure is not None:
            self._again(job, name, failure)
            self._ground.suspect(failure)
            return False

        self._ground.tally.item(name, "failed" if problem else "done", time.monotonic() - begun)
        self._jobs.done(job, name, value, problem)
        self._settled()
        return True

    async def _next(self, name: str) -> Job | None:
        """Wait for an item; None when there will be none, or somebody else should have the board."""
        while not self._jobs.over:
            if (job := self._jobs.take(name, self._elsewhere)) is not None:
                self._flow.eat()
                return job

            idle = asyncio.get_running_loop().create_future()
            self._idle[idle] = None

            try:
                with anyio.move_on_after(self._plan.turn) as patience:
                    await idle
            except asyncio.CancelledError:
                self._wake(one=True)  # in our place, if it was us who was woken
                raise
            finally:
                del self._idle[idle]

            if patience.cancelled_caught and self._contended(name):
                return None

        return None

    def _again(self, job: Job | None, name: str, error: BoardError | None) -> None:
        """The board failed under an item, or nothing came of it for another reason."""
        if job is None:
            return

        if error is None:
            self._jobs.put_back(job)
        else:
            self._jobs.again(job, name, error, self._elsewhere)
            self._ground.tally.item(name, "moved", 0)

        self._settled()

    def _added(self) -> None:
        self._wake(one=not self._jobs.exhausted)

    def _settled(self) -> None:
        self._flow.settled()

        if self._jobs.over or self._jobs.ready:
            self._wake()

    def _wake(self, *, one: bool = False) -> None:
        for idle in self._idle:
            if not idle.done():
                idle.set_result(None)

                if one:
                    return

    def _contended(self, name: str) -> bool:
        return self._ground.leasing.leases.contended(name, self._want.priority)

    def _elsewhere(self, job: Job) -> bool:
        """Whether a board is left on which an item was not tried; one that is only suspected may be."""
        boards = self._workers.keys() - self.failures.keys() - self._ground.absent.keys()
        return not boards.issubset(job.tried)

    @property
    def _left(self) -> list[str]:
        """The boards that work or could."""
        leases = self._ground.leasing.leases
        return [name for name in self._workers if name not in self.failures and not leases.is_aside(name)]

    def _check_left(self) -> None:
        """Fail when no board is left: at once when each has failed in `setup`, else after a time."""
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

        if self._left:
            return

        if self._workers and len(self.failures) == len(self._workers):
            self._give_up()
        else:
            self._giving_up = asyncio.get_running_loop().call_later(self._patience, self._give_up)

    def _give_up(self) -> None:
        fitting = self._ground.leasing.leases.fitting(self._want)
        absent = {name: error for name, error in self._ground.absent.items() if name in fitting}
        self.fail(FarmError({**absent, **self.failures}, {}))


async def _entered(stack: AsyncExitStack, thing: Any) -> Any:
    """What `setup` gives: entered when it can be, so that it is left when the board is given back; else awaited."""
    if isinstance(thing, AbstractAsyncContextManager):
        return await stack.enter_async_context(thing)

    return await thing


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    if tasks:
        await asyncio.wait(tasks)
