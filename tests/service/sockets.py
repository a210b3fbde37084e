"""Clients that do not end what they begin: HTTP by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx

from .services import Running


@asynccontextmanager
async def begun(
    it: Running, client: httpx.AsyncClient, method: str, path: str, body: bytes = b"", length: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send the head of a request and some of its body, whose length is said to be `length`; leaving cuts it off."""
    url = urlsplit(it.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    head = [
        f"{method} {path} HTTP/1.1",
        f"Host: {url.netloc}",
        f"Authorization: {client.headers['authorization']}",
        f"Content-Length: {len(body) if length is None else length}",
        "Content-Type: application/json",
    ]

    try:
        writer.write("".join(f"{line}\r\n" for line in head).encode() + b"\r\n" + body)
        await writer.drain()
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def status_of(reader: asyncio.StreamReader) -> int:
    """The status of an answer."""
    async with asyncio.timeout(5):
        return int((await reader.readline()).split()[1])
