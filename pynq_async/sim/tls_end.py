"""The end of a TLS connection at a terminator."""

import asyncio
import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_READ = 1 << 16


class TlsEnd:
    """Reads and writes as asyncio's streams do, over TLS; asyncio's own TLS server closes without saying why.

    Call `handshake` first. When it raises `ssl.SSLError`, the alert that says why is on its way to the other end.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Agree on keys and check certificates."""
        await self._carry_out(self._tls.do_handshake)

    async def read(self, size: int = _READ) -> bytes:
        """At least one byte, at most `size`; none at the end."""
        try:
            return await self._carry_out(lambda: self._tls.read(size))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, data: bytes) -> None:
        """Send."""
        self._tls.write(data)
        self._flush()

    async def drain(self) -> None:
        """Wait while too much is on its way."""
        await self._writer.drain()

    async def _carry_out(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                self._flush()

            if data := await self._reader.read(_READ):
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._writer.write(data)
