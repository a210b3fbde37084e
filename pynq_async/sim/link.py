"""A TCP relay in front of a board that damages the connection as networks do."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from types import TracebackType

from ..errors import SimulationError
from .tls_end import TlsEnd

_READ = 1 << 16
_IN_FLIGHT = 64
# SO_LINGER on with no time: closing sends RST instead of FIN.
_RESET = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)

_Packets = asyncio.Queue[tuple[float, bytes] | None]


class Link:
    """Relays bytes between clients and one address; every attribute may be changed while it runs.

    ::

        link = Link(address)

        async with link as link_address:            # connect to `link_address` instead of `address`
            link.latency = 0.02
            link.black_hole = True                  # from now on nothing arrives, and nobody is told
            link.cut()                              # every connection ends with RST

    With `tls` it is the TLS terminator that boards, which speak plaintext, are put behind:

    ::

        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain("terminator.pem", "terminator.key")
        link = Link(address, tls=tls)               # HTTP/2 is offered (ALPN h2); TLS ends here, `address` is plaintext

    Attributes:
        latency: seconds by which bytes are late, each way.
        bandwidth: bytes a second each way of one connection; None is no limit.
        slice_bytes: the most bytes passed on at once, such as 1; None is as they come.
        refuse: close new connections at once, with RST.
        cut_after: cut a connection with RST when so many more bytes have gone towards the board; None is never.
        connected: connections made so far.
        forwarded: bytes that went towards the board so far.
        returned: bytes that came back so far.
    """

    def __init__(
        self, target: str, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.latency = 0.0
        self.bandwidth: float | None = None
        self.slice_bytes: int | None = None
        self.refuse = False
        self.cut_after: int | None = None
        self.connected = 0
        self.forwarded = 0
        self.returned = 0
        self._target_host, _, target_port = target.rpartition(":")
        self._target_port = int(target_port)
        self._host = host
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._relays: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    async def __aenter__(self) -> str:
        if self._tls is not None:
            self._tls.set_alpn_protocols(["h2"])

        try:
            self._server = await asyncio.start_server(self._relay, self._host, self._port)
        except OSError as problem:
            raise SimulationError(f"cannot listen at {self.address}: {problem}") from problem

        self._port = self._server.sockets[0].getsockname()[1]
        return self.address

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None

        if server is None:
            return

        server.close()
        relays = list(self._relays)

        for relay in relays:
            relay.cancel()

        if relays:
            await asyncio.wait(relays)

    @property
    def address(self) -> str:
        """Where clients connect, `host:port`."""
        return f"{self._host}:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._relays)

    @property
    def black_hole(self) -> bool:
        """Let nothing through, either way, while connections stay open; what was held back arrives afterwards."""
        return not self._passing.is_set()

    @black_hole.setter
    def black_hole(self, value: bool) -> None:
        if value:
            self._passing.clear()
        else:
            self._passing.set()

    def cut(self) -> None:
        """End every connection at once, both sides, with RST."""
        for relay in self._relays:
            relay.cancel()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        task = asyncio.current_task()
        assert task is not None
        ends = self._relays[task] = [writer]

        try:
            if self.refuse:
                return

            near_reader: asyncio.StreamReader | TlsEnd = reader
            near: asyncio.StreamWriter | TlsEnd = writer

            if self._tls is not None:
                near_reader = near = terminated = TlsEnd(reader, writer, self._tls)
                await self._passing.wait()

                try:
                    await terminated.handshake()
                except ssl.SSLError:
                    ends.clear()
                    writer.close()  # and no RST, which could overtake the alert that says why
                    return

            far_reader, far = await asyncio.open_connection(self._target_host, self._target_port)
            ends.append(far)

            async with asyncio.TaskGroup() as both:
                for source, sink, outward in ((near_reader, far, True), (far_reader, near, False)):
                    packets: _Packets = asyncio.Queue(_IN_FLIGHT)
                    both.create_task(self._receive(source, packets))
                    both.create_task(self._pass_on(packets, sink, outward=outward))
        except* (OSError, asyncio.CancelledError):
            # Either end is gone, or `cut` ended it: whatever the reason, both sides are reset below.
            pass
        finally:
            for end in ends:
                _reset(end)

            del self._relays[task]

    async def _receive(self, reader: asyncio.StreamReader | TlsEnd, packets: _Packets) -> None:
        while data := await reader.read(self.slice_bytes or _READ):
            await packets.put((asyncio.get_running_loop().time() + self.latency, data))

        await packets.put(None)

    async def _pass_on(self, packets: _Packets, writer: asyncio.StreamWriter | TlsEnd, *, outward: bool) -> None:
        loop = asyncio.get_running_loop()

        while (packet := await packets.get()) is not None:
            due, data = packet

            if due > loop.time():
                await asyncio.sleep(due - loop.time())

            if self.bandwidth:
                await asyncio.sleep(len(data) / self.bandwidth)

            await self._passing.wait()
            last = outward and self.cut_after is not None and len(data) >= self.cut_after

            if outward and self.cut_after is not None:
                data = data[: self.cut_after]
                self.cut_after = None if last else self.cut_after - len(data)

            writer.write(data)
            await writer.drain()

            if outward:
                self.forwarded += len(data)
            else:
                self.returned += len(data)

            if last:
                raise ConnectionResetError

        # The end of the stream does not get through a black hole either.
        await self._passing.wait()
        raise ConnectionResetError


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")

    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    writer.transport.abort()
