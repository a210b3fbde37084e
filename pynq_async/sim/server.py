"""The network side of a simulated board: one listening server after another on one port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from ..errors import SimulationError
from .connections import break_connections
from .dispatch import Handler, Router

if TYPE_CHECKING:
    from .board import SimBoard

_OPTIONS = (("grpc.so_reuseport", 1),)


class Listener:
    """Owns the port of a board while it is served, and the host task that carries out crashes and cut connections."""

    def __init__(self, board: "SimBoard", host: str, port: int) -> None:
        self._board = board
        self._host = host
        self._port = port
        self._reserved: socket.socket | None = None
        self._server: grpc.aio.Server | None = None
        self._router: Router | None = None
        self._deeds: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._host_task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._frozen = False

    @property
    def address(self) -> str:
        """Where the board is reached, `host:port`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def listening(self) -> bool:
        """Whether a server is up."""
        return self._server is not None

    async def open(self, handlers: list[Handler]) -> None:
        """Choose the port where it is 0, and start the first server and the host task."""
        await self.start(handlers)
        self._host_task = asyncio.create_task(self._carry_out(), name=f"simulated board at {self.address}")

    async def start(self, handlers: list[Handler]) -> None:
        """Start a server on the port."""
        router = Router(self._board, handlers)
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((router,))

        try:
            self._port = server.add_insecure_port(self.address)
        except RuntimeError as problem:
            raise SimulationError(f"cannot listen at {self.address}: {problem}") from None

        self._reserve()
        self._server, self._router = server, router
        await _whole(server.start())
        self._apply_gate()

    async def pause(self, seconds: float) -> None:
        """Wait, but not when the board is being switched off."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def request(self, deed: Callable[[], Awaitable[None]]) -> None:
        """Have something done that cannot be done inside the call that asks for it, since it ends that call."""
        self._deeds.put_nowait(deed)

    async def stop(self) -> None:
        """Drop every connection at once and stop listening; the port stays reserved."""
        server, router = self._server, self._router
        self._server = self._router = None

        if server is None or router is None:
            return

        break_connections(self._port)
        await _whole(server.stop(None))
        # The calls that were cut end in the next turns of the loop; nothing of them may outlive this.
        await router.ended()

    async def close(self) -> None:
        """Stop, and give the port back."""
        self._closing.set()
        self._deeds.put_nowait(None)
        host_task, self._host_task = self._host_task, None

        if host_task is not None:
            await host_task

        await self.stop()

        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def freeze(self, frozen: bool) -> None:
        """Answer nothing from now on, or answer again what waited."""
        self._frozen = frozen
        self._apply_gate()

    async def _carry_out(self) -> None:
        while (deed := await self._deeds.get()) is not None and not self._closing.is_set():
            await deed()

    def _apply_gate(self) -> None:
        if self._router is None:
            return

        if self._frozen:
            self._router.gate.clear()
        else:
            self._router.gate.set()

    def _reserve(self) -> None:
        """Hold the port with a socket that does not listen, so that nothing else gets it while the server is down."""
        if self._reserved is not None or not hasattr(socket, "SO_REUSEPORT"):
            return

        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        holder = socket.socket(family, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

        with contextlib.suppress(OSError):
            holder.bind((self._host, self._port))

        self._reserved = holder


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Await something that must not stop half way: gRPC's server cannot be used or dropped after that."""
    task = asyncio.ensure_future(work)

    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


@asynccontextmanager
async def serve(board: "SimBoard", host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve a board in this loop and give its address; 0 takes a free port.

    ::

        async with serve(SimBoard()) as address:
            async with RemoteDevice(address) as device:
                ...

    Raises:
        SimulationError: the port cannot be used, or the board is being served already.
    """
    listener = Listener(board, host, port)
    await board.power_on(listener)

    try:
        yield listener.address
    finally:
        await board.power_off()
