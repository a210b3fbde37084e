"""What a farm is doing and has done so far, as plain values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..board.device import RemoteDevice
from ..errors import BoardError
from .events import BoardJoined, BoardLeased, BoardLoaded, BoardLost, BoardReturned, FarmEvent
from .leases import Known, Leases

State: TypeAlias = Literal["free", "leased", "absent", "elsewhere"]


@dataclass(frozen=True, slots=True)
class BoardStatistics:
    """One board of a farm: what it is and does now, and what it has done since the farm was opened.

    Attributes:
        name: what the farm calls it.
        address: `host` or `host:port`.
        model, family: what it is; None until it has answered once.
        tags: words that leases may ask for.
        state: `free`, `leased`, `absent` (it does not answer), or `elsewhere` (another process of this host has it).
        since: when that began, in seconds since 1970.
        holder: who has it, also when it is absent meanwhile: the `holder` that was given to `lease` or `map`, else
            "lease" or "map"; None when nobody has.
        reason: why it is absent; empty when it is not.
        design: the name of the bitstream that is in the fabric, as far as this process has seen; None when unknown.
        digest: its SHA-256 in hexadecimal.
        partials: the names of the partial bitstreams loaded since.
        sent: bytes of messages that went to it.
        received: bytes of messages that came from it.
        leases: how often it was given to somebody, work of `map` included.
        leased_seconds: for how long, in all.
        items: calls of `map` that it carried out, whether they returned or raised.
        busy_seconds: how long it worked on them.
        failed: calls of `map` among those that raised.
        moved: calls of `map` that were tried again elsewhere because the board failed.
        lost: how often it was set aside.
        loaded: downloads that ended well.
        forgotten: buffers that were left allocated at the end of a lease, and freed.
    """

    name: str
    address: str
    model: str | None = None
    family: str | None = None
    tags: tuple[str, ...] = ()
    state: State = "free"
    since: float = 0.0
    holder: str | None = None
    reason: str = ""
    design: str | None = None
    digest: str | None = None
    partials: tuple[str, ...] = ()
    sent: int = 0
    received: int = 0
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

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._counts: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._last: dict[tuple[str, type[FarmEvent]], float] = {}
        self._holders: dict[str, str] = {}

    def event(self, event: FarmEvent) -> None:
        """Something happened."""
        count = self._counts[event.board]
        self._last[event.board, type(event)] = event.time

        if isinstance(event, BoardLeased):
            count["leases"] += 1
            self._holders[event.board] = event.by
        elif isinstance(event, BoardReturned):
            count["leased_seconds"] += event.time - self._since(event.board, BoardLeased)
            self._holders.pop(event.board, None)
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

    def statistics(
        self, leases: Leases, devices: Mapping[str, RemoteDevice], absent: Mapping[str, BoardError], now: float
    ) -> FarmStatistics:
        """All of it, at this moment."""
        boards = {name: self._board(leases.known(name), devices[name], absent.get(name), now) for name in leases.names}
        return FarmStatistics(boards, len(leases.waiting))

    def _board(self, known: Known, device: RemoteDevice, error: BoardError | None, now: float) -> BoardStatistics:
        name = known.name
        count, holder, loaded, traffic = self._counts[name], self._holders.get(name), device.last_loaded, device.traffic
        leased = self._since(name, BoardLeased)
        state: State = "free"
        since = max(self._since(name, BoardReturned), self._since(name, BoardJoined))

        if known.aside:
            state, since = "absent", max(self._since(name, BoardLost), self._since(name, BoardJoined))
        elif holder is not None:
            state, since = "leased", leased
        elif known.elsewhere:
            state = "elsewhere"

        return BoardStatistics(
            name,
            str(device.address),
            known.model,
            known.family,
            tuple(sorted(known.tags)),
            state,
            since,
            holder,
            str(error or ""),
            loaded.name if loaded else None,
            loaded.digest if loaded else None,
            loaded.partials if loaded else (),
            traffic.sent,
            traffic.received,
            leases=int(count["leases"]),
            leased_seconds=count["leased_seconds"] + (now - leased if holder is not None else 0),
            items=int(count["items"]),
            busy_seconds=count["busy_seconds"],
            failed=int(count["failed"]),
            moved=int(count["moved"]),
            lost=int(count["lost"]),
            loaded=int(count["loaded"]),
            forgotten=int(count["forgotten"]),
        )

    def _since(self, board: str, event: type[FarmEvent]) -> float:
        return self._last.get((board, event), self._opened)
