"""The few shapes of concurrency that asyncio and anyio do not bring."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")
U = TypeVar("U")


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


def first_leaf(error: BaseException) -> BaseException:
    """The first real exception inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]

    return error
