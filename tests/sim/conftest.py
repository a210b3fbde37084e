"""A raw gRPC client for simulated boards: bytes over the wire, nothing of the SDK in between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from pynq_async.sim import SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods
from pynq_async.wire.methods import Method, Request, Response

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)


class RawClient:
    """One channel; every method by its description, with messages in and out."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.channel = grpc.aio.insecure_channel(address, _OPTIONS)

    async def call(self, method: Method[Request, Response], *requests: Request, timeout: float = 5.0) -> Response:
        """Make a call with one reply; a client stream takes any number of requests."""
        if method.client_stream:
            upload: Any = self.channel.stream_unary(
                method.path, request_serializer=_encode, response_deserializer=method.response.FromString
            )
            upload_reply: Response = await upload(iter(requests), timeout=timeout)
            return upload_reply

        unary: Any = self.channel.unary_unary(
            method.path, request_serializer=_encode, response_deserializer=method.response.FromString
        )
        reply: Response = await unary(requests[0] if requests else method.request(), timeout=timeout)
        return reply

    async def stream(self, method: Method[Request, Response], request: Request, timeout: float = 5.0) -> list[Response]:
        """Make a call with many replies and collect them."""
        return [reply async for reply in self.open(method, request, timeout)]

    def open(self, method: Method[Request, Response], request: Request, timeout: float | None = 5.0) -> Any:
        """Begin a call with many replies."""
        multi: Any = self.channel.unary_stream(
            method.path, request_serializer=_encode, response_deserializer=method.response.FromString
        )
        return multi(request, timeout=timeout)

    def upload(self, method: Method[Request, Response], timeout: float | None = 5.0) -> Any:
        """Begin a client stream that is fed with `write`."""
        multi: Any = self.channel.stream_unary(
            method.path, request_serializer=_encode, response_deserializer=method.response.FromString
        )
        return multi(timeout=timeout)

    def converse(
        self, method: Method[Request, Response], requests: Iterable[Request], timeout: float | None = 5.0
    ) -> Any:
        """Begin a call with streams both ways."""
        multi: Any = self.channel.stream_stream(
            method.path, request_serializer=_encode, response_deserializer=method.response.FromString
        )
        return multi(iter(requests), timeout=timeout)

    async def read_file(self, path: str) -> bytes:
        """Read a file of the board."""
        parts = await self.stream(methods.READ_FILE, m.ReadFileRequest(file_path=path))
        return b"".join(part.data for part in parts)

    async def write_file(self, path: str, data: bytes) -> None:
        """Write a file of the board."""
        await self.call(methods.WRITE_FILE, m.WriteFileRequest(file_path=path, data=data))

    async def map(self, base: int = 0x4000_0000, length: int = 4096) -> str:
        """Map a window and give its id."""
        return (await self.call(methods.GET_MMIO, m.GetMmioRequest(base_addr=base, length=length))).mmio_id

    async def load(self, window: str, offset: int = 0) -> int:
        """Read a register."""
        return (await self.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window, offset=offset, length=4))).data

    async def store(self, window: str, offset: int, value: int | bytes) -> None:
        """Write a register."""
        data = value if isinstance(value, bytes) else value.to_bytes(4, "little")
        await self.call(methods.MMIO_WRITE, m.WriteRequest(mmio_id=window, offset=offset, data=data))

    async def allocate(self, size: int, *, cacheable: bool = False) -> str:
        """Allocate a buffer and give its id, empty when there is none."""
        reply = await self.call(methods.ALLOCATE, m.AllocateRequest(size=size, dtype="|u1", cacheable=cacheable))
        return reply.buffer_id

    async def fill(self, buffer_id: str, *parts: bytes) -> m.BufferWriteResponse:
        """Write a buffer in so many messages."""
        return await self.call(
            methods.BUFFER_WRITE, *(m.BufferWriteRequest(buffer_id=buffer_id, data=part) for part in parts)
        )

    async def fetch(self, buffer_id: str) -> list[bytes]:
        """Read a buffer, message by message."""
        return [part.data for part in await self.stream(methods.BUFFER_READ, m.BufferReadRequest(buffer_id=buffer_id))]

    async def free(self, buffer_id: str) -> None:
        """Free a buffer."""
        await self.call(methods.FREE_BUFFER, m.FreeBufferRequest(buffer_id=buffer_id))

    async def until_served(self) -> None:
        """Wait until the board answers again."""
        async with asyncio.timeout(5):
            while True:
                try:
                    await self.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path="/"))
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)
                else:
                    return


def _encode(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data


@asynccontextmanager
async def connected(board: SimBoard, port: int = 0) -> AsyncIterator[RawClient]:
    """Serve a board and connect a raw client to it."""
    async with serve(board, port=port) as address:
        client = RawClient(address)

        try:
            yield client
        finally:
            await client.channel.close()


@pytest.fixture
async def board() -> SimBoard:
    return SimBoard()


@pytest.fixture
async def client(board: SimBoard) -> AsyncIterator[RawClient]:
    async with connected(board) as raw:
        yield raw


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Await what must fail, and give its status."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call

    return caught.value.code(), caught.value.details() or ""


async def eventually(reached: Callable[[], bool]) -> None:
    """Let the loop turn until something holds."""
    async with asyncio.timeout(5):
        while not reached():
            await asyncio.sleep(0.001)
