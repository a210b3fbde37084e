"""What an open farm consists of, wired together; here it is decided what becomes of a board that fails."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..board.device import RemoteDevice
from ..config import BoardSpec
from ..errors import BoardError, InvalidArgument, NotOpen
from .events import BoardJoined, BoardLost, Publisher
from .health import Health, Watch
from .host import Host
from .host_lock import HostLock
from .leases import Want
from .leasing import Leasing
from .statistics import BoardStatistics, FarmStatistics, Tally

if TYPE_CHECKING:
    from .mapping import LocalMap


class OpenFarm:
    """The parts of one open farm.

    Attributes:
        boards: those that were opened, by name; one that answers late is added.
        absent: those that do not answer, and why.
        health: how boards are looked after.
        host: runs what outlives a call.
        leasing: who has which board.
        publisher: tells events.
        tally: counts.
        maps: the maps that run.
    """

    def __init__(
        self,
        boards: dict[str, RemoteDevice],
        absent: Mapping[str, BoardError],
        devices: Mapping[str, RemoteDevice],
        specs: Mapping[str, BoardSpec],
        health: Health,
        locks: Mapping[str, HostLock],
    ) -> None:
        self.boards = boards
        self.absent = dict(absent)
        self.health = health
        self.host = Host()
        self.tally = Tally(time.time())
        self.publisher = Publisher(self.tally.event)
        self.leasing = Leasing(boards, self.publisher, self.host, locks, self.suspect)
        self.maps: set[LocalMap[Any, Any]] = set()
        self._specs = specs
        self._devices = devices
        self._watches = {name: Watch(board, health, self, opened=name not in absent) for name, board in devices.items()}

    async def begin(self) -> None:
        """Start to look after the boards."""
        await self.host.open()

        for device in self._devices.values():
            device.observer = self.publisher

        for name in self.boards:
            self.leasing.know(self.boards[name], self._specs[name].tags)

        for name in self.absent:
            self.leasing.leases.add(name, self._specs[name].tags)

        for place, (name, watch) in enumerate(self._watches.items(), 1):  # spread over the interval
            self.host.start(watch.run(self.health.interval * place / len(self._watches)), f"health of {name}")

    async def close(self) -> None:
        """End all that runs and all who wait."""
        self.leasing.close()

        for running in list(self.maps):
            running.fail(NotOpen("the farm", "it was closed while a map ran"))

        await self.host.aclose()
        self.publisher.close()

    def statistics(self) -> FarmStatistics:
        """Everything that is known, at this moment."""
        return self.tally.statistics(self.leasing.leases, self._devices, self.absent, self.publisher.clock())

    def in_the_way(self, want: Want) -> list[str]:
        """Of each board that would do: who has it, or why it does not answer."""
        boards = self.statistics().boards
        return [self._in_the_way(boards[name]) for name in sorted(self.leasing.leases.fitting(want))]

    def _in_the_way(self, board: BoardStatistics) -> str:
        if board.state == "absent":
            return board.reason or f"{board.name}: it does not answer"

        if board.state == "elsewhere":
            return f"{board.name}: another process of this host has it"

        if board.holder is None:
            return f"{board.name}: others wait for it"

        return f"{board.name}: {'a ' if board.holder in ('lease', 'map') else ''}{board.holder} has it"

    def suspect(self, error: BoardError) -> None:
        """A board has failed in somebody's hands: nobody is given it until it has answered."""
        if (watch := self._watches.get(error.board)) is not None:
            self.leasing.leases.set_aside(error.board)
            watch.suspect()

    def found(self, board: RemoteDevice) -> None:
        """A board answers."""
        name, leases = board.name, self.leasing.leases

        if not leases.is_aside(name):
            return

        known = name in self.boards
        was_absent = self.absent.pop(name, None)

        if not known:
            try:
                check_distinct({**self.boards, name: board})
            except InvalidArgument as error:
                self.absent[name] = BoardError(name, str(error))
                return

            self.boards[name] = board
            self.leasing.know(board, self._specs[name].tags)

        if was_absent is not None:
            self.publisher.publish(BoardJoined(name, self.publisher.clock(), known))

        self.leasing.wake(leases.take_back(name))

        for running in list(self.maps):
            running.found(name)

    def lost(self, board: RemoteDevice, error: BoardError) -> None:
        """A board does not answer: its work is moved, once."""
        name, news = board.name, board.name not in self.absent
        self.absent[name] = error
        self.leasing.leases.set_aside(name)

        if news:
            self.publisher.publish(BoardLost(name, self.publisher.clock(), str(error)))

            for running in list(self.maps):
                running.lost(name, error)


def check_distinct(boards: Mapping[str, RemoteDevice]) -> None:
    """Raise when two names lead to one board, which would be programmed twice at once."""
    names: dict[str, str] = {}

    for board in boards.values():
        if (other := names.setdefault(board.boot_id, board.name)) != board.name:
            raise InvalidArgument(f"{other} and {board.name} are the same board; leave one out")
