"""Between gRPC and the services: every call passes here, is counted, held up, failed or cut as the fault plan says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import grpc

from ..wire.methods import Method, Request, Response
from .faults import Rule

if TYPE_CHECKING:
    from .board import SimBoard

_LARGE = 1 << 16

Context = grpc.aio.ServicerContext[bytes, bytes]
Send = Callable[[bytes], Awaitable[None]]
Unary = Callable[[bytes], Awaitable[bytes]]
Upload = Callable[[AsyncIterator[bytes]], Awaitable[bytes]]
Download = Callable[[bytes, Send], Awaitable[None]]
Dialogue = Callable[[AsyncIterator[bytes], Send], Awaitable[None]]


class Refused(Exception):
    """A handler ends its call with a status."""

    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


@dataclass(frozen=True, slots=True)
class Handler:
    """What answers one method; the shape of `call` follows from the method's streams."""

    method: Method[Any, Any]
    call: Unary | Upload | Download | Dialogue


class Service(Protocol):
    """What answers the methods of one service."""

    def handlers(self) -> list[Handler]:
        """List the methods that are implemented."""
        ...


def unary(method: Method[Request, Response], call: Callable[[Request], Awaitable[Response]]) -> Handler:
    """Answer a method by message objects; bulk methods take and give the raw bytes instead."""

    async def decoded(request: bytes) -> bytes:
        return (await call(method.request.FromString(request))).SerializeToString()

    return Handler(method, decoded)


