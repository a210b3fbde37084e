import asyncio

import pytest

from pynq_async import BoardFarm, RemoteDevice
from pynq_async.errors import FarmError
from pynq_async.farm import Barrier

from .farms import several, simulated_farm


async def test_boards_wait_for_each_other_as_often_as_asked() -> None:
    steps: list[int] = []

    async def work(board: RemoteDevice, barrier: Barrier) -> None:
        for step in range(3):
            for _ in range(ord(board.name) - ord("a")):
                await asyncio.sleep(0)

            steps.append(step)
            await barrier.wait()

    async with simulated_farm(*several(3)) as boards, BoardFarm(boards) as farm:
        await farm.run(work, barrier=True)

    assert steps == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_nobody_waits_for_a_board_that_has_failed_or_returned() -> None:
    async def work(board: RemoteDevice, barrier: Barrier) -> str:
        if board.name == "a":
            raise KeyError("a")

        if board.name == "b":
            return "early"

        assert board.name not in barrier.missing or len(barrier.missing) >= 1
        await barrier.wait()
        return "late"

    async with simulated_farm(*several(4)) as boards, BoardFarm(boards) as farm:
        with pytest.raises(FarmError, match="1 of 4") as caught:
            async with asyncio.timeout(5):
                await farm.run(work, barrier=True)

        assert caught.value.results == {"b": "early", "c": "late", "d": "late"}


async def test_who_gives_up_waiting_has_not_come() -> None:
    again = asyncio.Event()

    async def work(board: RemoteDevice, barrier: Barrier) -> None:
        if board.name == "a":
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await barrier.wait()

            assert barrier.missing == {"a", "b"}
            again.set()
        else:
            await again.wait()

        await barrier.wait()

    async with simulated_farm(*several(2)) as boards, BoardFarm(boards) as farm:
        async with asyncio.timeout(5):
            await farm.run(work, barrier=True)


async def test_the_boards_that_run_may_be_chosen() -> None:
    async def work(board: RemoteDevice, barrier: Barrier) -> None:
        await barrier.wait()

    async with simulated_farm(*several(3)) as boards, BoardFarm(boards) as farm:
        async with asyncio.timeout(5):
            assert list(await farm.run(work, barrier=True, to=["a", "c"])) == ["a", "c"]
