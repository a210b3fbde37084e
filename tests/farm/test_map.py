import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pynq_async import BoardFarm, Health, MapResult, RemoteDevice, Timeouts
from pynq_async.errors import ConnectionLost, DeadlineExceeded, FarmError, InvalidArgument, NotOpen, StaleHandle
from pynq_async.sim import SimBoard

from .farms import several, simulated_farm

QUICK = Timeouts(connect=0.3, call=0.5, grace=0.02)
SOON = Health(interval=0.05, timeout=0.2, patience=0.3)


@asynccontextmanager
async def farm_of(*sims: SimBoard) -> AsyncIterator[BoardFarm]:
    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=QUICK) as farm:
        yield farm


async def twice(board: RemoteDevice, item: int) -> int:
    await asyncio.sleep(0)
    return 2 * item


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


@pytest.mark.parametrize("kind", [ConnectionLost, DeadlineExceeded, StaleHandle])
async def test_an_item_whose_board_fails_is_done_on_another_one(kind: type[ConnectionLost]) -> None:
    async def fails_on_a(board: RemoteDevice, item: int) -> str:
        if board.name == "a":
            raise ExceptionGroup("of a task group", [kind("a", "as if it had")])

        return board.name

    async with farm_of(*several(2)) as farm:
        async with farm.map(fails_on_a, range(8)) as results:
            found = [result async for result in results]

        assert len(found) == 8 and {result.value for result in found} == {"b"}
        assert farm.statistics().boards["a"].moved > 0


async def test_the_error_of_another_board_is_the_functions_own() -> None:
    async def asks_another(board: RemoteDevice, item: int) -> None:
        raise ConnectionLost("somebody else", "is gone")

    async with farm_of(SimBoard()) as farm, farm.map(asks_another, [1]) as results:
        result = await anext(results)
        assert isinstance(result.error, ConnectionLost) and result.attempts == 1


async def test_an_item_under_which_every_board_fails_is_reported_with_the_last_error() -> None:
    async def fails(board: RemoteDevice, item: int) -> None:
        raise ConnectionLost(board.name, "again")

    async with farm_of(*several(2)) as farm, farm.map(fails, [1], attempts=3) as results:
        result = await anext(results)
        assert isinstance(result.error, ConnectionLost) and result.attempts == 3
        assert result.error.board == result.board


@pytest.mark.parametrize("call", [0.1, 30])
async def test_the_work_of_a_board_that_freezes_is_moved_and_no_item_is_lost(call: float) -> None:
    """Whether its own call runs out of time or the farm finds out first."""
    sims = several(3)
    timeouts = Timeouts(connect=0.3, call=call, grace=0.02)

    async def read(board: RemoteDevice, item: int) -> str:
        if item == 20:
            await sims[0].freeze()

        await board.exists_file("/etc")
        return board.name

    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=timeouts) as farm:
        async with farm.map(read, range(60)) as results:
            found = [result async for result in results]

        assert sorted(result.item for result in found) == list(range(60))
        assert not [result for result in found if result.error]
        assert farm.statistics().boards["a"].moved == 1 and farm.statistics().boards["a"].state == "absent"
        await sims[0].thaw()


async def test_a_board_that_answers_again_takes_part_again() -> None:
    sims = several(2)
    back = asyncio.Event()

    async def work(board: RemoteDevice, item: int) -> None:
        await board.exists_file("/etc")

        if board.name == "a" and "a" in lost:
            back.set()

    lost: list[str] = []

    def items() -> Iterator[int]:
        while not back.is_set():
            yield 0

    async with farm_of(*sims) as farm, farm.map(work, items()) as results:
        await anext(results)
        await sims[0].freeze()

        async for result in results:
            assert not result.error

            if "a" in farm.absent and not lost:
                lost.append("a")
                await sims[0].thaw()

        assert not farm.absent


async def test_a_board_that_restarts_in_the_middle_loses_no_item() -> None:
    sims = several(2)

    async def work(board: RemoteDevice, item: int) -> int:
        async with board.allocate(64) as buffer:
            if item in (5, 10, 15):
                await sims[0].restart()

            await buffer.sync_to_device()

        return item

    async with farm_of(*sims) as farm, farm.map(work, range(30), attempts=5) as results:
        assert sorted([result.value async for result in results]) == list(range(30))


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


async def test_a_board_whose_setup_fails_takes_no_part() -> None:
    async def setup(board: RemoteDevice) -> str:
        if board.name == "a":
            raise ValueError("not this one")

        return board.name

    async def work(name: str, item: int) -> str:
        return name

    async with farm_of(*several(2)) as farm, farm.map(work, range(10), setup=setup) as results:
        assert {result.value async for result in results} == {"b"}
        assert isinstance(results.failures["a"], ValueError)


async def test_when_setup_fails_on_every_board_the_map_fails() -> None:
    async def setup(board: RemoteDevice) -> RemoteDevice:
        raise ValueError("nowhere")

    async with farm_of(*several(2)) as farm, farm.map(twice, range(10), setup=setup) as results:
        with pytest.raises(FarmError, match="2 of 2 boards failed:\n  [ab]: ValueError: nowhere"):
            await anext(results)


async def test_when_no_board_is_left_the_map_fails_after_a_while() -> None:
    sims = several(1)

    async with farm_of(*sims) as farm, farm.map(twice, iter(int, 1)) as results:
        await anext(results)
        await sims[0].freeze()

        with pytest.raises(FarmError, match="1 of 1 boards failed:\n  a: no answer within"):
            async for _ in results:
                pass

        await sims[0].thaw()


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


async def test_what_a_frozen_board_did_is_moved_before_its_function_has_given_up() -> None:
    sims = several(2)
    timeouts = Timeouts(connect=0.3, call=1.5, grace=0.02)

    async def work(board: RemoteDevice, item: int) -> str:
        async with board.allocate(64) as buffer:  # freeing it takes as long as a call may take
            if item == 4:
                await sims[0].freeze()

            await buffer.sync_to_device()
            return board.name

    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=timeouts) as farm:
        begun = asyncio.get_running_loop().time()

        async with farm.map(work, range(20)) as results:
            found = [result async for result in results]

        assert asyncio.get_running_loop().time() - begun < 1.4
        assert sorted(result.item for result in found) == list(range(20)) and not any(r.error for r in found)
        await sims[0].thaw()


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
