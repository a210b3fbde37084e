"""One function on many boards at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import anyio

from ..board.device import RemoteDevice
from ..concurrency import asked_to_end
from .results import Results

T = TypeVar("T")


async def together(
    fn: Callable[[RemoteDevice], Awaitable[T]],
    boards: Sequence[RemoteDevice],
    failed: Mapping[str, Exception],
    left: Callable[[str], None] = lambda name: None,
) -> Results[T]:
    """Call `fn` with each board and wait for all; `failed` is what is known already, `left` is told who has ended."""
    results: dict[str, T] = {}
    failures: dict[str, Exception] = dict(failed)

    async def call(board: RemoteDevice) -> None:
        try:
            answer = fn(board)

            if not isinstance(answer, Awaitable):
                raise TypeError("run() needs an async function; this one returned at once")

            results[board.name] = await answer
        except Exception as error:
            failures[board.name] = error
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise

            failures[board.name] = RuntimeError(f"the function was cancelled from inside ({error!r})")
        finally:
            left(board.name)

    async with anyio.create_task_group() as group:
        for board in boards:
            group.start_soon(call, board)

    names = [board.name for board in boards]
    return Results(
        {name: results[name] for name in names if name in results},
        {name: failures[name] for name in (*names, *failed) if name in failures},
    )
