"""Waiting for what an IP's registers show, by its interrupt where there is one."""

import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping

import anyio

from ...board.interrupts import InterruptPin
from ...concurrency import Pauses, Turns, Waiter
from ...errors import NotSupported, OutcomeUnknown

Look = Callable[[Collection[int]], Awaitable[Mapping[int, int]]]
Arm = Callable[[Collection[int]], Awaitable[bool]]


class ValueWaiter(Waiter):
    """One task's wait until the value called `key` is as it wants it.

    Attributes:
        value: what was seen last.
        held: whether it was as wanted.
        once: whether one look is all there is time for.
    """

    def __init__(self, key: int, holds: Callable[[int], bool]) -> None:
        super().__init__()
        self.key = key
        self.value: int | None = None
        self.held = False
        self.once = False
        self._holds = holds

    def see(self, value: int) -> None:
        """Take note of a value."""
        if not self.done:
            self.value = value
            self.held = self._holds(value)

            if self.held or self.once:
                self.end()


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
        self._turns = Turns(self._round)
        self._look_again = False
        self._resting: anyio.CancelScope | None = None
        self._pauses = Pauses()

    async def wait(self, waiter: ValueWaiter, timeout: float | None) -> bool:
        """Wait for what `waiter` wants; returns whether it was seen before `timeout` seconds are over.

        With 0 it looks once; with None there is no end.
        """
        waiter.once = timeout is not None and timeout <= 0
        self._look_again = True
        self._pauses.restart()

        if self._resting is not None:
            self._resting.cancel()

        with anyio.move_on_after(None if waiter.once else timeout):
            await self._turns.until_done(waiter)

        return waiter.held

    async def _round(self, leader: ValueWaiter) -> None:
        """Look for all, and rest until there may be something new unless the one who looks has what it wants."""
        self._look_again = False
        present = list(self._turns.waiting)  # who comes during the look is not content with what it shows
        keys = {each.key for each in present}
        values = await self._look(keys)

        for each in present:
            each.see(values[each.key])

        if not leader.done and not await self._armed(keys):
            await self._rest()

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
            await anyio.sleep(self._pauses.next())
