"""What goes into a map and what comes out: items are pulled as there is room for them, and results are taken."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, Generic, TypeVar

from ..concurrency import asked_to_end
from .jobs import Jobs, MapResult

Item = TypeVar("Item")
Value = TypeVar("Value")


class Flow(Generic[Item, Value]):
    """Feeds the jobs of a map, and hands out their results.

    Args:
        jobs: where items are put, and results found.
        items: where they come from; may be without an end.
        ahead: items that may be under way, or wait for their results to be taken, for each of `width`.
        width: how many boards work now.
        added: called after an item was put in, and when there will be no more.
    """

    def __init__(
        self,
        jobs: Jobs,
        items: Iterable[Item] | AsyncIterable[Item],
        ahead: int,
        width: Callable[[], int],
        added: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._items = items
        self._ahead = ahead
        self._width = width
        self._added = added
        self._hungry = asyncio.Event()
        self._news = asyncio.Event()
        self._error: Exception | None = None

    def eat(self) -> None:
        """There may be room for another item."""
        self._hungry.set()

    def settled(self) -> None:
        """An item has ended."""
        self._news.set()

    def fail(self, error: Exception) -> None:
        """End the results with an error, after those that are there."""
        self._error = self._error or error
        self._news.set()

    async def feed(self) -> None:
        """Pull the items; an error of theirs ends the results."""
        items = self._items
        iterator: Any = None

        try:
            iterator = aiter(items) if isinstance(items, AsyncIterable) else iter(items)

            while True:
                while self._full():
                    self._hungry.clear()
                    await self._hungry.wait()

                if isinstance(items, AsyncIterable):
                    self._jobs.add(await anext(iterator))
                else:
                    self._jobs.add(next(iterator))

                self._added()
        except (StopIteration, StopAsyncIteration):
            pass
        except asyncio.CancelledError as error:
            if asked_to_end():
                raise

            self.fail(RuntimeError(f"the items were cancelled from inside ({error!r})"))
        except Exception as error:
            self.fail(error)
        finally:
            self._jobs.exhausted = True
            self._news.set()
            self._added()

            try:
                if isinstance(items, AsyncIterable) and (close := getattr(iterator, "aclose", None)) is not None:
                    await close()
            except Exception as error:
                self.fail(error)

    async def result(self) -> MapResult[Item, Value]:
        """Wait for the next result; raises `StopAsyncIteration` after the last."""
        while True:
            if (result := self._jobs.next_result()) is not None:
                self._hungry.set()
                return result

            if self._error is not None:
                raise self._error

            if self._jobs.over:
                raise StopAsyncIteration

            self._news.clear()
            await self._news.wait()

    def _full(self) -> bool:
        width = max(self._width(), 1)
        return self._jobs.ready >= width or self._jobs.ahead >= self._ahead * width
