"""The examples of services, asked over HTTP."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from pynq_async.sim.resizer import resize

from ..boards import assert_no_tasks_left

EXAMPLES = Path(__file__).parents[2] / "examples"


@asynccontextmanager
async def asked(name: str) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """A fresh application of an example, and a client of it."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async with (
        module.app.router.lifespan_context(module.app),
        httpx.AsyncClient(transport=httpx.ASGITransport(module.app), base_url="http://example") as client,
    ):
        yield module, client

    assert_no_tasks_left()


def ppm(image: NDArray[np.uint8]) -> bytes:
    return b"P6\n%d %d\n255\n" % (image.shape[1], image.shape[0]) + image.tobytes()


async def test_images_are_resized_on_whichever_board_is_free() -> None:
    random = np.random.default_rng(1)
    images = [random.integers(0, 256, (40 + number, 60, 3), "u1") for number in range(6)]

    async with asked("resizer_service") as (module, client):

        async def send(image: NDArray[np.uint8]) -> None:
            answer = await client.post("/resize", params={"rows": 20, "cols": 30}, content=ppm(image))
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/x-portable-pixmap")
            assert answer.content == b"P6 30 20 255\n" + resize(image, 20, 30).tobytes()

        async with anyio.create_task_group() as group:
            for image in images:
                group.start_soon(send, image)

        farm = module.app.state.farm
        assert len(module.app.state.overlays) == 2
        assert {board.state for board in farm.statistics().boards.values()} == {"free"}


@pytest.mark.parametrize("body", [b"", b"no image", b"P6 2 2 255\n123", b"P6 0 0 255\n", b"P5 1 1 255\n123"])
async def test_what_is_no_image_is_refused_before_a_board_is_used(body: bytes) -> None:
    async with asked("resizer_service") as (module, client):
        answer = await client.post("/resize", params={"rows": 20, "cols": 30}, content=body)
        assert answer.status_code == 422
        assert module.app.state.overlays == {}
        assert (await client.post("/resize", params={"rows": 0, "cols": 30}, content=body)).status_code == 422


async def test_a_request_that_waits_for_a_board_may_be_given_up() -> None:
    image, query = ppm(np.zeros((4, 4, 3), "u1")), {"rows": 2, "cols": 2}

    async with asked("resizer_service") as (module, client):
        async with module.app.state.farm.lease(count=2):
            with anyio.move_on_after(0.05) as waited:
                await client.post("/resize", params=query, content=image)

            assert waited.cancelled_caught

        assert (await client.post("/resize", params=query, content=image)).status_code == 200


async def test_the_service_can_be_a_part_of_an_application() -> None:
    async with asked("mounted_service") as (module, client):
        headers = {"Authorization": f"Bearer {module.SECRET}"}
        assert (await client.get("/lab/api/boards")).status_code == 401
        lease = await client.post("/lab/api/leases", json={"name": "sim-1"}, headers=headers)
        assert lease.headers["location"].startswith("/lab/api/leases/")
        assert (await client.delete(lease.headers["location"], headers=headers)).status_code == 204
