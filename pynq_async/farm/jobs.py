"""The items of one `map`: which still wait, which run, which are done. No I/O; decided here and acted on elsewhere."""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class MapResult(Generic[Item, Value]):
    """What became of one item.

    Attributes:
        index: the item's place among the items, from 0.
        item: the item.
        board: the name of the board that it was done on, or failed on last.
        attempts: how many boards it was tried on.
        error: what the function raised, or why its boards failed; None when all is well.
    """

    index: int
    item: Item
    board: str
    attempts: int
    error: Exception | None = None
    returned: Value | None = field(default=None, repr=False)

    @property
    def value(self) -> Value:
        """What the function returned; raises `error` when there is one."""
        if self.error is not None:
            raise self.error

        return self.returned  # type: ignore[return-value]


@dataclass(eq=False, slots=True)
class Job:
    """An item on its way."""

    index: int
    item: Any
    tried: list[str] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Guest:
    """An item that comes from elsewhere, and the boards there that have failed under it; those of here are added."""

    item: Any
    tried: list[str]


class Jobs:
    """Hands out items, and results in the order that was asked for.

    Args:
        ordered: whether results come in the order of the items.
        attempts: how often an item is tried when its board fails.
    """

    def __init__(self, *, ordered: bool, attempts: int) -> None:
        self.exhausted = False
        self._ordered = ordered
        self._attempts = attempts
        self._ready: deque[Job] = deque()
        self._again: list[Job] = []
        self._results: list[tuple[int, MapResult[Any, Any]]] = []
        self._pulled = 0
        self._given = 0
        self._ended = 0

    @property
    def ready(self) -> int:
        """How many items wait for a board."""
        return len(self._ready) + len(self._again)

    @property
    def ahead(self) -> int:
        """How many items were pulled whose results have not been taken."""
        return self._pulled - self._given

    @property
    def over(self) -> bool:
        """Whether every item has ended."""
        return self.exhausted and self._ended == self._pulled

    def add(self, item: Any) -> None:
        """Take an item in."""
        self._ready.append(Job(self._pulled, item, item.tried if isinstance(item, Guest) else []))
        self._pulled += 1

    def take(self, board: str, elsewhere: Callable[[Job], bool]) -> Job | None:
        """The next item for a board; one that failed there only when it can be tried nowhere else."""
        for job in self._again:
            if board not in job.tried or not elsewhere(job):
                self._again.remove(job)
                return job

        return self._ready.popleft() if self._ready else None

    def put_back(self, job: Job) -> None:
        """An item was not begun after all."""
        self._again.insert(0, job)

    def again(self, job: Job, board: str, error: Exception, elsewhere: Callable[[Job], bool]) -> bool:
        """The board failed under an item: whether it is tried again; else it has ended, as a guest does here."""
        job.tried.append(board)

        if len(job.tried) < self._attempts and (not isinstance(job.item, Guest) or elsewhere(job)):
            self._again.append(job)
            return True

        self._end(MapResult(job.index, job.item, board, len(job.tried), error))
        return False

    def done(self, job: Job, board: str, value: Any, error: Exception | None = None) -> None:
        """The function has returned or raised."""
        self._end(MapResult(job.index, job.item, board, len(job.tried) + 1, error, value))

    def next_result(self) -> MapResult[Any, Any] | None:
        """The next result if it is there."""
        if not self._results or (self._ordered and self._results[0][0] != self._given):
            return None

        self._given += 1
        return heapq.heappop(self._results)[1]

    def _end(self, result: MapResult[Any, Any]) -> None:
        heapq.heappush(self._results, (result.index if self._ordered else self._ended, result))
        self._ended += 1
