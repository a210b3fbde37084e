"""Streams of raw messages, for bulk data: bounded by a stall timeout and not by a total one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import grpc.aio

from ..errors import BoardError, DeadlineExceeded, DeadlineOutcomeUnknown, ProtocolViolation, ServerError
from .guard import Admit, Guard, finished_event
from .methods import Method, Request, Response
from .stall import StallWatch
from .status import cut_off

_IN_FLIGHT = 8 << 20  # what the system's and gRPC's buffers were seen to swallow of an upload


class Streams:
    """Streams to and from one board."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._under_way: set[Any] = set()
        self._ending = False

    async def pull(
        self,
        method: Method[Request, Any],
        request: Request,
        sink: Callable[[bytes], bool | Awaitable[bool]],
        *,
        admit: Admit | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Read a stream, giving each raw message to `sink` until it returns True or the stream ends.

        Returns whether the stream ended by itself; bounded by the stall timeout, and by `timeout` in all. Takes no
        slot: whoever starts a bulk stream takes one from the arbiter.
        """
        await (admit or self._guard.reach)()

        if self._ending:
            raise cut_off(self._guard.board, method)

        return await self._pull(method, request, sink, timeout)

    async def direct_pull(
        self,
        method: Method[Request, Any],
        request: Request,
        sink: Callable[[bytes], bool | Awaitable[bool]],
        *,
        timeout: float,
    ) -> bool:
        """As `pull`, on whatever connection there is or can be had: for the server's identity only."""
        return await self._pull(method, request, sink, timeout, anyhow=True)

    async def _pull(
        self,
        method: Method[Request, Any],
        request: Request,
        sink: Callable[[bytes], bool | Awaitable[bool]],
        timeout: float | None,
        *,
        anyhow: bool = False,
    ) -> bool:
        asked = request.SerializeToString()
        call = self._guard.begin(method, asked, timeout=timeout, anyhow=anyhow)
        self._guard.traffic.sent += len(asked)
        watch = StallWatch(call, self._guard.timeouts.stall)
        self._under_way.add(call)

        try:
            while (message := await call.read()) is not grpc.aio.EOF:
                watch.progressed()
                self._guard.traffic.received += len(message)
                enough = sink(message)

                if enough if isinstance(enough, bool) else await enough:
                    return False

            return True
        except (asyncio.CancelledError, grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            if unsent := self._guard.was_unsent(method, call):
                raise unsent from None

            raise self._translated(method, error, watch, changing=False) from _cause(error)
        finally:
            watch.stop()
            self._under_way.discard(call)
            call.cancel()

    async def push(
        self,
        method: Method[Any, Response],
        messages: Iterable[bytes] | bytes,
        *,
        admit: Admit | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Write a stream of raw messages and return the answer; bounded by the stall timeout, and by `timeout` in all.

        A single message in the place of several is the same to the server and half the work to gRPC.

        A server that answers early is heard: what it says counts, not that it was interrupted. An error raised by
        `messages` comes out as it is.
        """
        await (admit or self._guard.reach)()

        if self._ending:
            raise cut_off(self._guard.board, method)

        failure: Exception | None = None
        sent, complete = 0, False

        def feed(messages: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal failure, sent, complete

            try:
                for message in messages:
                    yield message  # gRPC asks for the next one when it has handed this one on
                    watch.progressed()
                    sent += len(message)
                    self._guard.traffic.sent += len(message)
            except Exception as error:  # gRPC would swallow it
                failure = error
                raise

            watch.allow(min(sent / _IN_FLIGHT, 1.0))
            complete = True

        if isinstance(messages, bytes):
            call = self._guard.begin(replace(method, client_stream=False), messages, timeout=timeout)
            self._guard.traffic.sent += len(messages)
            complete = True
        else:
            # Not `call.write`: that waits for ever when the call is cancelled before its metadata is sent.
            call = self._guard.begin(method, feed(messages), timeout=timeout)

        finished = finished_event(call)
        watch = StallWatch(call, self._guard.timeouts.stall)
        self._under_way.add(call)

        try:
            await finished.wait()

            if failure is not None:
                raise failure

            response = self._guard.parse(method, await self._guard.outcome(method, call, changing=True))
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            raise self._translated(method, error, watch, changing=True) from _cause(error)
        finally:
            watch.stop()
            self._under_way.discard(call)
            call.cancel()

        if not complete:
            raise ServerError(self._guard.board, f"{method}: the board server stopped before it had everything")

        return response

    async def exchange(self, method: Method[Request, Response], request: Request, timeout: float) -> Response:
        """Send one message into a two-way stream and return the first answer."""
        # As one message and no stream, which is the same to the server: grpc.aio loses a cancellation that hits a
        # two-way stream while it is begun, as it does with unary calls.
        call = self._guard.begin(replace(method, client_stream=False), request.SerializeToString(), timeout=timeout)

        try:
            message = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._guard.failure(method, error, changing=False) from None
        except asyncio.CancelledError:
            if unsent := self._guard.was_unsent(method, call):
                raise unsent from None

            raise
        finally:
            call.cancel()

        if message is grpc.aio.EOF:
            raise ProtocolViolation(self._guard.board, f"{method}: no answer")

        return self._guard.parse(method, message)

    def end(self) -> None:
        """Cut off the bulk streams under way, so that nobody has to wait for them; they end with `NotOpen`."""
        self._ending = True

        for call in list(self._under_way):
            call.cancel()

    def _translated(
        self, method: Method[Any, Any], error: BaseException, watch: StallWatch, *, changing: bool
    ) -> BaseException:
        if isinstance(error, grpc.aio.AioRpcError):
            return self._guard.failure(method, error, changing=changing)

        task = asyncio.current_task()

        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            return error

        if watch.stalled:
            kind = DeadlineOutcomeUnknown if changing else DeadlineExceeded
            return kind(self._guard.board, f"{method}: no progress in {self._guard.timeouts.stall:g} s")

        if self._ending or isinstance(error, grpc.aio.UsageError):
            return cut_off(self._guard.board, method)

        return error


def _cause(error: BaseException) -> BaseException | None:
    return None if isinstance(error, (asyncio.CancelledError, BoardError)) else error
