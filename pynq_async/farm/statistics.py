"""What a farm has done so far, as plain values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .events import BoardLeased, BoardLoaded, BoardLost, BoardReturned, FarmEvent
from .leases import Leases


@dataclass(frozen=True, slots=True)
class BoardStatistics:
    """One board of a farm, since the farm was opened.

    Attributes:
        state: `free`, `leased`, `absent` (it does not answer), or `elsewhere` (another process of this host has it).
        leases: how often it was given to somebody, work of `map` included.
        leased_seconds: for how long, in all.
        items: calls of `map` that it carried out, whether they returned or raised.
        busy_seconds: how long it worked on them.
        failed: calls of `map` among those that raised.
        moved: calls of `map` that were tried again elsewhere because the board failed.
        lost: how often it was set aside.
        loaded: downloads by the farm that ended well.
        forgotten: buffers that were left allocated at the end of a lease, and freed.
    """

    state: Literal["free", "leased", "absent", "elsewhere"] = "free"
    leases: int = 0
    leased_seconds: float = 0.0
    items: int = 0
    busy_seconds: float = 0.0
    failed: int = 0
    moved: int = 0
    lost: int = 0
    loaded: int = 0
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class FarmStatistics:
    """A farm: its boards by name, and how many leases wait."""

    boards: Mapping[str, BoardStatistics]
    waiting: int


class Tally:
    """Counts; knows nothing of the clock but the times that it is given."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._since: dict[str, float] = {}

    def event(self, event: FarmEvent) -> None:
        """Something happened."""
        count = self._counts[event.board]

        if isinstance(event, BoardLeased):
            count["leases"] += 1
            self._since[event.board] = event.time
        elif isinstance(event, BoardReturned):
            count["leased_seconds"] += event.time - self._since.pop(event.board, event.time)
            count["forgotten"] += len(event.forgotten)
        elif isinstance(event, BoardLost):
            count["lost"] += 1
        elif isinstance(event, BoardLoaded):
            count["loaded"] += 1

    def item(self, board: str, outcome: Literal["done", "failed", "moved"], seconds: float) -> None:
        """A call of `map` has ended on a board."""
        count = self._counts[board]

        if outcome == "moved":
            count["moved"] += 1
        else:
            count["items"] += 1
            count["failed"] += outcome == "failed"
            count["busy_seconds"] += seconds

    def statistics(self, leases: Leases, now: float) -> FarmStatistics:
        """All of it, at this moment."""
        return FarmStatistics({name: self._board(leases, name, now) for name in leases.names}, len(leases.waiting))

    def _board(self, leases: Leases, name: str, now: float) -> BoardStatistics:
        count = self._counts[name]
        state: Literal["free", "leased", "absent", "elsewhere"] = "free"

        if leases.is_aside(name):
            state = "absent"
        elif leases.holder(name):
            state = "leased"
        elif name in leases.elsewhere:
            state = "elsewhere"

        return BoardStatistics(
            state,
            leases=int(count["leases"]),
            leased_seconds=count["leased_seconds"] + now - self._since.get(name, now),
            items=int(count["items"]),
            busy_seconds=count["busy_seconds"],
            failed=int(count["failed"]),
            moved=int(count["moved"]),
            lost=int(count["lost"]),
            loaded=int(count["loaded"]),
            forgotten=int(count["forgotten"]),
        )
