"""Work over a farm: every item is done once, and leaving ends it."""

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pynq_async import BoardFarm, MapResult, RemoteDevice
from pynq_async.errors import InvalidArgument, NotOpen
from pynq_async.sim import SimBoard

from .farms import several, simulated_farm
from .maps import farm_of, twice


async def test_every_item_is_done_once_on_some_board() -> None:
    async with farm_of(*several(3)) as farm:
        async with farm.map(twice, range(50)) as results:
            found = [result async for result in results]

        assert sorted(result.item for result in found) == list(range(50))
        assert all(result.value == 2 * result.item and result.attempts == 1 for result in found)
        assert {result.board for result in found} == {"a", "b", "c"}
        statistics = farm.statistics().boards.values()
        assert sum(board.items for board in statistics) == 50 and all(board.state == "free" for board in statistics)


async def test_results_come_in_order_when_asked_for() -> None:
    async def later(board: RemoteDevice, item: int) -> int:
        for _ in range((item * 7) % 5):
            await asyncio.sleep(0)

        return item

    async with farm_of(*several(3)) as farm, farm.map(later, range(40), ordered=True) as results:
        assert [result.value async for result in results] == list(range(40))


async def test_items_may_come_from_an_asynchronous_source_which_is_closed() -> None:
    closed = False

    async def source() -> AsyncIterator[int]:
        nonlocal closed

        try:
            for number in range(1000):
                await asyncio.sleep(0)
                yield number
        finally:
            closed = True

    async with farm_of(*several(2)) as farm:
        async with farm.map(twice, source()) as results:
            async for result in results:
                if result.index == 5:
                    break

        assert closed


async def test_items_are_pulled_no_faster_than_results_are_taken() -> None:
    pulled = 0

    def endless() -> Iterator[int]:
        nonlocal pulled

        while True:
            pulled += 1
            yield pulled

    async with farm_of(*several(2)) as farm, farm.map(twice, endless(), ahead=3) as results:
        for taken in range(1, 20):
            await anext(results)

            for _ in range(50):
                await asyncio.sleep(0)

            assert pulled <= taken + 2 * 3


async def test_a_function_that_raises_is_reported_and_the_item_is_not_tried_again() -> None:
    async def picky(board: RemoteDevice, item: int) -> int:
        if item == 3:
            raise KeyError("three")

        return item

    async with farm_of(*several(2)) as farm:
        async with farm.map(picky, range(6)) as results:
            found = {result.item: result async for result in results}

        assert isinstance(found[3].error, KeyError) and found[3].attempts == 1

        with pytest.raises(KeyError):
            _ = found[3].value

        assert [found[item].value for item in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]
        assert sum(board.failed for board in farm.statistics().boards.values()) == 1


async def test_setup_runs_once_a_board_and_its_result_is_passed() -> None:
    ready: list[str] = []

    async def setup(board: RemoteDevice) -> str:
        ready.append(board.name)
        return f"design on {board.name}"

    async def work(design: str, item: int) -> str:
        await asyncio.sleep(0)
        return design

    async with farm_of(*several(2)) as farm, farm.map(work, range(20), setup=setup) as results:
        assert {result.value async for result in results} == {"design on a", "design on b"}

    assert sorted(ready) == ["a", "b"]


async def test_what_setup_gives_is_left_when_it_can_be_entered() -> None:
    sims = several(2)

    async def work(buffer: object, item: int) -> None:
        await asyncio.sleep(0)

    async with farm_of(*sims) as farm:
        async with farm.map(work, range(9), setup=lambda board: board.allocate(64)) as results:
            assert len([result async for result in results if not result.error]) == 9
            assert sum(sim.counters.live_buffers for sim in sims) <= 2

        assert sum(sim.counters.live_buffers for sim in sims) == 0


async def test_a_function_that_hangs_is_ended_and_reported() -> None:
    async def hang(board: RemoteDevice, item: int) -> None:
        if item == 1:
            await asyncio.sleep(60)

    async with farm_of(*several(2)) as farm, farm.map(hang, range(4), timeout=0.05) as results:
        found = {result.item: result async for result in results}

    assert isinstance(found[1].error, TimeoutError) and "did not end within 0.05 s" in str(found[1].error)
    assert [item for item, result in found.items() if result.error] == [1]


async def test_a_function_that_is_not_async_or_cancels_itself_is_reported() -> None:
    async def gives_up(board: RemoteDevice, item: int) -> None:
        raise asyncio.CancelledError

    async with farm_of(SimBoard()) as farm:
        sync: Any = _not_async

        async with farm.map(sync, [1]) as results:
            assert "needs an async function" in str((await anext(results)).error)

        async with farm.map(gives_up, [1]) as results:
            assert "cancelled from inside" in str((await anext(results)).error)


