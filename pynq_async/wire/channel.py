"""The connection to one board: opening it, and knowing that it is still the same server at the other end.

The server names windows "0", "1", ... and buffers by their heap address, from anew in every process: after a restart
an old handle means something else. So the server process has an identity (boot, process, start time), every handle
remembers the one it was made by, and before each call that carries a handle `Connection.same_server` makes sure, with
nothing in between, that the connection still leads to that process.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

import anyio
import grpc
import grpc.aio

from ..config import Address, Limits, Timeouts
from ..errors import (
    BoardError,
    BoardExhausted,
    BoardRebooted,
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    NotABoardServer,
    NotSupported,
    ProtocolViolation,
    ServerError,
    StaleHandle,
    TlsError,
    UnknownHandle,
    WrongLoop,
)
from . import messages as m
from . import methods
from .arbiter import Arbiter
from .calls import Calls
from .framing import payload
from .guard import Admit, Guard
from .streams import Streams
from .tls import Security

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.enable_http_proxy", 0),  # boards are on the lab's network; a proxy variable must not hijack them
    ("grpc.use_local_subchannel_pool", 1),  # no sharing of connections between channels
    ("grpc.enable_retries", 0),  # even a transparent retry may reach a restarted server with an old handle
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 300_000),  # the server answers more frequent pings with GOAWAY
    ("grpc.http2.ping_timeout_ms", 5000),  # keepalive_timeout_ms alone is ignored
    # A fixed window of one message: probing for a larger one keeps some 20 MiB of a fast stream in memory, not 12, and
    # is no faster on a local network.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1 << 20),
)

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_STAT = "/proc/self/stat"
_SMALL_FILE = 1 << 20  # nothing under /proc that is read here comes near it


# gRPC's words for why there is no connection, and ours.
_NO_SUCH_HOST = ("DNS resolution failed", "Domain name not found")
_BY_TERMINATOR = " (by a TLS terminator that wants TLS or a client certificate, or finds no board?)"
_PLAINLY = {
    "Connection refused": "the connection was refused",
    "No route to host": "there is no route to it",
    "Network is unreachable": "its network is unreachable",
    "http1": "what answers there speaks HTTP/1",
    "reset by peer": "the connection was reset" + _BY_TERMINATOR,
    "Socket closed": "the connection was closed" + _BY_TERMINATOR,
    "before receiving SETTINGS": "the connection was closed, or not answered within {:g} s" + _BY_TERMINATOR,
}


@dataclass(frozen=True, slots=True)
class Server:
    """One life of a board server: the kernel's boot id, the process id and its start time in clock ticks."""

    boot: str
    process: int
    started: int

    def __str__(self) -> str:
        return f"{self.boot}/{self.process}/{self.started}"


_Pull: TypeAlias = Callable[[m.ReadFileRequest, Callable[[bytes], bool]], Awaitable[bool]]


