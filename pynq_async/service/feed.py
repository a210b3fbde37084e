"""What happens, for everybody who watches: each event is written once, however many watch."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from .problems import Refusal, stopping

_QUEUE = 1024
_KEEP_ALIVE = 15.0


class Feed:
    """Server-sent events for any number of watchers.

    A watcher who does not take what happens in time is let go; on asking again it is told how everything is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._watchers: set[_Watcher] = set()
        self._somebody = asyncio.Event()
        self._over = False

    def __len__(self) -> int:
        return len(self._watchers)

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell all who watch; nothing is written when nobody does."""
        if self._watchers:
            event = written(kind, data)

            for watcher in list(self._watchers):
                if not watcher.offer(event):
                    self._leave(watcher)

    async def somebody(self) -> None:
        """Wait until anybody watches."""
        await self._somebody.wait()

    def watch(self, first: Callable[[], bytes], allowed: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        """A stream that begins with `first`, taken when it is begun, and ends when it is not `allowed` any more.

        Raises `Refusal` when too many watch.
        """
        if self._over:
            raise stopping()

        if len(self._watchers) >= self._most:
            raise Refusal(503, "too-many-watchers", f"{self._most} watch already", {"Retry-After": "10"})

        return self._stream(first, allowed)

    def close(self) -> None:
        """Let everybody go."""
        self._over = True

        for watcher in list(self._watchers):
            self._leave(watcher)

    async def _stream(self, first: Callable[[], bytes], allowed: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
        watcher = _Watcher()
        self._watchers.add(watcher)
        self._somebody.set()

        try:
            yield first()

            while (text := await watcher.next()) is not None and allowed():
                yield text
        finally:
            self._leave(watcher)

    def _leave(self, watcher: "_Watcher") -> None:
        self._watchers.discard(watcher)
        watcher.end()

        if not self._watchers:
            self._somebody.clear()


class _Watcher:
    def __init__(self) -> None:
        self._events: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._over = False

    def offer(self, event: bytes) -> bool:
        if len(self._events) >= _QUEUE:
            return False

        self._events.append(event)
        self._news.set()
        return True

    def end(self) -> None:
        self._over = True
        self._news.set()

    async def next(self) -> bytes | None:
        """All that has come by now, a comment when nothing has for a while, None at the end."""
        if not self._events and not self._over:
            self._news.clear()

            try:
                async with asyncio.timeout(_KEEP_ALIVE):
                    await self._news.wait()
            except TimeoutError:
                return b": still here\n\n"

        if not self._events:
            return None

        text = b"".join(self._events)
        self._events.clear()
        return text


def written(kind: str, data: Mapping[str, Any]) -> bytes:
    """An event as `text/event-stream` has it (WHATWG HTML, server-sent events)."""
    return f"event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()
