"""The contiguous memory of one board: allocating it, and forgetting none of it.

Whatever an owner could not free (it was cancelled, or lost its last reference) waits in a list. Whoever next holds the
board's buffers alone frees what is in the list first, and closing the board frees everything.
"""

import re
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakSet

import anyio

from ..concurrency import for_each, to_the_end
from ..errors import (
    AllocationError,
    BoardError,
    ConnectError,
    ConnectionLost,
    HardwareError,
    NotOpen,
    OutcomeUnknown,
    OutOfRange,
    ProtocolViolation,
    StaleHandle,
    UnknownHandle,
)
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection, Server
from ..wire.locks import Hold
from .memory import BoardMemory

LARGEST = (1 << 31) - 1  # the request's size is an int32
_QUIESCE = 10.0  # seconds that closing waits for hardware to be stopped
_OUT_OF_REACH = (ConnectError, ConnectionLost, OutcomeUnknown)  # by which one learns that the board does not answer


@dataclass(frozen=True, slots=True)
class _Discarded:
    """A buffer nobody can use any more, to be freed not before loop time `quiet_at`."""

    id: str
    server: Server
    quiet_at: float = 0.0


class MemoryPool:
    """Allocates and frees on one board.

    Attributes:
        connection: to the board.
        pinned: memory that hardware uses; held here, so that nobody frees it because its owner is forgotten.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.pinned: set[BoardMemory] = set()
        self._live: WeakSet[BoardMemory] = WeakSet()
        self._discarded: deque[_Discarded] = deque()
        self._unstopped: dict[BoardMemory, BoardError] = {}
        self._closed = False

    async def allocate(self, nbytes: int, dtype: str, *, cacheable: bool) -> BoardMemory:
        """Allocate memory and learn its addresses; raises `OutOfRange` or `AllocationError`.

        A board server that was restarted gives out memory again that hardware may still be using. It is stopped first;
        `HardwareError` when it cannot be.
        """
        self.connection.check_loop()

        if not 0 < nbytes <= LARGEST:
            raise OutOfRange(self.connection.board, f"a buffer has 1 to {LARGEST} bytes, not {nbytes}")

        while True:
            await self._quiesce_lost()

            with suppress(_Restarted):
                return await self._allocate(nbytes, dtype, cacheable=cacheable)

    async def _allocate(self, nbytes: int, dtype: str, *, cacheable: bool) -> BoardMemory:
        connection = self.connection

        async with connection.arbiter.buffers.alone() as hold:
            if self._closed:
                raise NotOpen(connection.board, "the board was closed")

            await to_the_end(self._free_discarded())
            allocation = _Allocation(self, hold)
            response = await connection.calls.unary(
                methods.ALLOCATE,
                m.AllocateRequest(size=nbytes, dtype=dtype, cacheable=cacheable),
                changing=True,
                admit=allocation.admit,
                straggler=allocation,
            )
            server = allocation.server

            if not response.buffer_id:
                free = await self._how_much_is_free()
                raise AllocationError(
                    connection.board, f"no {nbytes} bytes of contiguous memory{free}; free buffers or ask for less"
                )

            if any(
                not other.freed and (other.id, other.server) == (response.buffer_id, server) for other in self._live
            ):
                raise ProtocolViolation(connection.board, f"allocate answered {response.buffer_id}, which is in use")

            memory = BoardMemory(self, response.buffer_id, server, nbytes, cacheable=cacheable)
            self._live.add(memory)

        try:
            await memory.fetch_addresses()
        except BaseException:
            await memory.free()
            raise

        return memory

    def discard(self, memory: BoardMemory) -> None:
        """Put a buffer into the list; does no I/O and may be called from a finaliser."""
        self._discarded.append(_Discarded(memory.id, memory.server, memory.quiet_at))

    def discard_late(self, identifier: str, server: Server) -> None:
        """Put a buffer into the list whose allocation was answered after its caller had gone."""
        self._discarded.append(_Discarded(identifier, server))

    async def free_discarded(self, own: BoardMemory) -> None:
        """Free all in the list; raises only what freeing `own` gave."""
        async with self.connection.arbiter.buffers.alone():
            failures = await to_the_end(self._free_discarded())

        if own.id in failures:
            raise failures[own.id]

    @property
    def live(self) -> frozenset[BoardMemory]:
        """What is allocated and not freed; each says by `str` what it is."""
        return frozenset(memory for memory in self._live if not memory.freed)

    async def free_all(self, *, keep: Collection[BoardMemory] = ()) -> list[str]:
        """Stop hardware that uses memory and free all that is allocated but for `keep`; returns what it was.

        Waits for transfers under way. Raises what stopping the hardware raised, with that memory left allocated.
        """
        return await to_the_end(self._free_all(keep))

    async def _free_all(self, keep: Collection[BoardMemory]) -> list[str]:
        live = sorted(self.live.difference(keep), key=lambda memory: memory.physical_address)
        running: dict[BoardMemory, BoardError] = {}

        async def stop(memory: BoardMemory) -> None:
            try:
                await memory.quiesce()
            except StaleHandle:
                pass  # its server is gone, and the memory with it
            except BoardError as error:
                running[memory] = error

        await _all_at_once(live, stop)
        live = [memory for memory in live if memory not in running]

        for memory in live:
            memory.abandon()

        for memory in live:
            await memory.retire()

        failures = list(running.values())

        if self._discarded:
            async with self.connection.arbiter.buffers.alone():
                failures += (await to_the_end(self._free_discarded())).values()

        for failure in failures:
            raise failure

        return [str(memory) for memory in live]

    async def quiesce(self) -> None:
        """Stop the hardware that uses memory of this board, while registers can still be reached.

        What cannot be stopped keeps its memory. Once one finds that the board does not answer, the others are given up.
        """

        async def stop(memory: BoardMemory) -> None:
            try:
                await memory.quiesce()
            except StaleHandle:
                pass  # its server is gone, and the memory with it
            except BoardError as error:
                self._unstopped[memory] = error

                if isinstance(error, _OUT_OF_REACH):
                    raise

        with suppress(*_OUT_OF_REACH), anyio.move_on_after(_QUIESCE):
            await _all_at_once(self.pinned, stop)

    async def close(self) -> None:
        """Free everything that is allocated, but for what hardware goes on using: of that there is a warning."""
        self._closed = True

        async with self.connection.arbiter.buffers.alone():
            pass  # allocations under way have ended, and a late one has been answered

        live = list(self._live)

        for memory in live:
            memory.abandon()

        for memory in live:
            await memory.retire()

        async with self.connection.arbiter.buffers.alone():
            await to_the_end(self._free_discarded())

        if kept := [memory for memory in self._unstopped if memory in self.pinned]:
            warnings.warn(
                f"{self.connection.board}: buffers stay allocated until the board server is restarted ({len(kept)}), "
                f"as hardware that uses them could not be stopped: {self._unstopped[kept[0]]}",
                RuntimeWarning,
                stacklevel=2,
            )

    def lost(self, server: Server) -> list[BoardMemory]:
        """What went with an earlier server than `server`, and hardware may still be using; after a reboot nothing."""
        return [memory for memory in self.pinned if memory.server != server and memory.server.boot == server.boot]

    async def _quiesce_lost(self) -> None:
        """Stop the hardware that uses what, as far as is known, went with its server; raises when it cannot be."""
        board, patience = self.connection.board, self.connection.timeouts.allocate

        def trouble(memory: BoardMemory, problem: str) -> HardwareError:
            return HardwareError(
                board,
                f"{memory} was given to hardware before the board server restarted, which may use what would be "
                f"allocated now, and could not be stopped: {problem}; load the design again",
            )

        async def stop(memory: BoardMemory) -> None:
            try:
                await memory.quiesce()
            except _OUT_OF_REACH:
                raise
            except BoardError as error:
                problems[memory] = error

        problems: dict[BoardMemory, BoardError] = {}
        lost = self.lost(self.connection.server)

        with anyio.move_on_after(patience) as bound:
            await _all_at_once(lost, stop)

        if bound.cancelled_caught:
            raise trouble(lost[0], f"no quiet within {patience:g} s")

        for memory, error in problems.items():
            if memory in self.pinned:  # no other one stopped the hardware
                raise trouble(memory, str(error).removeprefix(f"{board}: ")) from error

    async def _free_discarded(self) -> dict[str, BoardError]:
        """Free what is in the list, each exactly once; the caller holds the buffers alone.

        A buffer leaves the list directly before its call is sent, or when its server is gone: what could not be sent
        because the board is out of reach stays in the list.
        """
        failures: dict[str, BoardError] = {}

        while self._discarded:
            memory = self._discarded[0]
            handle = f"the buffer {memory.id}"
            await anyio.sleep(max(memory.quiet_at - anyio.current_time(), 0))

            async def admit(memory: _Discarded = memory, handle: str = handle) -> None:
                await self.connection.same_server(memory.server, handle)
                self._discarded.popleft()

            try:
                await self.connection.calls.unary(
                    methods.FREE_BUFFER, m.FreeBufferRequest(buffer_id=memory.id), changing=True, admit=admit
                )
            except StaleHandle:
                self._discarded.popleft()  # its server is gone, and the memory with it
            except UnknownHandle:
                failures[memory.id] = await self.connection.unknown_handle(memory.server, handle)
            except BoardError as error:
                failures[memory.id] = error

                if self._discarded and self._discarded[0] is memory:
                    return failures  # out of reach: it would be so for the others too

        return failures

    async def _how_much_is_free(self) -> str:
        try:
            text = (await self.connection.read_small("/proc/meminfo")).decode("ascii", "replace")
        except BoardError:
            return ""

        found = re.search(r"^CmaFree:\s+(\d+) kB$", text, re.MULTILINE)
        return f" ({int(found[1]) * 1024} bytes are free, perhaps in pieces)" if found else ""


async def _all_at_once(items: Collection[BoardMemory], work: Callable[[BoardMemory], Awaitable[None]]) -> None:
    await for_each(list(items), work, width=len(items))


class _Restarted(Exception):
    """The server is another one, and hardware may use memory of the one before."""


class _Allocation:
    """One call of allocate. If it outlives its caller it keeps the buffers locked, and discards what it brings."""

    def __init__(self, pool: MemoryPool, hold: Hold) -> None:
        self._pool = pool
        self._hold = hold
        self.server = pool.connection.server
        self.patience = pool.connection.timeouts.allocate

    async def admit(self) -> None:
        self.server = await self._pool.connection.current()

        if self._pool.lost(self.server):
            raise _Restarted

    def left(self) -> None:
        self._hold = self._hold.hand_over()

    def arrived(self, response: m.AllocateResponse | None) -> None:
        if response is not None and response.buffer_id:
            self._pool.discard_late(response.buffer_id, self.server)

        self._hold.release()
