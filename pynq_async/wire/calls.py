"""Short calls: a deadline, a slot, and a cancellation that does no harm.

A call cut off in flight leaks memory in gRPC, its outcome is unknown, and the server may still be inside it while its
caller gives back the lock it held. So a cancelled caller's call is given a short grace to end by itself first.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import anyio
import grpc.aio
from google.protobuf.message import Message

from ..errors import DeadlineOutcomeUnknown
from .arbiter import Arbiter
from .guard import Admit, Guard, finished_event
from .methods import Method, Request, Response

Answer = TypeVar("Answer", bound=Message, contravariant=True)


class Straggler(Protocol[Answer]):
    """Takes over a call that goes on without its caller.

    `patience` says how many seconds the caller waits, and for how many more the call goes on without it.
    """

    patience: float

    def left(self) -> None:
        """The caller has gone; `arrived` will be called."""

    def arrived(self, response: Answer | None) -> None:
        """The call has ended with this answer, or failed."""


class Calls:
    """Short calls to one board; one that is `changing` it fails with an `OutcomeUnknown` when its answer is lost."""

    def __init__(self, guard: Guard, arbiter: Callable[[], Arbiter]) -> None:
        self._guard = guard
        self._arbiter = arbiter
        self._under_way: set[asyncio.Event] = set()
        self._outliving: set[asyncio.Event] = set()

    async def unary(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        changing: bool = False,
        admit: Admit | None = None,
        straggler: Straggler[Response] | None = None,
        slots: asyncio.Semaphore | None = None,
    ) -> Response:
        """Make a short call; raises what `wire.status` makes of its failure, and `ServerError` for an in-band message.

        With a `straggler` the call may outlive its caller: our waiting ends after its patience, or when we are
        cancelled, but the call goes on for as long again and its answer is given to the straggler. A call that only
        waits on the board takes one of `slots`, so as not to hold up the others.
        """
        async with slots or self._arbiter().calls:
            await (admit or self._guard.reach)()
            return await self._call(method, request, changing=changing, straggler=straggler)

    async def _call(
        self,
        method: Method[Request, Response],
        request: Request,
        *,
        changing: bool,
        straggler: Straggler[Response] | None,
    ) -> Response:
        deadline = None if straggler else self._guard.timeouts.call
        message = request.SerializeToString()
        call = self._guard.begin(method, message, timeout=deadline)
        self._guard.traffic.sent += len(message)
        finished = finished_event(call)
        self._under_way.add(finished)
        call.add_done_callback(lambda _: self._under_way.discard(finished))

        try:
            if straggler is None:
                await finished.wait()
            else:
                async with asyncio.timeout(straggler.patience):
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

            assert straggler is not None, "only its patience has an end"
            raise DeadlineOutcomeUnknown(
                self._guard.board, f"{method}: no answer in {straggler.patience:g} s; a late one is taken care of"
            ) from None

        return self._guard.parse(method, await self._guard.outcome(method, call, changing=changing))

    async def close(self) -> None:
        """Start no call any more; short ones under way have the grace to end, those without a caller the timeout."""
        self._guard.closed = True

        with anyio.move_on_after(self._guard.timeouts.grace, shield=True):
            for finished in list(self._under_way):
                await finished.wait()

        with anyio.move_on_after(self._guard.timeouts.call, shield=True):
            for arrived in list(self._outliving):
                await arrived.wait()

    async def _grace(self, finished: asyncio.Event) -> asyncio.CancelledError | None:
        """Let a call finish after all; further cancellations do not shorten it, the first of them is returned.

        While the server may still be inside the call its caller must not give back the lock it holds.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._guard.timeouts.grace
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
        end = loop.call_later(straggler.patience, call.cancel)  # a frozen board must not block the others for ever
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
