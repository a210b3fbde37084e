"""The one place that starts a remote call and waits for it.

grpc.aio swallows a cancellation that hits the await of a unary call and raises a fresh one, by which anyio's scopes no
longer know their own. Therefore nothing here awaits a call that is not done: the call's own done callback wakes us, and
a cancelled caller's call is given a short grace to end by itself (a call cut off in flight leaks memory in gRPC, and
its outcome is unknown) before it is really cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

import anyio
import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from ..config import Timeouts
from ..errors import BoardError, DeadlineExceeded, DeadlineOutcomeUnknown, ProtocolViolation, ServerError
from .arbiter import Arbiter
from .methods import Method
from .stall import StallWatch
from .status import closed, error_for

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Answer = TypeVar("Answer", bound=Message, contravariant=True)

_IN_FLIGHT = 8 << 20  # what the system's and gRPC's buffers were seen to swallow of an upload

# Awaited with the call's slot in hand, directly before the call is started: the place to check what it relies on.
# Without one a call still waits until the server at the other end is known: no call but those that ask for its identity
# may bring a lost connection back, or the next one would take a new server for the old.
Admit: TypeAlias = Callable[[], Awaitable[None]]


class Straggler(Protocol[Answer]):
    """Takes over a call that goes on without its caller."""

    def left(self) -> None:
        """The caller has gone; `arrived` will be called."""

    def arrived(self, response: Answer | None) -> None:
        """The call has ended with this answer, or failed."""


class Calls:
    """Remote calls to one board: deadlines, limits, errors of our own tree, safe cancellation.

    `board` is the name that stands in every error. A call that is `changing` something on the board fails with an
    `OutcomeUnknown` when its answer is lost.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        board: str,
        timeouts: Timeouts,
        arbiter: Arbiter,
        check_loop: Callable[[], None],
        reach: Admit,
        lost: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._check_loop = check_loop
        self._reach = reach
        self._lost = lost
        self._board = board
        self._timeouts = timeouts
        self._arbiter = arbiter
        self._callables: dict[str, Any] = {}
        self._under_way: set[asyncio.Event] = set()
        self._outliving: set[asyncio.Event] = set()
        self._streams: set[Any] = set()
        self._ending = False
        self._closed = False

    async def unary(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        changing: bool = False,
        admit: Admit | None = None,
        straggler: Straggler[Response] | None = None,
    ) -> Response:
        """Make a short call; raises what `wire.status` makes of its failure, and `ServerError` for an in-band message.

        With a `straggler` the call may outlive its caller: our waiting ends after the allocate timeout, or when we
        are cancelled, but the call goes on for as long again and its answer is given to the straggler.
        """
        async with self._arbiter.calls:
            await (admit or self._reach)()
            return await self.direct(method, request, changing=changing, straggler=straggler)

    async def direct(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        changing: bool = False,
        timeout: float | None = None,
        straggler: Straggler[Response] | None = None,
    ) -> Response:
        """As `unary`, without waiting for a free slot: for the calls that others wait for, such as the identity."""
        deadline = timeout or self._timeouts.call
        call = self._start(method)(request.SerializeToString(), timeout=None if straggler else deadline)
        finished = _finished(call)
        self._under_way.add(finished)
        call.add_done_callback(lambda _: self._under_way.discard(finished))

        try:
            if straggler is None:
                await finished.wait()
            else:
                async with asyncio.timeout(self._timeouts.allocate):
                    await finished.wait()
        except (asyncio.CancelledError, TimeoutError) as stop:
            cancellation = await self._grace(finished)

            if straggler is not None:
                self._let_outlive(method, call, straggler)
            elif not finished.is_set():
                call.cancel()

            if isinstance(stop, asyncio.CancelledError):
                raise

            if cancellation is not None:
                raise cancellation from None

            raise DeadlineOutcomeUnknown(
                self._board, f"{method}: no answer in {self._timeouts.allocate:g} s; a late one is taken care of"
            ) from None

        return self._parse(method, await self._outcome(method, call, changing=changing))

    async def pull(
        self,
        method: Method[Request, Any],
        request: Request,
        sink: Callable[[bytes], bool | Awaitable[bool]],
        *,
        admit: Admit | None = None,
    ) -> bool:
        """Read a stream, giving each raw message to `sink` until it returns True or the stream ends.

        Returns whether the stream ended by itself; bounded by the stall timeout. Takes no slot: whoever starts a bulk
        stream takes one from the arbiter.
        """
        await (admit or self._reach)()
        return await self.direct_pull(method, request, sink)

    async def direct_pull(
        self,
        method: Method[Request, Any],
        request: Request,
        sink: Callable[[bytes], bool | Awaitable[bool]],
        *,
        timeout: float | None = None,
    ) -> bool:
        """As `pull`, on whatever connection there is or can be had, and within `timeout` seconds in all."""
        call = self._start(method)(request.SerializeToString(), timeout=timeout)
        watch = StallWatch(call, self._timeouts.stall)
        self._streams.add(call)

        try:
            while True:
                message = await call.read()

                if message is grpc.aio.EOF:
                    return True

                watch.progressed()

                enough = sink(message)

                if enough if isinstance(enough, bool) else await enough:
                    return False
        except (asyncio.CancelledError, grpc.aio.AioRpcError, grpc.aio.UsageError) as error:
            raise self._translated(method, error, watch, changing=False) from _cause(error)
        finally:
            watch.stop()
            self._streams.discard(call)
            call.cancel()

    async def push(
        self,
        method: Method[Any, Response],
        messages: Iterable[bytes],
        *,
        admit: Admit | None = None,
    ) -> Response:
        """Write a stream of raw messages and return the answer; bounded by the stall timeout.

        A server that answers early is heard: what it says counts, not that it was interrupted. An error raised by
        `messages` comes out as it is.
        """
        await (admit or self._reach)()
        failure: Exception | None = None
        sent, complete = 0, False

        def feed() -> Iterator[bytes]:
            nonlocal failure, sent, complete

            try:
                for message in messages:
                    yield message  # gRPC asks for the next one when it has handed this one on
                    watch.progressed()
                    sent += len(message)
            except Exception as error:  # gRPC would swallow it
                failure = error
                raise

            watch.allow(min(sent / _IN_FLIGHT, 1.0))
            complete = True

        # Not `call.write`: that waits for ever when the call is cancelled before its metadata is sent.
        call = self._start(method)(feed())
        finished = _finished(call)
        watch = StallWatch(call, self._timeouts.stall)
        self._streams.add(call)

        try:
            await finished.wait()
            response = self._parse(method, await self._outcome(method, call, changing=True))
        except (asyncio.CancelledError, grpc.aio.UsageError) as error:
            if failure is not None:
                raise failure from None

            raise self._translated(method, error, watch, changing=True) from _cause(error)
        finally:
            watch.stop()
            self._streams.discard(call)
            call.cancel()

        if not complete:
            raise ServerError(self._board, f"{method}: the board server stopped before it had everything")

        return response

    async def exchange(self, method: Method[Request, Response], request: Request, timeout: float) -> Response:
        """Send one message into a two-way stream and return the first answer."""
        call = self._start(method)(iter([request.SerializeToString()]), timeout=timeout)

        try:
            message = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._failure(method, error, changing=False) from None
        finally:
            call.cancel()

        if message is grpc.aio.EOF:
            raise ProtocolViolation(self._board, f"{method}: no answer")

        return self._parse(method, message)

    def end_streams(self) -> None:
        """Cut off the bulk streams under way, so that nobody has to wait for them; they end with `NotOpen`."""
        self._ending = True

        for call in list(self._streams):
            call.cancel()

    async def close(self) -> None:
        """Start no call any more; short ones under way have the grace to end, those without a caller the timeout."""
        self._ending = self._closed = True

        with anyio.move_on_after(self._timeouts.grace, shield=True):
            for finished in list(self._under_way):
                await finished.wait()

        with anyio.move_on_after(self._timeouts.call, shield=True):
            for arrived in list(self._outliving):
                await arrived.wait()

    def _start(self, method: Method[Any, Any]) -> Any:
        self._check_loop()

        if self._closed:
            raise closed(self._board, method)

        callable_ = self._callables.get(method.path)

        if callable_ is None:
            shape = ("stream" if method.client_stream else "unary") + "_"
            shape += "stream" if method.server_stream else "unary"
            # No serialisers: one that fails makes gRPC send an empty message, or hand over None, without an error.
            callable_ = self._callables[method.path] = getattr(self._channel, shape)(method.path)

        return callable_

    async def _outcome(self, method: Method[Any, Any], call: Any, *, changing: bool) -> bytes:
        try:
            raw: bytes = await call  # done: this does not suspend, so that a cancellation is not ours but the call's
        except grpc.aio.AioRpcError as error:
            raise self._failure(method, error, changing=changing) from None
        except asyncio.CancelledError:
            if self._closed:
                raise closed(self._board, method) from None

            raise

        return raw

    def _failure(self, method: Method[Any, Any], error: grpc.aio.AioRpcError, *, changing: bool) -> BoardError:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            self._lost()

        return error_for(self._board, method, error.code(), error.details(), changing=changing)

    def _parse(self, method: Method[Any, Response], raw: bytes) -> Response:
        try:
            response = method.response.FromString(raw)
        except DecodeError:
            raise ProtocolViolation(self._board, f"{method}: the answer is no {method.response.__name__}") from None

        if said := getattr(response, "msg", None) or getattr(response, "message", None):
            raise ServerError(self._board, f"{method}: the board server says {said!r}")

        return response

    async def _grace(self, finished: asyncio.Event) -> asyncio.CancelledError | None:
        """Let a call finish after all; further cancellations do not shorten it, the first of them is returned.

        While the server may still be inside the call its caller must not give back the lock it holds.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timeouts.grace
        cancellation = None

        while not finished.is_set() and loop.time() < end:
            try:
                with anyio.move_on_after(end - loop.time(), shield=True):
                    await finished.wait()
            except asyncio.CancelledError as error:
                cancellation = cancellation or error

        return cancellation

    def _let_outlive(self, method: Method[Any, Response], call: Any, straggler: Straggler[Response]) -> None:
        """Let a call go on without its caller, and give its answer to `straggler`."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        end = loop.call_later(self._timeouts.allocate, call.cancel)  # a frozen board must not block the others for ever
        self._outliving.add(arrived)
        straggler.left()

        def arrive() -> None:
            end.cancel()
            response = None

            try:
                call.__await__().send(None)  # done: it returns at once
            except StopIteration as answer:
                response = method.response.FromString(answer.value)
            except (grpc.aio.AioRpcError, asyncio.CancelledError):
                pass  # it failed: nothing was changed, as far as can be known
            finally:
                straggler.arrived(response)
                self._outliving.discard(arrived)
                arrived.set()

        # The callback runs a step before the call's own task has its result.
        call.add_done_callback(lambda _: loop.call_soon(arrive))

    def _translated(
        self, method: Method[Any, Any], error: BaseException, watch: "StallWatch", *, changing: bool
    ) -> BaseException:
        if isinstance(error, grpc.aio.AioRpcError):
            return self._failure(method, error, changing=changing)

        task = asyncio.current_task()

        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            return error

        if watch.stalled:
            kind = DeadlineOutcomeUnknown if changing else DeadlineExceeded
            return kind(self._board, f"{method}: no progress in {self._timeouts.stall:g} s")

        if self._ending or isinstance(error, grpc.aio.UsageError):
            return closed(self._board, method)

        return error


def _finished(call: Any) -> asyncio.Event:
    finished = asyncio.Event()
    call.add_done_callback(lambda _: finished.set())
    return finished


def _cause(error: BaseException) -> BaseException | None:
    return None if isinstance(error, (asyncio.CancelledError, BoardError)) else error
