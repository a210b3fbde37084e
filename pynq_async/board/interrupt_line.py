"""Waiting for one interrupt input, by any number of tasks, of which one asks the board for all."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from ..concurrency import Turns, Waiter
from ..errors import BoardError

Check: TypeAlias = Callable[[], None]  # raises when an access would not mean any more what it was meant to


class Source(Protocol):
    """Where a pin's events come from; `check` is called before each access on behalf of the caller."""

    async def wait(self, check: Check | None) -> None:
        """Wait for the next event."""

    async def listen(self, check: Check | None) -> None:
        """Have events counted from now on, as far as they can be."""


class EventWaiter(Waiter):
    """One task's wait, ended by an event or by an error."""

    def __init__(self, check: Check | None) -> None:
        super().__init__()
        self.event: _Event | None = None
        self.error: BoardError | None = None
        self._check = check

    def fire(self, event: "_Event") -> None:
        """End the wait with an event."""
        self.event = event
        self.end()

    def fail(self, error: BoardError) -> None:
        """End the wait with an error."""
        if not self.done:
            self.error = error
            self.end()

    def check(self) -> bool:
        """Whether the wait still makes sense; ended with the reason if not."""
        try:
            if self._check is not None:
                self._check()
        except BoardError as error:
            self.fail(error)

        return not self.done


W = TypeVar("W", bound=EventWaiter)


class Line(Generic[W]):
    """One interrupt input: who waits for it, and what came and was handed to nobody.

    Attributes:
        once: whether an event that is handed to nobody would be gone; a level that is still active shows again.
        waiting: who waits now.
        seen: whether an event came that nobody was given.
        armed: whether what was there before the first of `waiting` came has been cleared.
    """

    def __init__(self, *, once: bool) -> None:
        self.once = once
        self.waiting: list[W] = []
        self.seen = False
        self.armed = False

    async def wait(self, turns: Turns[W], waiter: W) -> None:
        """Wait for the next event; raises what ended the wait otherwise."""
        self.armed = self.armed and bool(self.waiting)
        self.waiting.append(waiter)
        taken = False

        try:
            await turns.until_done(waiter)

            if waiter.error is not None:
                raise waiter.error

            taken = True
        finally:
            self._leave(waiter, taken=taken)

    def fire(self) -> None:
        """Hand an event to all who wait; without anyone it is kept for the next."""
        self.seen = self.once and not self.waiting
        event = _Event(len(self.waiting))

        for waiter in self.waiting:
            waiter.fire(event)

        self.waiting.clear()

    def fail(self, error: BoardError, whose: Callable[[W], bool] = lambda _: True) -> None:
        """End every wait, or some, with an error."""
        for waiter in filter(whose, self.waiting):
            waiter.fail(error)

        self.waiting = [waiter for waiter in self.waiting if not waiter.done]

    def forget(self) -> None:
        """Nothing came yet: the input belongs to another design now."""
        self.seen = self.armed = False

    def check(self) -> bool:
        """Whether anyone still waits after those have been sent away whose wait makes no sense any more."""
        self.waiting = [waiter for waiter in self.waiting if waiter.check()]
        return bool(self.waiting)

    def _leave(self, waiter: W, *, taken: bool) -> None:
        if waiter in self.waiting:
            self.waiting.remove(waiter)

        if waiter.event is not None and waiter.event.missed(taken=taken) and self.once:
            self.seen = True


class _Event:
    """What was handed to some waiters, of whom one at least must get away with it."""

    def __init__(self, owed: int) -> None:
        self._owed = owed
        self._taken = False

    def missed(self, *, taken: bool) -> bool:
        """One of them is leaving; whether all have left now and none has taken it."""
        self._owed -= 1
        self._taken = self._taken or taken
        return not self._owed and not self._taken
