"""The few shapes of concurrency that asyncio and anyio do not bring."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

import anyio
import anyio.to_thread

from .errors import Misuse

T = TypeVar("T")
U = TypeVar("U")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end whatever happens to us; a cancellation arrives when it has ended.

    Invariant: when this returns or raises, `work` is no longer running. `work` must be bounded in time by itself.
    anyio's shields alone do not hold here, since they do not stop `Task.cancel` and `asyncio.timeout`.
    """
    task = asyncio.get_running_loop().create_task(work)
    cancellation: asyncio.CancelledError | None = None

    while not task.done():
        try:
            with anyio.CancelScope(shield=True):
                await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error

    if cancellation is not None:
        if not task.cancelled():
            task.exception()  # seen: it must not be reported as never retrieved

        raise cancellation

    return task.result()


async def in_a_thread(work: Callable[[], T]) -> T:
    """Run blocking `work` in a thread, and to its end: nothing of it goes on behind our back when we are cancelled."""
    return await to_the_end(anyio.to_thread.run_sync(work))


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, width: int) -> None:
    """Run `work` on every item, `width` at a time, begun in order; the first failure ends all and is raised itself."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    try:
        async with anyio.create_task_group() as group:
            for _ in range(width):
                group.start_soon(worker)
    except BaseExceptionGroup as group_error:
        raise first_leaf(group_error) from None


async def both(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Run two coroutines at once; the first failure ends both and is raised itself."""
    results: dict[int, Any] = {}

    async def run(place: tuple[int, Coroutine[Any, Any, Any]]) -> None:
        results[place[0]] = await place[1]

    try:
        await for_each(enumerate((first, second)), run, width=2)
    finally:
        for coroutine in (first, second):
            coroutine.close()  # one that was not begun when the other failed

    return results[0], results[1]


def asked_to_end() -> bool:
    """Whether somebody has cancelled this task; a `CancelledError` has else come from inside the code that it runs."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def deadline(board: str, timeout: float) -> float:
    """When `timeout` seconds from now are over, by anyio's clock; raises `Misuse` unless it is a number."""
    try:
        end = anyio.current_time() + timeout
    except TypeError:
        end = math.nan

    if math.isnan(end):
        raise Misuse(board, f"a timeout is a number of seconds, not {timeout!r}")

    return end


async def acquired(lock: asyncio.Lock, timeout: float) -> bool:
    """Wait for a lock for at most `timeout` seconds; returns whether it is ours now. A free one needs no time."""
    with anyio.move_on_after(timeout):
        await lock.acquire()
        return True

    return False


class Waiter:
    """One task's wait, which others end.

    Attributes:
        done: whether there is nothing to wait for any more.
        woken: set when it is, or when it is this task's turn.
    """

    def __init__(self) -> None:
        self.done = False
        self.woken = asyncio.Event()

    def end(self) -> None:
        """There is nothing to wait for any more."""
        self.done = True
        self.woken.set()


W = TypeVar("W", bound=Waiter)


class Turns(Generic[W]):
    """Those who wait take turns in working for all of them: nothing runs while nobody waits, and nothing is left.

    Invariant: while anyone waits, one of those who wait is at work, or has been woken to begin.

    Args:
        work: one round for all of `waiting`, given the one whose task it runs in; called until that one is done. It may
            be cancelled anywhere, and raises to that one alone.
    """

    def __init__(self, work: Callable[[W], Awaitable[None]]) -> None:
        self.waiting: list[W] = []
        self._work = work
        self._resting = asyncio.Event()
        self._resting.set()

    async def until_done(self, waiter: W) -> None:
        """Wait until `waiter` is done, working for all whenever nobody else does."""
        self.waiting.append(waiter)

        try:
            while not waiter.done:
                if self._resting.is_set():
                    await self._lead(waiter)
                else:
                    waiter.woken.clear()
                    await waiter.woken.wait()
        finally:
            self.waiting.remove(waiter)

            if self.waiting and self._resting.is_set():
                self.waiting[0].woken.set()

    async def rest(self) -> None:
        """Wait until nobody is at work."""
        await self._resting.wait()

    async def _lead(self, waiter: W) -> None:
        self._resting.clear()

        try:
            while not waiter.done:
                await self._work(waiter)
        finally:
            self._resting.set()


class Pauses:
    """How long to pause between looks at something, in seconds: 1 ms at first, then ever longer, up to 50 ms."""

    def __init__(self) -> None:
        self._next = _FIRST_PAUSE

    def restart(self) -> None:
        """Something happened: be fast again."""
        self._next = _FIRST_PAUSE

    def next(self) -> float:
        """The next pause."""
        pause, self._next = self._next, min(2 * self._next, _LONGEST_PAUSE)
        return pause


def first_leaf(error: BaseException) -> BaseException:
    """The first real exception inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]

    return error
