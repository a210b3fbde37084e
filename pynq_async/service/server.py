"""The service on a port of this machine, by uvicorn."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from fastapi import FastAPI

from ..concurrency import to_the_end
from ..errors import InvalidArgument
from ..farm.host import Host
from .service import FarmService

_BACKLOG = 2048  # as uvicorn's
_ANSWERING = 1.0  # seconds for the clients of cancelled requests to take their answers


@asynccontextmanager
async def serving(
    app: FastAPI,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    certificate: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
) -> AsyncIterator[str]:
    """Serve what `create_service` gives for as long as the block runs, and give its URL.

    On leaving, nothing new is begun, requests under way have `ServiceOptions.drain` seconds to end, and boards are left
    clean.

    Args:
        app: the service.
        host: the address to listen on; other machines reach 0.0.0.0 only.
        port: 0 is any free one.
        certificate: PEM file with the certificate, for HTTPS.
        key: PEM file of its private key.

    Raises `InvalidArgument` for a port or certificate that cannot be used, and what opening the farm raises.
    """
    service = app.state.service
    assert isinstance(service, FarmService)

    with _listening(host, port) as listener:
        config = uvicorn.Config(
            app,
            lifespan="off",  # entered here, so that what it raises is raised to whoever serves
            log_config=None,
            access_log=False,
            ssl_certfile=certificate,
            ssl_keyfile=os.fspath(key) if key is not None else None,
        )

        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            raise InvalidArgument(_why_unusable(error, certificate, key)) from None

        server, tasks = _Server(config), Host()

        async with app.router.lifespan_context(app):
            await tasks.open()
            task = tasks.start(server.serve([listener]), "service")

            try:
                await server.ready.wait()
                name = f"[{host}]" if ":" in host else host
                yield f"{'https' if certificate else 'http'}://{name}:{listener.getsockname()[1]}"
            finally:
                service.drain()
                server.should_exit = True

                try:
                    await asyncio.wait({task}, timeout=service.options.drain)
                    server.cancel_requests()
                    await asyncio.wait({task}, timeout=_ANSWERING)
                finally:
                    await to_the_end(_ended(tasks, server))


async def _ended(tasks: Host, server: "_Server") -> None:
    await tasks.aclose()

    if left := server.cancel_requests():
        await asyncio.wait(left)


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the program and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    def cancel_requests(self) -> set[asyncio.Task[None]]:
        """Cancel all requests, and return them; uvicorn itself would not wait for their ends."""
        left = set(self.server_state.tasks)

        for each in left:
            each.cancel()

        return left

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take requests."""
        await super().startup(sockets)
        self.ready.set()


def _why_unusable(
    error: Exception, certificate: str | os.PathLike[str] | None, key: str | os.PathLike[str] | None
) -> str:
    for what, path in (("certificate", certificate), ("key", key)):
        try:
            if path is not None:
                open(path, "rb").close()
        except OSError as unreadable:  # which `ssl` does not name
            return f"the {what} {path} cannot be read: {unreadable.strerror}"

    why = error.reason if isinstance(error, ssl.SSLError) else error
    return f"the certificate {certificate} or its key cannot be used: {why}"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET

    # asyncio turns Nagle's algorithm off, which would hold answers back for 40 ms, where the protocol is named.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)  # now: two may be bound to a port, as long as none listens
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise InvalidArgument(f"cannot listen on {host}:{port} ({why}); choose another address or port") from None

        yield listener
