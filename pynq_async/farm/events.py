"""What happens in a farm, as values, and a stream of them that never holds up the farm."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..board.loaded import Loaded
from ..errors import NotOpen
from ..progress import Progress


@dataclass(frozen=True, slots=True)
class FarmEvent:
    """Something happened to `board`, at `time` in seconds since 1970."""

    board: str
    time: float


@dataclass(frozen=True, slots=True)
class BoardJoined(FarmEvent):
    """A board answers: for the first time, or `again` after it was lost."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class BoardLost(FarmEvent):
    """A board does not answer and was set aside; `reason` is the error's sentence."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class BoardLeased(FarmEvent):
    """Somebody holds a board now; `by` is the `holder` that was given, or else "lease" or "map"."""

    by: str = "lease"


@dataclass(frozen=True, slots=True)
class BoardReturned(FarmEvent):
    """A board was given back; `forgotten` describes the buffers that were left allocated on it, and freed."""

    forgotten: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BoardProgress(FarmEvent):
    """A step of a download, whoever does it: the farm or somebody who holds the board."""

    progress: Progress


@dataclass(frozen=True, slots=True)
class BoardLoaded(FarmEvent):
    """A download has ended well."""

    loaded: Loaded


@dataclass(frozen=True, slots=True)
class BoardNotLoaded(FarmEvent):
    """A download has failed or was cancelled; `reason` is the error's sentence."""

    reason: str = ""


class Events:
    """A stream of what happens in a farm from now on; the farm does not wait for whoever listens.

        async with farm.events() as events:
            async for event in events:
                print(event)

    It ends when the farm is closed.

    Attributes:
        dropped: how many events were thrown away, the oldest first, because nobody took them in time.
    """

    def __init__(self, board_events: "Publisher", size: int) -> None:
        self.dropped = 0
        self._publisher = board_events
        self._size = size
        self._events: deque[FarmEvent] = deque()
        self._news = asyncio.Event()
        self._over = False

    async def __aenter__(self) -> "Events":
        self._publisher.join(self)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._publisher.leave(self)

    def __aiter__(self) -> "Events":
        return self

    async def __anext__(self) -> FarmEvent:
        while not self._events:
            if self._over:
                raise StopAsyncIteration

            self._news.clear()
            await self._news.wait()

        return self._events.popleft()

    def offer(self, event: FarmEvent) -> None:
        """Take an event, in place of the oldest when there are too many; called by the farm."""
        if len(self._events) >= self._size:
            self._events.popleft()
            self.dropped += 1

        self._events.append(event)
        self._news.set()

    def end(self) -> None:
        """Give out what is there, and then no more; called by the farm."""
        self._over = True
        self._news.set()


class Publisher:
    """Hands events to those who listen, and makes them of what its boards tell (it is their `DownloadObserver`)."""

    def __init__(self, tally: Callable[[FarmEvent], None], clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._tally = tally
        self._listeners: set[Events] = set()
        self._closed = False

    def progressed(self, step: Progress) -> None:
        """A board tells of a download."""
        self.publish(BoardProgress(step.board, self.clock(), step))

    def loaded(self, board: str, loaded: Loaded) -> None:
        """A board tells of a download that has ended well."""
        self.publish(BoardLoaded(board, self.clock(), loaded))

    def failed(self, board: str, error: BaseException) -> None:
        """A board tells of a download that has not."""
        reason = "it was cancelled" if isinstance(error, asyncio.CancelledError) else str(error)
        self.publish(BoardNotLoaded(board, self.clock(), reason))

    def publish(self, event: FarmEvent) -> None:
        """Count an event, and give it to all who listen."""
        self._tally(event)

        for listener in self._listeners:
            listener.offer(event)

    def join(self, listener: Events) -> None:
        """Begin to listen; raises `NotOpen` when the farm is closed."""
        if self._closed:
            raise NotOpen("the farm", "it is closed; nothing happens in it any more")

        self._listeners.add(listener)

    def leave(self, listener: Events) -> None:
        """Stop listening."""
        self._listeners.discard(listener)
        listener.end()

    def close(self) -> None:
        """End every stream."""
        self._closed = True

        for listener in list(self._listeners):
            self.leave(listener)
