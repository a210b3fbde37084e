"""Buffers that clients have on their boards."""

import secrets
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from fastapi import Request
from starlette.types import Receive, Scope, Send

from ..board.buffer import Buffer, element_type
from .departure import while_there
from .leases import ServiceLease
from .npy import LARGEST_HEADER, NPY, RAW, Filling, Layout, header, layout, slices, unpacked, wrong_length
from .problems import Refusal
from .streaming import GuardedStream, pieces


class LeasedBuffer:
    """A buffer of a lease.

    Data comes and goes through the host's side of the buffer, of which there is one: so one request at a time. While a
    client sends or takes data the board is not in use, so that a slow client does not keep it once the lease has ended.

    Attributes:
        id: names it in requests; never given to another one.
        array: the buffer.
    """

    def __init__(self, lease: ServiceLease, board: str, array: Buffer) -> None:
        self.id = secrets.token_urlsafe(8)
        self.array = array
        self._lease = lease
        self._board = board
        self._busy = False

    @property
    def board(self) -> str:
        """The name of the board."""
        return self._board

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other request use the host's side meanwhile; raises `Refusal` when one does."""
        if self._busy:
            busy = f"{self._board}: another request writes or reads this buffer now"
            raise Refusal(409, "buffer-busy", busy, {"Retry-After": "1"})

        self._busy = True

        try:
            yield
        finally:
            self._busy = False

    async def write(self, request: Request, stall: float) -> None:
        """Take the body of a request; the board has it when all of it has come, and nothing of it before."""
        npy, nbytes = is_npy(request), self.array.nbytes
        length = request.headers.get("content-length", "")

        if not npy and length.isdecimal() and int(length) != nbytes:
            raise wrong_length(nbytes, length)

        with self.alone():
            filling = Filling(self.array)

            async with aclosing(pieces(request, most=nbytes + LARGEST_HEADER, stall=stall)) as body:
                if npy:
                    said, first = await unpacked(body)
                    self._check(said)
                    filling.add(first)

                async for piece in body:
                    self._lease.check_lasts()  # else slow clients would hold more memory than all boards have
                    filling.add(piece)

            filling.check_full()

            async with self._lease.use(self._board):
                await self.array.sync_to_device()

    async def read(self, request: Request) -> None:
        """Bring what the board has to the host's side; given up when the client goes."""
        async with self._lease.use(self._board):
            await while_there(request, self.array.sync_from_device())

    async def sent(self, head: bytes) -> AsyncGenerator[bytes, None]:
        """`head` and the bytes of the host's side, for as long as the lease lasts."""
        if head:
            yield head

        for piece in slices(self.array):
            self._lease.check_lasts()
            yield piece

    async def free(self) -> None:
        """Give the memory on the board back."""
        await self.array.free()

    def _check(self, said: Layout) -> None:
        own = layout(self.array)

        if said != own:
            raise Refusal(422, "wrong-array", f"{self._board}: the buffer has {own}, the file {said}")


class BufferResponse(GuardedStream):
    """The content of a buffer, taken from the board when it is about to be sent."""

    def __init__(self, buffer: LeasedBuffer, stall: float, *, npy: bool) -> None:
        head = header(buffer.array) if npy else b""
        length = {"Content-Length": str(len(head) + buffer.array.nbytes)}
        super().__init__(buffer.sent(head), stall, media_type=NPY if npy else RAW, headers=length)
        self._buffer = buffer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Synchronise and send; what goes wrong before the first byte is answered as a problem."""
        with self._buffer.alone():
            await self._buffer.read(Request(scope, receive))
            await super().__call__(scope, receive, send)


async def allocate(
    lease: ServiceLease, board: str, shape: list[int], dtype: str, *, cacheable: bool, most: int
) -> LeasedBuffer:
    """A new buffer of at most `most` bytes in a lease, which is freed with it; raises `Refusal`."""
    async with lease.use(board) as device:
        asked = Layout(tuple(shape), element_type(board, dtype)).nbytes

        if asked > most:
            raise Refusal(413, "too-large", f"{board}: a buffer has at most {most} bytes here, not {asked}")

        buffer = LeasedBuffer(lease, board, await device.allocate(shape, dtype, cacheable=cacheable))
        lease.buffers[buffer.id] = buffer
        return buffer


def find(lease: ServiceLease, board: str, identifier: str) -> LeasedBuffer:
    """A buffer on a board of a lease; raises `Refusal`."""
    found = lease.buffers.get(identifier)

    if found is None or found.board != board:
        raise Refusal(404, "no-such-buffer", f"{board}: your lease has no buffer {identifier!r}")

    return found


def is_npy(request: Request) -> bool:
    """Whether a body is a file of numpy's format, or plain bytes; raises `Refusal` for anything else."""
    kind = request.headers.get("content-type", RAW).partition(";")[0].strip().lower()

    if kind not in (RAW, NPY):
        raise Refusal(415, "unsupported-media-type", f"send {RAW} or {NPY}, not {kind}")

    return kind == NPY
