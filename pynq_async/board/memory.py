"""The board's side of one buffer: physically contiguous memory, streamed to and from, freed once."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from ..concurrency import for_each, to_the_end
from ..errors import (
    BoardRebooted,
    BufferFreed,
    ConnectionLost,
    DesignReplaced,
    ProtocolViolation,
    ServerError,
    UnknownHandle,
)
from ..progress import Progress, ProgressCallback
from ..wire import messages as m
from ..wire import methods
from ..wire.channel import Connection, Server
from ..wire.framing import frames, payload
from ..wire.locks import Hold
from ..wire.methods import Method, Request, Response

T = TypeVar("T")


class Pool(Protocol):
    """Where memory goes that nobody can use any more."""

    connection: Connection
    pinned: set["BoardMemory"]

    def discard(self, memory: "BoardMemory") -> None:
        """Take a buffer to be freed by whoever next holds the board's buffers alone; no I/O."""

    async def free_discarded(self, own: "BoardMemory") -> None:
        """Free all that was discarded; raise what freeing `own` gave."""


class BoardMemory:
    """One buffer on the board.

    The server works on a buffer for as long as a stream to or from it runs, and would go on working on freed memory, as
    would hardware that was given its address. So `free` stops the hardware that has the buffer pinned, and hands it
    back only when the last use of it has ended.

    Attributes:
        id: what the server calls it; soon after it is freed another buffer has that name.
        server: the life of the server that allocated it.
        nbytes: size in bytes.
        cacheable: whether the board's processor caches it.
        physical_address: where the hardware finds it.
        virtual_address: where the board server has it mapped.
        torn: whether an upload was cut off, so that the content is undefined until a whole one succeeds.
        freed: whether it was freed, or is about to be.
        quiet_at: loop time before which it must not be freed, because a stream was cut off and may still run there.
    """

    def __init__(self, pool: Pool, identifier: str, server: Server, nbytes: int, *, cacheable: bool) -> None:
        self.id = identifier
        self.server = server
        self.nbytes = nbytes
        self.cacheable = cacheable
        self.physical_address = 0
        self.virtual_address = 0
        self.torn = False
        self.freed = False
        self.quiet_at = 0.0
        self._pool = pool
        self._connection = pool.connection
        self._uses = 0
        self._pins: dict[object, Callable[[], Awaitable[None]]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def board(self) -> str:
        """The name of the board."""
        return self._connection.board

    def __str__(self) -> str:
        return f"the buffer of {self.nbytes} bytes at {self.physical_address:#x}"

    def __del__(self) -> None:
        if not self.freed:
            self.abandon()  # first: the warning may be an error
            warnings.warn(f"{self} on {self.board} was never freed", ResourceWarning, stacklevel=2, source=self)

    async def fetch_addresses(self) -> None:
        """Ask for both addresses, once; they never change."""
        request = m.AddressRequest(buffer_id=self.id)

        async def fetch(method: Method[m.AddressRequest, m.AddressResponse]) -> None:
            address = (await self._call(method, request, changing=False)).address

            if not address:
                raise ProtocolViolation(self._connection.board, f"{method} of a new buffer is 0")

            setattr(self, method.name, address)

        await for_each((methods.PHYSICAL_ADDRESS, methods.VIRTUAL_ADDRESS), fetch, width=2)

    async def upload(self, data: memoryview, progress: ProgressCallback | None) -> None:
        """Write `data` to the buffer's first bytes, then flush the board's cache."""
        connection, total = self._connection, len(data)

        def report(done: int) -> None:
            if progress is not None:
                progress(Progress(connection.board, "to board", done, total))

        async with self._stream():
            was_torn, self.torn = self.torn, True
            messages = frames(m.BufferWriteRequest(buffer_id=self.id), 2, data, report)
            await self._known(connection.streams.push(methods.BUFFER_WRITE, messages, admit=self._admit))
            self.torn = was_torn and total < self.nbytes

        await self._call(methods.FLUSH, m.FlushRequest(buffer_id=self.id), changing=True)

    async def download(self, into: memoryview, skip: int, progress: ProgressCallback | None) -> None:
        """Invalidate the board's cache, then fill `into` with the buffer's bytes after the first `skip`."""
        await self._call(methods.INVALIDATE, m.InvalidateRequest(buffer_id=self.id), changing=True)

        try:
            await self._fetch(into, skip, progress)
        except ConnectionLost:  # reading again does no harm
            await self._connection.current()
            await self._fetch(into, skip, progress)

    def pin(self, quiesce: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Keep the memory while hardware uses it; `quiesce` stops that hardware. Calling what is returned unpins it."""
        self._connection.check_loop()
        self.check()
        pin = object()
        self._pins[pin] = quiesce
        self._pool.pinned.add(self)
        return lambda: self._unpin(pin)

    async def quiesce(self) -> None:
        """Stop all hardware that uses the memory; raises what a `quiesce` raised, and leaves the rest pinned."""
        while self._pins:
            pin, quiesce = next(iter(self._pins.items()))

            with suppress(DesignReplaced, BoardRebooted):  # then the hardware is not there any more
                await quiesce()

            self._unpin(pin)

    async def free(self) -> None:
        """Give the memory back, after the last use has ended; does nothing if it was freed or its server is gone.

        Hardware that has it pinned is stopped first. If it cannot be stopped, the memory stays and the error comes out.
        """
        self._connection.check_loop()

        if not self.freed and self._pins:
            try:
                await to_the_end(self.quiesce())
            except asyncio.CancelledError:
                if not self._pins:
                    self.abandon()

                raise

        if not self.freed:
            await self.retire()
            await self._pool.free_discarded(self)

    async def retire(self) -> None:
        """Refuse new uses and wait for those under way; after that the memory is in the pool's list."""
        if not self.freed:
            self.abandon()

        await self._idle.wait()

    def abandon(self) -> None:
        """Leave the memory to whoever next holds the board's buffers alone, once nothing uses it any more."""
        if not self.freed:
            self.freed = True
            self._discard_if_unused()

    def belongs_to(self, connection: Connection) -> bool:
        """Whether it was allocated over this connection."""
        return self._connection is connection

    def check(self) -> None:
        """Raise `BufferFreed` when the memory was given back, `StaleHandle` when its server is known to be gone."""
        if self.freed:
            raise BufferFreed(self.board, f"{self} was freed; allocate a new one")

        self._connection.check_server(self.server, str(self))

    async def _fetch(self, into: memoryview, skip: int, progress: ProgressCallback | None) -> None:
        board, end = self._connection.board, skip + len(into)
        position = 0

        def sink(hold: Hold, message: bytes) -> bool:
            nonlocal position
            hold.release()  # the server searches its map once a call, before the first message
            data, rest = payload(board, message, field=3)

            if rest:
                said = m.BufferReadResponse.FromString(rest).msg
                raise ServerError(board, f"the board server says {said!r} while it sends {self}")

            first, last = max(skip - position, 0), min(end - position, len(data))

            if first < last:
                into[position + first - skip : position + last - skip] = data[first:last]

            position += len(data)

            if position > self.nbytes:
                raise ProtocolViolation(board, f"the board server sends more than there is in {self}")

            if progress is not None:
                progress(Progress(board, "from board", max(min(position, end) - skip, 0), len(into)))

            return end <= position < self.nbytes

        async with self._stream() as stream:
            request = m.BufferReadRequest(buffer_id=self.id)
            consume = partial(sink, stream.hold)
            pull = self._connection.streams.pull(methods.BUFFER_READ, request, consume, admit=self._admit)
            stream.cut = not await self._known(pull)

        if position < end:
            raise ProtocolViolation(
                board, f"the board server sent {position} bytes of {self} and stopped; what was read is not reliable"
            )

    async def _call(self, method: Method[Request, Response], request: Request, *, changing: bool) -> Response:
        with self._use():
            async with self._connection.arbiter.buffers.shared():
                return await self._known(
                    self._connection.calls.unary(method, request, changing=changing, admit=self._admit)
                )

    async def _admit(self) -> None:
        await self._connection.same_server(self.server, str(self))

    async def _known(self, call: Awaitable[T]) -> T:
        """Say what it means when the server does not know the buffer."""
        try:
            return await call
        except UnknownHandle:
            pass
        except ServerError as error:
            if "not found" not in str(error):  # an upload says it in its answer, with status OK
                raise

        raise await self._connection.unknown_handle(self.server, str(self))

    @contextmanager
    def _use(self) -> Iterator[None]:
        """Keep the memory from being freed meanwhile."""
        self._connection.check_loop()
        self.check()
        self._uses += 1
        self._idle.clear()

        try:
            yield
        finally:
            self._uses -= 1

            if not self._uses:
                self._idle.set()
                self._discard_if_unused()

    def _unpin(self, pin: object) -> None:
        if self._pins.pop(pin, None) is not None and not self._pins:
            self._pool.pinned.discard(self)
            self._discard_if_unused()

    def _discard_if_unused(self) -> None:
        if self.freed and not self._uses and not self._pins:
            self._pool.discard(self)

    @asynccontextmanager
    async def _stream(self) -> AsyncIterator["_Stream"]:
        """Use the memory for a stream; when it is cut off, leave the server the grace to notice."""
        arbiter, grace = self._connection.arbiter, self._connection.timeouts.grace

        with self._use():
            async with arbiter.streams, arbiter.buffers.shared() as hold:
                stream = _Stream(hold)

                try:
                    yield stream
                except BaseException:
                    stream.cut = True
                    raise
                finally:
                    if stream.cut:
                        loop = asyncio.get_running_loop()
                        loop.call_later(grace, hold.hand_over().release)
                        self.quiet_at = loop.time() + grace


@dataclass(slots=True)
class _Stream:
    """A stream under way: the share of the server's map it holds, and whether it was cut off before its end."""

    hold: Hold
    cut: bool = False
