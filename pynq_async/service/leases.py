"""Leases that last over many requests and end by themselves."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from ..board.device import RemoteDevice
from ..errors import PynqError
from ..farm import BoardFarm, Lease
from ..farm.host import Host
from .known import check_known
from .options import ServiceOptions
from .problems import Refusal, stopping
from .tokens import Token

if TYPE_CHECKING:
    from .buffers import LeasedBuffer


class ServiceLease:
    """Boards that a token has until the lease expires or is ended.

    Invariant: boards go back when no request uses them any more, and no request begins to use them once it has ended.

    Attributes:
        id: names the lease in requests.
        holder: the token's name.
        boards: the boards by name.
        since: when it began, in seconds since 1970.
        buffers: buffers that were allocated in it, by id; freed when it ends.
    """

    def __init__(self, holder: str, boards: Mapping[str, RemoteDevice], seconds: float) -> None:
        self.id = secrets.token_urlsafe(12)
        self.holder = holder
        self.boards = dict(boards)
        self.since = time.time()
        self.buffers: dict[str, LeasedBuffer] = {}
        self._ends = time.monotonic() + seconds
        self._users = 0
        self._ended = False
        self._news = asyncio.Event()

    @property
    def seconds_left(self) -> float:
        """After how many seconds it expires."""
        return 0.0 if self._ended else max(self._ends - time.monotonic(), 0.0)

    @property
    def ended(self) -> bool:
        """Whether it is over; requests that had begun may still use its boards."""
        return self._ended

    def renew(self, seconds: float) -> None:
        """Let it last for so many seconds from now on; raises `Refusal` when it has ended."""
        self.check_lasts()
        self._ends = time.monotonic() + seconds
        self._news.set()

    def end(self) -> None:
        """Let no other request begin."""
        self._ended = True
        self._news.set()

    @asynccontextmanager
    async def use(self, board: str) -> AsyncIterator[RemoteDevice]:
        """Work with a board; until that is done the board is not given back."""
        self.check_lasts()
        self._users += 1

        try:
            yield self.boards[board]
        finally:
            self._users -= 1
            self._news.set()

    async def last(self) -> None:
        """Wait until it has ended and nobody uses it."""
        while not self._ended or self._users:
            self._news.clear()

            try:
                async with asyncio.timeout(None if self._ended else self.seconds_left):
                    await self._news.wait()
            except TimeoutError:
                self._ended = not self.seconds_left  # it may have been renewed meanwhile

    def check_lasts(self) -> None:
        """Raise `Refusal` when it has ended."""
        if self._ended:
            raise Refusal(409, "lease-ended", f"the lease of {', '.join(self.boards)} has ended; take another one")


class ServiceLeases:
    """The leases of a service; each is held by a task of its own that gives the boards back, whatever happens."""

    def __init__(self, farm: BoardFarm, host: Host, options: ServiceOptions) -> None:
        self._farm = farm
        self._host = host
        self._options = options
        self._leases: dict[str, ServiceLease] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._asked: dict[str, int] = {}

    def __iter__(self) -> Iterator[ServiceLease]:
        return iter(self._leases.values())

    async def take(self, caller: Token, asked: Lease[tuple[RemoteDevice, ...]], seconds: float) -> ServiceLease:
        """Wait for the boards of a lease that is not entered yet; a wait that is cancelled leaves nothing."""
        if self._asked.get(caller.name, 0) >= self._options.leases:
            raise Refusal(
                409, "too-many-leases", f"{caller.name} has {self._options.leases} leases already; end one of them"
            )

        granted: asyncio.Future[ServiceLease] = asyncio.get_running_loop().create_future()
        task = self._host.start(self._hold(caller, asked, seconds, granted), f"lease of {caller.name}")
        self._asked[caller.name] = self._asked.get(caller.name, 0) + 1

        def over(_: object) -> None:  # called also for a task that was cancelled before it began
            self._asked[caller.name] -= 1

            if not granted.done():
                granted.set_exception(stopping())

        task.add_done_callback(over)
        self._waiting.add(task)

        try:
            return await granted
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._waiting.discard(task)

    def find(self, lease: str, caller: Token) -> ServiceLease:
        """A lease of the caller's, or anybody's for an admin."""
        found = self._leases.get(lease)

        if found is None:
            raise Refusal(404, "no-such-lease", f"there is no lease {lease!r}; it may have expired")

        if found.holder != caller.name and not caller.allows("admin"):
            raise Refusal(403, "not-your-lease", f"the lease is {found.holder}'s")

        return found

    def of_board(self, board: str, caller: Token) -> ServiceLease:
        """The caller's lease of a board."""
        check_known(self._farm, board)
        lease = self.holding(board)

        if lease is None or lease.ended:
            raise Refusal(409, "not-leased", f"{board}: lease it first (POST /api/leases)")

        if lease.holder != caller.name:
            raise Refusal(403, "not-your-lease", f"{board}: {lease.holder} has it")

        return lease

    def holding(self, board: str) -> ServiceLease | None:
        """The lease that a board is in."""
        return next((lease for lease in self._leases.values() if board in lease.boards), None)

    async def give_back(self, lease: ServiceLease) -> None:
        """End a lease and wait until its boards are free."""
        lease.end()

        if (task := self._tasks.get(lease.id)) is not None:
            await asyncio.wait({task})

    def end_all(self) -> None:
        """Let no other request begin, and nobody wait for a lease."""
        for lease in self._leases.values():
            lease.end()

        for task in self._waiting:
            task.cancel()

    async def _hold(
        self,
        caller: Token,
        asked: Lease[tuple[RemoteDevice, ...]],
        seconds: float,
        granted: "asyncio.Future[ServiceLease]",
    ) -> None:
        try:
            async with asked as boards:
                if granted.done():
                    return

                lease = ServiceLease(caller.name, {board.name: board for board in boards}, seconds)
                task = asyncio.current_task()
                assert task is not None
                self._leases[lease.id], self._tasks[lease.id] = lease, task
                granted.set_result(lease)

                try:
                    await lease.last()
                finally:
                    lease.end()
                    del self._leases[lease.id], self._tasks[lease.id]

                    for buffer in list(lease.buffers.values()):
                        with suppress(PynqError):  # a board that has failed is cleaned by the farm when it answers
                            await buffer.free()
        except Exception as error:
            if not granted.done():
                granted.set_exception(error)
