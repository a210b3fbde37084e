"""The service as a part of an application of your own: boards under /lab, the rest is yours.

python examples/mounted_service.py                         # asks it once and says what came
uvicorn --app-dir examples --timeout-graceful-shutdown 20 mounted_service:app

Under uvicorn it prints the token to sign in with at /lab. It needs pynq-async[service], and httpx to ask itself.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from pynq_async import BoardFarm
from pynq_async.service import Token, Tokens, create_service
from pynq_async.sim import SimBoard, serve

SECRET, TOKEN = Token.make("me", "admin")  # or Tokens from a file: load_tokens("tokens.toml")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """On real boards: `BoardFarm.from_inventory("lab.toml", require="any")`."""
    async with serve(SimBoard()) as address:
        lab = create_service(BoardFarm({"sim-1": address}), Tokens([TOKEN]))
        app.mount("/lab", lab)

        async with lab.router.lifespan_context(lab):  # opens the farm, and closes it
            print(f"Sign in at /lab/#token={SECRET}")
            yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def hello() -> str:
    """A route of your own."""
    return "the boards are in /lab"


async def main() -> None:
    """Ask both, without a port."""
    import httpx  # for this alone

    headers = {"Authorization": f"Bearer {SECRET}"}
    transport = httpx.ASGITransport(app)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://example", headers=headers) as client,
    ):
        print((await client.get("/")).json())
        print([board["name"] for board in (await client.get("/lab/api/boards")).json()])


if __name__ == "__main__":
    asyncio.run(main())
