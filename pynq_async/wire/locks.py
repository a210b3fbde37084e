"""A lock that many may share or one may hold alone."""

import asyncio
from collections import deque


class SharedLock:
    """Many holders together, or one alone; first come, first served.

    Invariant: while anyone holds it alone nobody else holds it, and no one who came later is let in before one who
    came earlier. Whoever starts to wait is queued before its coroutine first suspends, so calls that are started in
    an order are let in in that order.
    """

    def __init__(self) -> None:
        self._sharing = 0
        self._alone = False
        self._queue: deque[tuple[asyncio.Future[None], bool]] = deque()

    def shared(self) -> "Hold":
        """An `async with` block in which others may share."""
        return Hold(self, alone=False)

    def alone(self) -> "Hold":
        """An `async with` block in which nobody else holds the lock."""
        return Hold(self, alone=True)

    def __repr__(self) -> str:
        held = "alone" if self._alone else f"shared by {self._sharing}"
        return f"<SharedLock {held}, {len(self._queue)} waiting>"

    def _admits(self, alone: bool) -> bool:
        return not self._alone and not (alone and self._sharing)

    def _enter(self, alone: bool) -> None:
        self._alone = alone
        self._sharing += not alone

    def _leave(self, alone: bool) -> None:
        if alone:
            self._alone = False
        else:
            self._sharing -= 1

        self._admit_next()

    def _admit_next(self) -> None:
        while self._queue:
            waiter, alone = self._queue[0]

            if not waiter.cancelled():
                if not self._admits(alone):
                    return

                self._enter(alone)
                waiter.set_result(None)

            self._queue.popleft()

    async def _acquire(self, alone: bool) -> None:
        if not self._queue and self._admits(alone):
            self._enter(alone)
            return

        waiter = asyncio.get_running_loop().create_future()
        self._queue.append((waiter, alone))

        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._admit_next()  # it may have been the only one in the way
            else:
                self._leave(alone)  # let in and cancelled in the same turn of the loop

            raise


class Hold:
    """One holder of a `SharedLock`; `release` may be called early and more than once."""

    __slots__ = ("_alone", "_held", "_lock")

    def __init__(self, lock: SharedLock, *, alone: bool) -> None:
        self._lock = lock
        self._alone = alone
        self._held = False

    async def __aenter__(self) -> "Hold":
        await self._lock._acquire(self._alone)  # noqa: SLF001 - the two classes are one idea
        self._held = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.release()

    def hand_over(self) -> "Hold":
        """Pass what is held to a new holder, whom this block's end does not concern."""
        heir = Hold(self._lock, alone=self._alone)
        heir._held, self._held = self._held, False
        return heir

    def release(self) -> None:
        """Give the lock back now instead of at the end of the block."""
        if self._held:
            self._held = False
            self._lock._leave(self._alone)  # noqa: SLF001