class Router(grpc.GenericRpcHandler):
    """Finds the handler of a call; what is not there is UNIMPLEMENTED without a word, as in the C++ server (H47)."""

    def __init__(self, board: "SimBoard", handlers: list[Handler]) -> None:
        self._board = board
        self._throttle = _Throttle()
        self._table = {handler.method.path: self._rpc(handler) for handler in handlers}
        self._missing: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(_unimplemented)
        self._peers: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Give the handler for a method's path; gRPC asks in the task that will run it."""
        task = asyncio.current_task()

        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return self._table.get(handler_call_details.method, self._missing)

    async def ended(self) -> None:
        """Wait until the calls of a server that was stopped are over."""
        # A call that gRPC had just accepted has a task that did not yet ask for its handler.
        await asyncio.sleep(0)

        while self._tasks:
            await asyncio.wait(self._tasks)

    def _rpc(self, handler: Handler) -> "grpc.RpcMethodHandler[bytes, bytes]":
        method = handler.method
        counters = self._board.counters
        call: Any = handler.call
        streaming = method.client_stream or method.server_stream

        async def one_reply(request: Any, context: Context) -> bytes:
            if method.client_stream:
                request = self._metered(request)

            return await self._answer(str(method), context, lambda: call(request), streaming=streaming)

        async def many_replies(request: Any, context: Context) -> None:
            if method.client_stream:
                request = self._metered(request)

            outgoing = _Outgoing(context)
            faults, gate = self._board.faults, self.gate

            async def send(message: bytes) -> None:
                if faults.bandwidth is not None or not gate.is_set():
                    await self._spend(len(message))

                counters.bytes_out += len(message)

                # A file is read as thousands of small messages: the fewer steps each takes, the better.
                if len(message) < _LARGE and outgoing.idle:
                    await context.write(message)
                else:
                    await outgoing.send(message)

            async def run() -> bytes:
                try:
                    await call(request, send)
                finally:
                    await outgoing.flush()

                return b""

            await self._answer(str(method), context, run, streaming=True)

        match method.client_stream, method.server_stream:
            case False, False:
                return grpc.unary_unary_rpc_method_handler(one_reply)
            case True, False:
                return grpc.stream_unary_rpc_method_handler(one_reply)
            case False, True:
                return grpc.unary_stream_rpc_method_handler(many_replies)
            case _:
                return grpc.stream_stream_rpc_method_handler(many_replies)

    async def _answer(
        self, name: str, context: Context, call: Callable[[], Awaitable[bytes]], *, streaming: bool
    ) -> bytes:
        self._board.counters.calls[name] += 1
        await self._admit(context)
        work = self._carry_out(name, call, streaming=streaming)

        try:
            # A thread of the real server ends what it began, whether or not the client still waits (H22).
            return await (work if streaming else self._board.process.thread(work))
        except Refused as refusal:
            await context.abort(refusal.code, refusal.details)

    async def _admit(self, context: Context) -> None:
        if not self.gate.is_set():
            await self.gate.wait()

        if self._board.hazards.hang_when_exhausted:
            peer = context.peer()

            if self._board.process.exhausted and peer not in self._peers:
                await asyncio.get_running_loop().create_future()

            self._peers.add(peer)

    async def _carry_out(self, name: str, call: Callable[[], Awaitable[bytes]], *, streaming: bool) -> bytes:
        faults = self._board.faults

        with self._counted(streaming=streaming):
            await self._run_out_of_memory()

            if seconds := faults.seconds(name):
                await asyncio.sleep(seconds)

            rule = faults.take_rule(name)
            return await (call() if rule is None else self._misbehave(rule, call))

    @contextmanager
    def _counted(self, *, streaming: bool) -> Iterator[None]:
        counters = self._board.counters

        if streaming:
            counters.streams_now += 1
            counters.streams_peak = max(counters.streams_peak, counters.streams_now)
        else:
            counters.unary_now += 1
            counters.unary_peak = max(counters.unary_peak, counters.unary_now)

        try:
            yield
        finally:
            if streaming:
                counters.streams_now -= 1
            else:
                counters.unary_now -= 1

    async def _run_out_of_memory(self) -> None:
        limit, streams = self._board.hazards.stream_limit, self._board.counters.streams_now

        if limit is not None and streams > limit:
            await self._board.process.die(f"out of memory with {streams} streams")

    async def _misbehave(self, rule: Rule, call: Callable[[], Awaitable[bytes]]) -> bytes:
        reply = await call() if rule.execute else b""

        if rule.drop:
            await self._board.dropped()

        if rule.code is not None:
            raise Refused(rule.code, rule.details)

        return reply if rule.reply is None else rule.reply

    async def _metered(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        awaited_since = asyncio.get_running_loop().time()

        async for message in requests:
            if self._board.faults.bandwidth is not None or not self.gate.is_set():
                await self._spend(len(message), awaited_since)

            self._board.counters.bytes_in += len(message)
            yield message
            awaited_since = asyncio.get_running_loop().time()

    async def _spend(self, size: int, awaited_since: float | None = None) -> None:
        if not self.gate.is_set():
            await self.gate.wait()

        rate = self._board.faults.bandwidth

        if rate is not None:
            await asyncio.sleep(self._throttle.spend(size, rate, awaited_since))


class _Outgoing:
    """Writes a stream's messages, a large one while the next is being made: else copying and sending take turns."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._behind: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether no message is under way."""
        return self._behind is None

    async def send(self, message: bytes) -> None:
        """Wait for the message before this one, and begin to write it."""
        await self.flush()
        self._behind = asyncio.create_task(self._write(message))
        # The task must get as far as handing the message to gRPC before the next one is made.
        await asyncio.sleep(0)

    async def flush(self) -> None:
        """Wait for the message that is under way."""
        if self._behind is not None:
            behind, self._behind = self._behind, None
            await behind

    async def _write(self, message: bytes) -> None:
        await self._context.write(message)


class _Throttle:
    """Says how long to wait so that all payload together stays under a rate."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def spend(self, size: int, rate: float, awaited_since: float | None = None) -> float:
        """A message that was awaited for a time may have been on the slow link then, for no longer than it takes."""
        now = asyncio.get_running_loop().time()
        begun = now if awaited_since is None else max(awaited_since, now - size / rate)
        self._free_at = max(begun, self._free_at) + size / rate
        return max(self._free_at - now, 0.0)


async def _unimplemented(requests: AsyncIterator[bytes], context: Context) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
