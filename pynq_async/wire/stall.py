"""Noticing a stream in which nothing moves any more."""

import asyncio
from typing import Any


class StallWatch:
    """Cancels a streaming call in which nothing moves; costs a clock reading a message."""

    def __init__(self, call: Any, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._seconds = seconds
        self._last = self._loop.time()
        self._timer = self._loop.call_later(seconds, self._check)
        self.stalled = False

    def progressed(self) -> None:
        """Something moved."""
        self._last = self._loop.time()

    def allow(self, share: float) -> None:
        """Give the rest this share of the time on top: what is on its way in buffers shows no progress."""
        self._seconds *= 1 + share
        self.progressed()

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _check(self) -> None:
        left = self._last + self._seconds - self._loop.time()

        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        else:
            self.stalled = True
            self._call.cancel()