class Connection:
    """A gRPC channel to one board server and its identity.

    Attributes:
        board: the name that stands in every error.
        calls, streams: how everything above makes its calls.
        server: which server process answered last.
        services: the full names of the services it offers.
        traffic: how much has been sent and received.
    """

    def __init__(
        self, address: Address, board: str, timeouts: Timeouts, limits: Limits, security: Security | None = None
    ) -> None:
        self.address = address
        self.board = board
        self.timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()
        self._security = security
        self._channel = _channel(address, security)
        self._limits = limits
        guard = Guard(
            self._channel,
            board,
            timeouts,
            check_loop=self.check_loop,
            reach=self._reach,
            steady=self._steady,
            lost=self._forget,
        )
        self.calls = Calls(guard, lambda: self.arbiter)
        self.streams = Streams(guard)
        self.traffic = guard.traffic
        self._identifying = asyncio.Lock()
        self._server: Server | None = None
        self._arbiter: Arbiter | None = None
        self._known = False  # whether the connection has not broken since the server was asked who it is
        self.services: frozenset[str] = frozenset()

    @property
    def server(self) -> Server:
        """Which server process answered last."""
        assert self._server is not None, "open() comes first"
        return self._server

    @property
    def arbiter(self) -> Arbiter:
        """The locks and limits of this board."""
        assert self._arbiter is not None, "open() comes first"
        return self._arbiter

    async def open(self) -> None:
        """Connect and learn the server's identity and services; raises `ConnectError` or `NotABoardServer`."""
        await self._identify()
        self.services = await self._list_services()

    async def close(self) -> None:
        """Close the channel; calls under way end with `NotOpen`."""
        await self.calls.close()
        await self._channel.close()

    def check_loop(self) -> None:
        """Raise `WrongLoop` unless this is the loop and process that the connection was opened in."""
        if os.getpid() != self._process:
            raise WrongLoop(
                self.board, "opened before a fork; gRPC does not survive one: open the board in the child, or use spawn"
            )

        try:
            here = asyncio.get_running_loop()
        except RuntimeError:
            here = None

        if here is not self._loop:
            raise WrongLoop(self.board, "used from another event loop than the one it was opened in; open one per loop")

    async def current(self) -> Server:
        """The server at the other end right now; asks it again whenever the connection is not the one last asked."""
        while not self._steady():
            await self._identify()

        return self.server

    async def same_server(self, server: Server, handle: str) -> None:
        """Raise `StaleHandle` or `BoardRebooted` unless `server` is what is at the other end.

        Suspends only before the last check: a call started directly afterwards goes to that server.
        """
        await self.current()
        self.check_server(server, handle)

    def check_server(self, server: Server, handle: str) -> None:
        """Raise as `same_server`, by what is known without asking."""
        if self.server == server:
            return

        if self.server.boot != server.boot:
            raise BoardRebooted(
                self.board,
                f"{handle} is from before the board rebooted; the fabric is empty now: download again, then ask for "
                "new windows and buffers",
            )

        raise StaleHandle(
            self.board, f"{handle} is from before the board server restarted and is gone there; allocate a new one"
        )

    async def unknown_handle(self, server: Server, handle: str) -> BoardError:
        """What it means that the server does not know a handle: it restarted, or another client removed it."""
        self._forget()

        try:
            await self.same_server(server, handle)
        except StaleHandle as stale:
            return stale

        return UnknownHandle(self.board, f"the board server does not know {handle}; did another client free it?")

    async def kernel_file(self, path: str, admit: Admit | None = None) -> str:
        """Read a small file that every Linux has; `BoardExhausted` when the server cannot open it."""
        return await self._kernel_file(path, lambda path: self.read_small(path, admit))

    async def _kernel_file(self, path: str, read: Callable[[str], Awaitable[bytes]]) -> str:
        try:
            return (await read(path)).decode("utf-8", "replace")
        except UnknownHandle:
            raise BoardExhausted(
                self.board,
                f"the board server cannot open {path}: it has no file descriptors left; restart it "
                "(systemctl restart pynq-remote on the board)",
            ) from None

    async def read_small(self, path: str, admit: Admit | None = None) -> bytes:
        """Read a small file within the call timeout; `UnknownHandle` when there is none."""

        def pull(request: m.ReadFileRequest, sink: Callable[[bytes], bool]) -> Awaitable[bool]:
            return self.streams.pull(methods.READ_FILE, request, sink, admit=admit, timeout=self.timeouts.call)

        return await self._collect(path, pull)

    async def _read_anyhow(self, path: str) -> bytes:
        def pull(request: m.ReadFileRequest, sink: Callable[[bytes], bool]) -> Awaitable[bool]:
            return self.streams.direct_pull(methods.READ_FILE, request, sink, timeout=self.timeouts.call)

        return await self._collect(path, pull)

    async def _collect(self, path: str, pull: "_Pull") -> bytes:
        content = bytearray()

        def sink(message: bytes) -> bool:
            content.extend(payload(self.board, message, field=1)[0])
            return len(content) > _SMALL_FILE

        if not await pull(m.ReadFileRequest(file_path=path), sink):
            raise ProtocolViolation(self.board, f"{path} has more than {_SMALL_FILE} bytes")

        return bytes(content)

    async def _reach(self) -> None:
        await self.current()

    def _steady(self) -> bool:
        """Whether the connection is the one over which the server was last asked who it is."""
        return self._known and self._channel.get_state() is grpc.ChannelConnectivity.READY

    def _forget(self) -> None:
        self._known = False

    async def _identify(self) -> None:
        self.check_loop()

        async with self._identifying:
            if self._steady():
                return  # somebody else did it while we waited

            self._known = False  # asking brings the connection back; when it is cut off, nobody was asked
            self._server = await self._connect()
            self._arbiter = Arbiter.of(self._server.boot, self._arbiter or Arbiter(self._limits))
            self._known = True

    async def _connect(self) -> Server:
        """Ask the server who it is until it answers or the connect timeout is over."""
        trouble: BoardError | None = None
        looked_into: set[str] = set()

        with anyio.move_on_after(self.timeouts.connect):
            while True:
                try:
                    return await self._read_identity()
                except (ConnectionLost, DeadlineExceeded) as error:
                    trouble = error

                    if any(sign in str(error) for sign in _NO_SUCH_HOST):
                        break

                    if self._security is not None and str(error) not in looked_into:
                        looked_into.add(str(error))

                        if cause := await self._security.cause(self.address, str(error)):
                            raise self._no_tls(cause) from error

                    await anyio.sleep(0.1)
                except ServerError as error:
                    if self._security is not None and (cause := self._security.cause_of_status(str(error))):
                        raise self._no_tls(cause) from error

                    raise

        if trouble is not None and any(sign in str(trouble) for sign in _NO_SUCH_HOST):
            raise ConnectError(
                self.board, f"there is no host called {self.address.host}; check the address"
            ) from trouble

        where = f" to {self.address.target}" if self.board != self.address.target else ""
        seen = next((plain for sign, plain in _PLAINLY.items() if sign in str(trouble)), "no answer within {:g} s")
        raise ConnectError(
            self.board,
            f"no connection{where}: {seen.format(self.timeouts.connect)}; is the board on, on this network, and is its "
            "pynq-remote service running?",
        ) from trouble

    def _no_tls(self, cause: str) -> TlsError:
        return TlsError(self.board, f"no TLS connection to {self.address.target}: {cause}")

    async def _read_identity(self) -> Server:
        try:
            while True:
                stat = await self._kernel_file(_STAT, self._read_anyhow)
                boot = (await self._kernel_file(_BOOT_ID, self._read_anyhow)).strip()

                # The process is compared by what stays the same of it; a restart between the reads begins them again.
                if _process(await self._kernel_file(_STAT, self._read_anyhow)) == _process(stat):
                    break
        except NotSupported as error:
            raise NotABoardServer(
                self.board,
                f"what answers at {self.address.target} is no PYNQ.remote server; check the address and the port",
            ) from error

        process = _process(stat)

        if process is None or not boot:
            raise ProtocolViolation(self.board, f"{_STAT} or {_BOOT_ID} is not what Linux writes there")

        return Server(boot, *process)

    async def _list_services(self) -> frozenset[str]:
        request = m.ServerReflectionRequest(list_services="")

        for method in (methods.REFLECTION_ALPHA, methods.REFLECTION):
            try:
                answer = await self.streams.exchange(method, request, self.timeouts.connect)
            except (NotSupported, ServerError, ConnectionLost, DeadlineExceeded):  # a refusal can look like a lost line
                continue

            return frozenset(service.name for service in answer.list_services_response.service)

        return frozenset()


def _channel(address: Address, security: Security | None) -> grpc.aio.Channel:
    # With its scheme: gRPC takes hosts called unix or ipv4 for schemes of its own.
    target = f"dns:///{quote(address.target, safe='[]:')}"

    if security is None:
        return grpc.aio.insecure_channel(target, options=OPTIONS)

    return grpc.aio.secure_channel(target, security.credentials, options=(*OPTIONS, *security.options))


def _process(stat: str) -> tuple[int, int] | None:
    """Process id and start time from /proc/self/stat."""
    # proc(5): pid (comm) state ...; starttime is field 22, and comm may hold spaces and parentheses.
    match = re.fullmatch(r"(\d+) \(.*\) (.+)\n?", stat, re.DOTALL)
    fields = match[2].split() if match else []
    return (int(match[1]), int(fields[19])) if match and len(fields) >= 20 else None
