"""Where a service is reached: its port, and below the path of another application or proxy."""

import socket

import httpx
import pytest
from fastapi import FastAPI

from pynq_async import BoardFarm, Timeouts
from pynq_async.errors import InvalidArgument
from pynq_async.service import Token, Tokens, create_service, serving
from pynq_async.sim import SimBoard

from ..farm.farms import DEAD, simulated_farm
from .services import problem


async def test_a_port_is_taken_before_the_farm_is_opened() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))

        class Farm(BoardFarm):
            async def __aenter__(self) -> BoardFarm:
                with pytest.raises(OSError):
                    other.listen()

                return await super().__aenter__()

        farm = Farm([DEAD], require=0, timeouts=Timeouts(connect=0.2))

        async with serving(create_service(farm, Tokens([])), port=other.getsockname()[1]):
            pass


@pytest.mark.parametrize("host", ["300.1.1.1", "a" * 70, "[::1]"])
async def test_an_address_that_cannot_be_is_told(host: str) -> None:
    app = create_service(BoardFarm([DEAD]), Tokens([]))

    with pytest.raises(InvalidArgument, match="choose another address"):
        async with serving(app, host=host, port=0):
            pass


@pytest.mark.parametrize("prefix", ["/farm", "/a", "/api", "/x/y"])
async def test_all_of_it_works_below_another_application(prefix: str) -> None:
    secret, token = Token.make("alice", "use")
    headers = {"Authorization": f"Bearer {secret}"}

    async with simulated_farm(SimBoard()) as addresses:
        app, outer = create_service(BoardFarm(addresses), Tokens([token])), FastAPI()
        outer.mount(prefix, app)
        transport = httpx.ASGITransport(outer)

        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client,
        ):
            problem(await client.get(f"{prefix}/api/me", headers={"Authorization": ""}), 401, "missing-token")

            for path, body in (("/api/leases", {}), ("/api/boards/a/buffers", {"shape": [1]})):
                made = await client.post(prefix + path, json=body)
                assert made.headers["location"].startswith(f"{prefix}{path}/")
                assert (await client.get(made.headers["location"])).status_code == 200

            assert (await client.get(f"{prefix}/openapi.json")).json()["servers"] == [{"url": prefix}]
            assert (await client.put(f"{prefix}/api/leases")).headers["allow"] == "GET, POST"


@pytest.mark.parametrize("prefix", ["/farm", "/a", "/api"])
async def test_below_a_proxy_that_leaves_the_prefix_out_nothing_passes_the_gate(prefix: str) -> None:
    transport = httpx.ASGITransport(create_service(BoardFarm([DEAD]), Tokens([])), root_path=prefix)

    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for path in ("/api/me", f"{prefix}/api/me"):
            assert (await client.get(path)).status_code in (401, 404)
