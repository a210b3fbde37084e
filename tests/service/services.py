"""A service over simulated boards, asked over HTTP, and nothing left behind."""

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from pynq_async import BoardFarm
from pynq_async.service import ServiceOptions, Token, Tokens, create_service, serving
from pynq_async.service.service import FarmService
from pynq_async.sim import SimBoard

from ..farm.farms import DEAD, simulated_farm

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # or each client reads all certificates there are
_SECRETS = {
    "alice": ("use", None),
    "bob": ("use", None),
    "carol": ("read", None),
    "root": ("admin", None),
    "gone": ("admin", datetime(2020, 1, 1, tzinfo=UTC)),
}


@dataclass
class Running:
    """A service that runs: a client for each token by its name, and one without."""

    app: FastAPI
    service: FarmService
    sims: tuple[SimBoard, ...]
    url: str
    alice: httpx.AsyncClient
    bob: httpx.AsyncClient
    carol: httpx.AsyncClient
    root: httpx.AsyncClient
    gone: httpx.AsyncClient
    nobody: httpx.AsyncClient

    async def lease(self, board: str = "a", client: httpx.AsyncClient | None = None, **wanted: Any) -> str:
        """Lease a board for alice, or whose client it is; returns the lease's id."""
        answer = await (client or self.alice).post("/api/leases", json={"name": board, **wanted})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@asynccontextmanager
async def running(
    *sims: SimBoard,
    served: bool = False,
    options: ServiceOptions | None = None,
    farm: dict[str, Any] | None = None,
    absent: tuple[str, ...] = (),
    **more: Any,
) -> AsyncIterator[Running]:
    """Run a service over boards called a, b, ...; `farm` are options of the farm, `more` of `create_service`.

    With `served`, it is asked through a port of this machine, as streams and clients that vanish need; else directly.
    At the addresses of boards called as in `absent` nobody answers.
    """
    sims = sims or (SimBoard(),)
    made = {name: Token.make(name, scope, expires) for name, (scope, expires) in _SECRETS.items()}  # type: ignore[arg-type]

    async with simulated_farm(*sims) as addresses, AsyncExitStack() as stack:
        tokens = Tokens(token for _, token in made.values())
        boards = addresses | dict.fromkeys(absent, DEAD)
        app = create_service(BoardFarm(boards, **(farm or {})), tokens, options, **more)

        if served:
            url = await stack.enter_async_context(serving(app, port=0))
        else:
            url = "http://service"
            await stack.enter_async_context(app.router.lifespan_context(app))

        clients = {}

        for name in [*made, "nobody"]:
            headers = {"Authorization": f"Bearer {made[name][0]}"} if name in made else {}
            transport = None if served else httpx.ASGITransport(app)
            client = httpx.AsyncClient(base_url=url, headers=headers, transport=transport, verify=_NO_TLS)
            clients[name] = await stack.enter_async_context(client)

        yield Running(app, app.state.service, sims, url, **clients)


def problem(answer: httpx.Response, status: int, kind: str) -> str:
    """Check that an answer is such a problem; returns its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"urn:pynq-async:problem:{kind}", told
    assert told["status"] == status
    return str(told["detail"])
