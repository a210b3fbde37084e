"""Tests that borrow boards: simulated ones, or real ones with an option. Nothing in the tests changes.

    pytest examples/test_that_borrows_a_board.py
    pytest examples/test_that_borrows_a_board.py --pynq-board 192.168.2.99 --pynq-board 192.168.2.100
    pytest examples/test_that_borrows_a_board.py --pynq-inventory lab.toml --pynq-tag camera

The fixtures come with pynq-async. They give what `RemoteDevice` and `BoardFarm` take, and a buffer that is left on a
simulated board fails the test.
With pytest-asyncio or anyio's plugin the tests are `async def` and `asyncio.run` goes.
"""

import asyncio

import numpy as np
import pytest

from pynq_async import BoardFarm, BoardSpec, RemoteDevice
from pynq_async.pytest_plugin import BoardFactory


async def negated(board: RemoteDevice, data: np.ndarray) -> np.ndarray:
    """The code under test: sends an image, and would have an IP of the design negate it."""
    async with board.allocate(data.shape, data.dtype) as buffer:
        buffer[:] = ~data
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return buffer.copy().view(np.ndarray)


def test_an_image_is_negated(pynq_board: BoardSpec) -> None:
    async def scenario() -> None:
        async with RemoteDevice(pynq_board) as board:
            image = np.arange(64, dtype="u1").reshape(8, 8)
            assert np.array_equal(await negated(board, image), 255 - image)

    asyncio.run(scenario())


@pytest.mark.pynq_sim(family="zynqmp")
def test_a_zynqmp_has_64_bits(pynq_board: BoardSpec) -> None:
    async def scenario() -> None:
        async with RemoteDevice(pynq_board) as board:
            assert board.arch == "aarch64"

    asyncio.run(scenario())


def test_two_boards_that_the_test_asks_for_itself(pynq_boards: BoardFactory) -> None:
    async def scenario() -> None:
        one, other = pynq_boards(2)

        async with RemoteDevice(one) as left, RemoteDevice(other) as right:
            assert left.boot_id != right.boot_id

    asyncio.run(scenario())


def test_every_board_of_the_farm_answers(pynq_farm: list[BoardSpec]) -> None:
    async def scenario() -> None:
        async with BoardFarm(pynq_farm) as farm:
            models = await farm.run(model_of)
            assert list(models) == list(farm)

    asyncio.run(scenario())


async def model_of(board: RemoteDevice) -> str:
    """What runs on each board of the farm."""
    return board.model
