"""Waiting for what an IP's registers show, by its interrupt where there is one."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping

import anyio

from ...board.interrupts import InterruptPin
from ...errors import NotSupported, OutcomeUnknown

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05

Look = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
Arm = Callable[[Collection[int]], Awaitable[bool]]


class Waiter:
    """One task's wait until the value called `key` is as it wants it; `value` is what was seen last."""

    def __init__(self, key: int, holds: Callable[[int], bool]) -> None:
        self.key = key
        self.value: int | None = None
        self.done = False
        self.woken = asyncio.Event()
        self._holds = holds

    def see(self, value: int) -> None:
        """Take note of a value."""
        if not self.done:
            self.value = value
            self.done = self._holds(value)

        if self.done:
            self.woken.set()


class Watch:
    """Any number of tasks wait for the values of one IP, and one of them does the looking for all.

    So an interrupt is acknowledged by one task alone, and nobody misses what it announced. Whoever comes has the one at
    work look again, since what it has seen may be from before.

    Args:
        look: gives the values of these keys as they are now; it first acknowledges the interrupt, so that whatever
            changes afterwards raises it again.
        arm: enables the interrupt for these keys; returns whether it was not enabled before, when it is time to look
            again.
        pin: the interrupt; without one, or where the board cannot wait for it, it looks again and again.
    """

    def __init__(self, look: Look, arm: Arm, pin: InterruptPin | None) -> None:
        self._look = look
        self._arm = arm
        self._pin = pin
        self._waiters: list[Waiter] = []
        self._leading = False
        self._look_again = False
        self._resting: anyio.CancelScope | None = None
        self._pause = _FIRST_PAUSE

    async def wait(self, waiter: Waiter, timeout: float) -> bool:
        """Wait until `waiter` is done; returns whether it is before `timeout` seconds are over."""
        with anyio.move_on_after(timeout):
            await self._until_done(waiter)

        return waiter.done

    async def _until_done(self, waiter: Waiter) -> None:
        self._waiters.append(waiter)
        self._look_again = True
        self._pause = _FIRST_PAUSE

        if self._resting is not None:
            self._resting.cancel()

        try:
            while not waiter.done:
                if self._leading:
                    waiter.woken.clear()
                    await waiter.woken.wait()
                else:
                    await self._lead(waiter)
        finally:
            self._waiters.remove(waiter)

            if self._waiters and not self._leading:
                self._waiters[0].woken.set()

    async def _lead(self, waiter: Waiter) -> None:
        self._leading = True

        try:
            while not waiter.done:
                self._look_again = False
                present = list(self._waiters)  # who comes during the look is not content with what it shows
                keys = {each.key for each in present}
                values = await self._look(keys)

                for each in present:
                    each.see(values[each.key])

                if not waiter.done and not await self._armed(keys):
                    await self._rest()
        finally:
            self._leading = False

    async def _armed(self, keys: Collection[int]) -> bool:
        """Enable the interrupt where there is one, once it is listened to; returns whether it was not before."""
        if self._pin is not None:
            try:
                await self._pin.listen()
                return await self._arm(keys)
            except NotSupported:
                self._pin = None

        return False

    async def _rest(self) -> None:
        """Wait until there may be something new to see."""
        with anyio.CancelScope() as self._resting:
            try:
                if not self._look_again:
                    await self._next_event()
            finally:
                self._resting = None

    async def _next_event(self) -> None:
        if self._pin is not None:
            # Should an event be lost with the connection, the next look tells.
            with contextlib.suppress(OutcomeUnknown):
                await self._pin.wait(timeout=None)
        else:
            await anyio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
