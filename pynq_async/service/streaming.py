"""Bodies that come and go in pieces, from and to clients that may stop halfway."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from .departure import ClientGone, while_there
from .problems import Refusal

_SLOWEST = 1024  # bytes a second


async def pieces(request: Request, *, most: int, stall: float) -> AsyncGenerator[bytes, None]:
    """The body of a request as it comes; raises `Refusal` when it is too long, stands still, crawls, or is cut off.

    It crawls when it takes more than `stall` seconds and one for each KiB: it would keep room from others for ever.
    """
    received, begun = 0, time.monotonic()

    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout(stall):
                    piece = await anext(stream, None)
            except TimeoutError:
                raise Refusal(408, "stalled", f"nothing came for {stall:g} s") from None
            except ClientDisconnect:
                raise Refusal(400, "cut-off", f"the body was cut off after {received} bytes") from None

            if piece is None:
                return

            received += len(piece)

            if received > most:
                raise Refusal(413, "too-large", f"this may have at most {most} bytes")

            if (seconds := time.monotonic() - begun) > stall + received / _SLOWEST:
                raise Refusal(408, "stalled", f"this is too slow: {received} bytes came in {seconds:.0f} s")

            yield piece


def body_size(request: Request, most: int) -> int:
    """How many bytes the body of a request has, or `most` when it does not say so."""
    if "transfer-encoding" in request.headers:
        return most

    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() else most


class GuardedStream(StreamingResponse):
    """A response in pieces, which is cut off when the client takes nothing for `stall` seconds.

    It is cut off too when `content` raises a `Refusal`: its beginning was sent, so nothing else can be answered.
    """

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        stall: float,
        *,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._pieces = content
        self._stall = stall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it to a client that is there; Starlette leaves it to some servers to say that one is not."""
        with suppress(ClientGone):
            await while_there(Request(scope, receive), self.stream_response(send))

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""

        async def guarded(message: Message) -> None:
            async with asyncio.timeout(self._stall):
                await send(message)

        async with aclosing(self._pieces):
            with suppress(TimeoutError, Refusal):  # the server closes the connection, since the response has no end
                await super().stream_response(guarded)
