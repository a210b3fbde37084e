"""A service of your own: images over HTTP through PYNQ-HelloWorld's resizer, on whichever board is free.

python examples/resizer_service.py                         # sends one image to itself and says what came back
uvicorn --app-dir examples resizer_service:app             # on port 8000, and then:
curl --data-binary @image.ppm 'localhost:8000/resize?rows=180&cols=320' -o small.ppm

It needs pynq-async[service], and httpx to ask itself.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from pynq_async import BoardFarm, Overlay
from pynq_async.bitstream import load_design, parse_bitstream, shipped_description, synthetic_bitstream
from pynq_async.errors import PynqError
from pynq_async.sim import SimBoard, SimDesign, serve
from pynq_async.sim.resizer import Image, resize_accel

# The bitstream is made up; with files of your own this is `load_bitstream("resizer.bit")`.
BITSTREAM = parse_bitstream("resizer.bit", synthetic_bitstream(), description=shipped_description("resizer"))
Side = Annotated[int, Query(ge=1, le=1080)]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the farm with the service. On real boards it is `async with BoardFarm.from_env() as farm:` alone."""
    async with simulated_boards(2) as addresses, BoardFarm(addresses) as farm:
        app.state.farm, app.state.overlays = farm, {}
        yield


app = FastAPI(title="Image resizer", lifespan=lifespan)


@app.exception_handler(PynqError)
async def failed(_request: Request, error: Exception) -> Response:
    """No board is free, or one has failed."""
    return JSONResponse({"detail": str(error)}, 503)


async def free_resizer(request: Request) -> AsyncIterator[Overlay]:
    """The design on a board that is this request's alone, loaded when the board does not have it."""
    farm, overlays = request.app.state.farm, request.app.state.overlays

    async with farm.lease(timeout=10) as board:
        if board.name not in overlays or not await overlays[board.name].is_loaded():
            overlays[board.name] = await Overlay.load(board, BITSTREAM)

        yield overlays[board.name]


async def sent_image(request: Request) -> Image:
    """The body: a binary PPM, which any image program writes and shows."""
    body = await request.body()
    header = re.match(rb"P6\s+(\d{1,4})\s+(\d{1,4})\s+255\s", body)
    cols, rows = map(int, header.groups()) if header else (0, 0)

    if header is None or not 0 < rows * cols * 3 == len(body) - header.end():
        raise HTTPException(422, "send an image as PPM (P6, 8 bits a colour)")

    return np.frombuffer(body, "u1", offset=header.end()).reshape(rows, cols, 3)


@app.post("/resize")
async def resize(
    rows: Side,
    cols: Side,
    image: Annotated[Image, Depends(sent_image)],
    overlay: Annotated[Overlay, Depends(free_resizer)],
) -> Response:
    """An image out by DMA, through the kernel, and back; the program is the same as in a script."""
    dma, kernel, board = overlay.axi_dma_0, overlay.resize_accel_0, overlay.board

    async with board.allocate(image.shape, "u1") as source, board.allocate((rows, cols, 3), "u1") as result:
        source[:] = image
        await dma.recvchannel.transfer(result)
        await kernel.start(*image.shape[:2], rows, cols)
        await dma.sendchannel.transfer(source)
        await dma.sendchannel.wait(timeout=5)
        await dma.recvchannel.wait(timeout=5)
        return Response(b"P6 %d %d 255\n" % (cols, rows) + result.tobytes(), media_type="image/x-portable-pixmap")


@asynccontextmanager
async def simulated_boards(count: int) -> AsyncIterator[list[str]]:
    """Boards that know the design and carry its kernel out."""
    design = SimDesign(await load_design(BITSTREAM), kernels={"resize_accel_0": resize_accel})

    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serve(SimBoard(designs=design, seed=seed))) for seed in range(count)]


async def main() -> None:
    """Ask the service for one image, without a port."""
    import httpx  # for this alone

    image = b"P6 640 360 255\n" + np.linspace(0, 255, 640).astype("u1").repeat(3).tobytes() * 360  # from black to white

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://resizer") as client,
    ):
        answer = await client.post("/resize", params={"rows": 180, "cols": 320}, content=image)
        print(answer.status_code, answer.headers["content-type"], answer.content[:14])


if __name__ == "__main__":
    asyncio.run(main())
