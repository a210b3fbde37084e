"""A raw gRPC client for simulated boards: bytes over the wire, nothing of the SDK in between."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from pynq_async.sim import SimBoard, serve
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


Predicate = Callable[[], bool]
