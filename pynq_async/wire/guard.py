"""What every remote call goes through: started in one way, ended in one way, with errors of our own.

grpc.aio swallows a cancellation that hits the await of a unary call and raises a fresh one, by which anyio's scopes no
longer know their own. Therefore no call is awaited that is not done: `finished_event` wakes its caller.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from ..config import Timeouts
from ..errors import BoardError, ConnectionLost, ProtocolViolation, ServerError
from ..progress import Traffic
from .methods import Method, Response
from .status import closed, cut_off, error_for

# Awaited with the call's slot in hand, directly before the call is started: the place to check what it relies on.
# Without one a call still waits until the server at the other end is known: no call but those that ask for its identity
# may bring a lost connection back, or the next one would take a new server for the old.
Admit: TypeAlias = Callable[[], Awaitable[None]]


# What grpc.aio says when it could not write to a stream that is gone: the server has nothing to do with it.
_BROKEN_WRITE = "Internal error from Core"


class Guard:
    """Starts calls on one channel, and says what their ends mean.

    Attributes:
        board: the name that stands in every error.
        timeouts: how long things may take.
        reach: awaited before a call that has no check of its own.
        closed: whether no call is started any more.
        traffic: what has gone over the channel.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        board: str,
        timeouts: Timeouts,
        *,
        check_loop: Callable[[], None],
        reach: Admit,
        steady: Callable[[], bool],
        lost: Callable[[], None],
    ) -> None:
        self.board = board
        self.timeouts = timeouts
        self.reach = reach
        self.closed = False
        self.traffic = Traffic()
        self._channel = channel
        self._check_loop = check_loop
        self._steady = steady
        self._lost = lost
        self._unsent: set[Any] = set()
        self._callables: dict[Method[Any, Any], Any] = {}

    def start(self, method: Method[Any, Any]) -> Any:
        """The callable that starts a call of `method`; raises `NotOpen` or `WrongLoop`."""
        self._check_loop()

        if self.closed:
            raise closed(self.board, method)

        callable_ = self._callables.get(method)

        if callable_ is None:
            shape = ("stream" if method.client_stream else "unary") + "_"
            shape += "stream" if method.server_stream else "unary"
            # No serialisers: one that fails makes gRPC send an empty message, or hand over None, without an error.
            callable_ = self._callables[method] = getattr(self._channel, shape)(method.path)

        return callable_

    def begin(self, method: Method[Any, Any], *request: Any, timeout: float | None = None, anyhow: bool = False) -> Any:
        """Start a call of `method`; `anyhow` on whatever connection there is or can be had.

        gRPC sends a call one turn of the loop later. If the connection breaks in between, a new one would carry the
        call to a server that its handles do not belong to: such a call is cut off just before, with nothing sent.
        """
        start = self.start(method)
        started: list[Any] = []

        def look_again() -> None:
            if not self._steady() and started[0].cancel():
                self._unsent.add(started[0])

        if not anyhow:
            asyncio.get_running_loop().call_soon(look_again)

        call = start(*request, timeout=timeout)
        started.append(call)
        return call

    def was_unsent(self, method: Method[Any, Any], call: Any) -> ConnectionLost | None:
        """The error for a call that was cut off before it was sent."""
        if call not in self._unsent:
            return None

        self._unsent.discard(call)
        self._lost()
        return ConnectionLost(self.board, f"{method}: the connection to the board is lost; nothing was sent")

    async def outcome(self, method: Method[Any, Any], call: Any, *, changing: bool) -> bytes:
        """The raw answer of a call that is done; raises what its failure means."""
        try:
            raw: bytes = await call  # done: this does not suspend, so that a cancellation is not ours but the call's
        except grpc.aio.AioRpcError as error:
            raise self.failure(method, error, changing=changing) from None
        except asyncio.CancelledError:
            if unsent := self.was_unsent(method, call):
                raise unsent from None

            if self.closed:
                raise cut_off(self.board, method) from None

            raise

        self.traffic.received += len(raw)
        return raw

    def failure(self, method: Method[Any, Any], error: grpc.aio.AioRpcError, *, changing: bool) -> BoardError:
        """What a failure means; that the connection is lost is passed on."""
        code = error.code()

        if code is grpc.StatusCode.INTERNAL and error.details() == _BROKEN_WRITE:
            code = grpc.StatusCode.UNAVAILABLE

        if code is grpc.StatusCode.UNAVAILABLE:
            self._lost()

        return error_for(self.board, method, code, error.details(), changing=changing)

    def parse(self, method: Method[Any, Response], raw: bytes) -> Response:
        """The message in a raw answer; an error the server put into it is raised as `ServerError`."""
        try:
            response = method.response.FromString(raw)
        except DecodeError:
            raise ProtocolViolation(self.board, f"{method}: the answer is no {method.response.__name__}") from None

        if said := getattr(response, "msg", None) or getattr(response, "message", None):
            raise ServerError(self.board, f"{method}: the board server says {said!r}")

        return response


def finished_event(call: Any) -> asyncio.Event:
    """An event that is set when the call is done, whatever its end."""
    finished = asyncio.Event()
    call.add_done_callback(lambda _: finished.set())
    return finished
