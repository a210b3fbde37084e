"""Leases, the waiting side: what `Leases` decides is acted on here, and boards come back clean whatever happens."""

import asyncio
import random
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import anyio

from ..board.device import RemoteDevice
from ..board.memory import BoardMemory
from ..concurrency import for_each, to_the_end
from ..errors import BoardError, InvalidArgument, NotOpen, PynqError
from .events import BoardLeased, BoardReturned, Publisher
from .health import board_failure
from .host import Host
from .host_lock import HostLock
from .leases import Leases, Request, Want

_SHORTEST_LOOK, _LONGEST_LOOK = 0.02, 0.5  # for boards that another process has


@dataclass(frozen=True, slots=True)
class Grant:
    """The boards that somebody was given, and what was allocated on each before."""

    request: Request
    boards: tuple[RemoteDevice, ...]
    before: Mapping[str, frozenset[BoardMemory]]


class Leasing:
    """Waits for boards and gives them back.

    Attributes:
        leases: who has what.
    """

    def __init__(
        self,
        boards: Mapping[str, RemoteDevice],
        publisher: Publisher,
        host: Host,
        locks: Mapping[str, HostLock],
        suspect: Callable[[BoardError], None],
    ) -> None:
        self.leases = Leases()
        self._boards = boards
        self._publisher = publisher
        self._host = host
        self._locks = locks
        self._suspect = suspect
        self._waiting: dict[Request, asyncio.Future[None]] = {}
        self._watching = False
        self._closed = False

    async def acquire(self, want: Want, by: str) -> Grant:
        """Wait for boards; raises `InvalidArgument` at once for what can never be met.

        A cancelled wait has left the queue and holds nothing.
        """
        if self._closed:
            raise NotOpen("the farm", "it is closed; open another one to lease its boards")

        request = self.leases.request(want)

        try:
            while True:
                if not request.boards:
                    await self._turn(request)

                if not (elsewhere := self._lock(request.boards)):
                    break

                self.wake(self.leases.refuse(request, elsewhere))
                self._watch_locks()

            boards = tuple(self._boards[name] for name in request.boards)
            grant = Grant(request, boards, {board.name: board.memory.live for board in boards})
        except BaseException:
            self._unlock(request.boards)
            self.wake(self.leases.end(request))
            raise

        for board in boards:
            self._publisher.publish(BoardLeased(board.name, self._publisher.clock(), by))

        return grant

    async def give_back(self, grant: Grant, error: BaseException | None = None) -> None:
        """Free what was left allocated and give the boards to whoever is next, each when it is clean.

        `error` is what ended the lease. A `ResourceWarning` names the buffers that were left. A board that does not
        answer is not waited for.
        """
        for board in grant.boards:
            if error is not None and (failure := board_failure(error, board.name)) is not None:
                self._suspect(failure)

        there = [board for board in grant.boards if not self.leases.is_aside(board.name)]
        forgotten: list[str] = []
        failures: list[Exception] = []

        for board in set(grant.boards).difference(there):
            self.give_back_later(grant, board)

        async def clean(board: RemoteDevice) -> None:
            try:
                forgotten.extend(f"{board.name}: {what}" for what in await self._clean(grant, board))
            except Exception as error:  # of a driver that cannot stop its hardware; the other boards are cleaned still
                failures.append(error)

        await to_the_end(for_each(there, clean, width=max(len(there), 1)))

        for problem in failures:
            raise problem

        if forgotten:
            warnings.warn(
                f"a lease ended with buffers that were never freed: {', '.join(forgotten)}",
                ResourceWarning,
                stacklevel=3,
            )

    def give_back_later(self, grant: Grant, *boards: RemoteDevice) -> None:
        """Clean and give back without waiting for it."""
        for board in boards:
            try:
                self._host.start(self._clean_quietly(grant, board), f"cleaning {board.name}")
            except NotOpen:
                self._return(grant, board, [])

    def wake(self, granted: Iterable[Request]) -> None:
        """Tell those who wait that they have been served."""
        for request in granted:
            if (turn := self._waiting.get(request)) is not None and not turn.done():
                turn.set_result(None)

    def know(self, board: RemoteDevice, tags: Iterable[str]) -> None:
        """A board has been opened; who can never be served now is told."""
        for request in self.leases.add(board.name, tags, board.model, board.family):
            try:
                self.leases.check(request.want)
            except InvalidArgument as error:
                if not self._waiting[request].done():
                    self._waiting[request].set_exception(error)

    def close(self) -> None:
        """End every wait with `NotOpen`."""
        self._closed = True

        for turn in self._waiting.values():
            if not turn.done():
                turn.set_exception(NotOpen("the farm", "it was closed while a lease waited"))

    async def _turn(self, request: Request) -> None:
        turn = self._waiting[request] = asyncio.get_running_loop().create_future()

        try:
            await turn
        finally:
            del self._waiting[request]

            if not turn.cancelled():
                turn.exception()  # seen, even if we are cancelled at this moment

    async def _clean_quietly(self, grant: Grant, board: RemoteDevice) -> None:
        with suppress(Exception):  # hardware that a driver cannot stop keeps its memory until the farm is closed
            await self._clean(grant, board)

    async def _clean(self, grant: Grant, board: RemoteDevice) -> list[str]:
        forgotten: list[str] = []

        try:
            forgotten = [str(memory) for memory in board.memory.live - grant.before[board.name]]
            await board.memory.free_all(keep=grant.before[board.name])
        except BoardError as error:
            if not self._closed:
                self._suspect(error)
        finally:
            self._return(grant, board, forgotten)

        return forgotten

    def _return(self, grant: Grant, board: RemoteDevice, forgotten: list[str]) -> None:
        self._unlock([board.name])
        self._publisher.publish(BoardReturned(board.name, self._publisher.clock(), tuple(forgotten)))
        self.wake(self.leases.give_back(grant.request, board.name))

    def _lock(self, names: Iterable[str]) -> list[str]:
        """Take the locks of this host, all or none; returns the boards that another process has."""
        locks = {name: self._locks[name] for name in names if name in self._locks}
        elsewhere = [name for name, lock in locks.items() if not lock.take()]

        if elsewhere:
            self._unlock(locks)

        return elsewhere

    def _unlock(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._locks:
                self._locks[name].release()

    def _watch_locks(self) -> None:
        if not self._watching:
            self._watching = True
            self._host.start(self._look_at_locks(), "boards of other processes")

    async def _look_at_locks(self) -> None:
        """No system tells that a lock has become free, so look now and then while somebody waits for it."""
        pause = _SHORTEST_LOOK

        try:
            while self.leases.waiting and self.leases.elsewhere:
                await anyio.sleep(pause * random.uniform(0.5, 1))  # two processes must not keep meeting
                pause = min(2 * pause, _LONGEST_LOOK)

                for name in self.leases.elsewhere:
                    if self._may_be_free(self._locks[name]):
                        self.wake(self.leases.here_again(name))
        finally:
            self._watching = False

            for name in self.leases.elsewhere:  # nobody waits: whoever comes next finds out
                self.leases.here_again(name)

    def _may_be_free(self, lock: HostLock) -> bool:
        try:
            free = lock.take()
            lock.release()
        except PynqError:
            return True  # whoever is given the board is told what is wrong with the lock

        return free
