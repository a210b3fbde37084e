"""Tables that the real server searches and changes on many threads without a lock (H1)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from .counters import Counters

_CHANGE = 0.0005


class UnlockedTable:
    """Notices calls that overlap in time on one table while at least one of them changes it.

    `suffer` is awaited once for each race; it does not return when the race kills the server.
    """

    def __init__(
        self, name: str, counters: Counters, window: float | None, suffer: Callable[[str], Awaitable[None]] | None
    ) -> None:
        self._name = name
        self._counters = counters
        self._search_seconds = window or 0.0
        self._change_seconds = _CHANGE if window is None else window
        self._suffer = suffer
        self._inside: dict[object, tuple[str, bool]] = {}

    @asynccontextmanager
    async def search(self, who: str) -> AsyncIterator[None]:
        """Be inside the table to look something up."""
        async with self._stay(who, changes=False):
            yield

    @asynccontextmanager
    async def change(self, who: str) -> AsyncIterator[None]:
        """Be inside the table to insert or erase."""
        async with self._stay(who, changes=True):
            yield

    @asynccontextmanager
    async def _stay(self, who: str, *, changes: bool) -> AsyncIterator[None]:
        against = [other for other, changing in self._inside.values() if changes or changing]
        token = object()
        self._inside[token] = (who, changes)

        try:
            if against:
                race = f"{self._name}: {who} against {', '.join(against)}"
                self._counters.races += 1
                self._counters.race_log.append(race)

                if self._suffer is not None:
                    await self._suffer(race)

            # The real search takes nanoseconds on a thread of its own; here calls can only overlap where one waits.
            await asyncio.sleep(self._change_seconds if changes else self._search_seconds)
            yield
        finally:
            del self._inside[token]