def _not_async(board: RemoteDevice, item: int) -> int:
    return item


async def test_an_error_of_the_items_comes_out_after_what_was_done() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more files")

    async with farm_of(SimBoard()) as farm, farm.map(twice, items()) as results:
        with pytest.raises(OSError, match="no more files"):
            while True:
                await anext(results)


async def test_leaving_early_ends_all_work_and_returns_the_boards() -> None:
    ended: list[int] = []

    async def work(board: RemoteDevice, item: int) -> None:
        try:
            await asyncio.sleep(60 if item else 0)
        finally:
            ended.append(item)

    async with farm_of(*several(2)) as farm:
        async with farm.map(work, range(100)) as results:
            assert (await anext(results)).item == 0

        assert len(ended) == 3

        async with farm.lease(count=2, timeout=1):
            pass


async def test_cancelling_the_user_ends_all_work() -> None:
    async with farm_of(*several(2)) as farm:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), farm.map(twice, iter(int, 1)) as results:
                async for _ in results:
                    pass

        async with farm.lease(count=2, timeout=1):
            pass


async def test_a_map_gives_a_board_to_a_lease_that_waits_and_goes_on_afterwards() -> None:
    setups: list[str] = []

    async def setup(board: RemoteDevice) -> RemoteDevice:
        setups.append(board.name)
        return board

    async with farm_of(SimBoard()) as farm, farm.map(twice, iter(int, 1), setup=setup, turn=0.01) as results:
        await anext(results)
        taking = asyncio.create_task(_take(results))

        async with farm.lease(timeout=5):
            pass

        while len(setups) < 2:
            await asyncio.sleep(0.001)

        taking.cancel()
        await asyncio.wait({taking})


async def _take(results: AsyncIterator[MapResult[int, int]]) -> None:
    async for _ in results:
        pass


async def test_two_maps_share_the_boards() -> None:
    async with farm_of(*several(2)) as farm:

        async def one(number: int) -> int:
            async with farm.map(twice, range(200), turn=0.001) as results:
                return sum([result.value async for result in results])

        async with asyncio.TaskGroup() as group:
            sums = [group.create_task(one(number)) for number in range(3)]

        assert [task.result() for task in sums] == [2 * sum(range(200))] * 3


async def test_closing_the_farm_ends_a_map() -> None:
    async with simulated_farm(SimBoard()) as boards:
        farm = await BoardFarm(boards)

        async with farm.map(twice, iter(int, 1)) as results:
            await anext(results)
            await farm.aclose()

            with pytest.raises(NotOpen, match="closed while a map ran"):
                async for _ in results:
                    pass


async def test_a_farm_cannot_be_closed_by_its_own_work() -> None:
    async with farm_of(SimBoard()) as farm:

        async def close(board: RemoteDevice, item: int) -> None:
            await farm.aclose()

        async with farm.map(close, [1]) as results:
            assert "work that it does itself" in str((await anext(results)).error)


async def test_misuse_of_a_map_says_what_is_wrong() -> None:
    async with farm_of(SimBoard()) as farm:
        with pytest.raises(InvalidArgument, match="needs items to go through, not int"):
            farm.map(twice, 5)  # type: ignore[call-overload]

        with pytest.raises(InvalidArgument, match="at least 1"):
            farm.map(twice, [], attempts=0)

        with pytest.raises(InvalidArgument, match="no board called 'z'"):
            async with farm.map(twice, [], to=["z"]):
                pass

        with pytest.raises(NotOpen, match="inside of 'async with"):
            await anext(farm.map(twice, []))

        async with farm.map(twice, list[int]()) as results:
            assert [result async for result in results] == []


def test_a_result_can_be_sent_elsewhere() -> None:
    result = MapResult(1, "item", "a", 1, None, 5)
    assert pickle.loads(pickle.dumps(result)) == result


async def test_a_map_that_is_cancelled_at_any_time_returns_the_boards() -> None:
    sims = several(2)

    async def work(board: RemoteDevice, item: int) -> None:
        async with board.allocate(16) as buffer:
            await buffer.sync_to_device()

    async def user(farm: BoardFarm) -> None:
        async with farm.map(work, range(8), setup=_ready) as results:
            assert not [result async for result in results if result.error]

    async with farm_of(*sims) as farm:
        for turns in range(0, 120, 3):
            task = asyncio.create_task(user(farm))

            for _ in range(turns):
                await asyncio.sleep(0)

            task.cancel()
            await asyncio.wait({task})
            assert [board.state for board in farm.statistics().boards.values()] == ["free", "free"]
            assert not farm["a"].memory.live and not farm["b"].memory.live


async def _ready(board: RemoteDevice) -> RemoteDevice:
    return board
