"""Data of buffers and bodies, made and sent by tests."""

import asyncio
import io
import socket
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt

from pynq_async.service.npy import NPY

from .services import Running

BUFFERS = "/api/boards/a/buffers"
AS_NPY = {"Content-Type": NPY}
BIG = 16 << 20


async def allocated(it: Running, *shape: int, dtype: str = "u1") -> str:
    """Lease board a for alice and allocate a buffer; returns where its data is."""
    if not len(list(it.service.leases)):
        await it.lease("a")

    answer = await it.alice.post(BUFFERS, json={"shape": shape, "dtype": dtype})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{BUFFERS}/{answer.json()['id']}"
    return f"{answer.headers['location']}/data"


def file(array: npt.NDArray[Any], **options: Any) -> bytes:
    """An array as numpy saves it."""
    written = io.BytesIO()
    np.save(written, array, **options)
    return written.getvalue()


async def open_request(it: Running, method: str, path: str, length: int = 0, *, receive: int | None = None) -> Any:
    """Send the head of a request of alice's over a connection of its own; `receive` is how much the system holds."""
    url = httpx.URL(it.url)
    plain = socket.socket()

    if receive is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)

    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    token = it.alice.headers["authorization"]
    head = f"{method} {path} HTTP/1.1\r\nHost: service\r\nAuthorization: {token}\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    return reader, writer


async def busy(it: Running, data: str) -> None:
    """Wait until a request has a buffer."""
    (found,) = (buffer for lease in it.service.leases for buffer in lease.buffers.values() if buffer.id in data)

    async with asyncio.timeout(5):
        while not found._busy:
            await asyncio.sleep(0.001)


async def read_when_free(it: Running, data: str) -> bytes:
    """Read a buffer as soon as no other request has it."""
    async with asyncio.timeout(5):
        while (answer := await it.alice.get(data)).status_code == 409:
            await asyncio.sleep(0.005)

    assert answer.status_code == 200, answer.text
    return answer.content
