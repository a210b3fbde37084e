"""Work over a farm whose boards fail, freeze or restart."""

import asyncio
from collections.abc import Iterator

import pytest

from pynq_async import Health, RemoteDevice
from pynq_async.errors import ConnectionLost, DeadlineExceeded, FarmError, StaleHandle
from pynq_async.farm.jobs import Guest, Jobs
from pynq_async.sim import SimBoard

from .farms import several
from .maps import SOON, farm_of, twice


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


async def test_an_item_waits_for_a_board_that_is_only_suspected_before_it_is_tried_where_it_failed() -> None:
    tried: dict[int, list[str]] = {0: [], 1: []}
    both = asyncio.Event()
    sims = several(2)

    async def fails_at_first(board: RemoteDevice, item: int) -> str:
        tried[item].append(board.name)

        if all(tried.values()):
            both.set()

        await both.wait()

        if len(tried[item]) == 1:
            raise ConnectionLost(board.name, "as if it had")

        return board.name

    async with farm_of(*sims) as farm, farm.map(fails_at_first, range(2), attempts=2) as results:
        sims[1].faults.delay("remote_device.existsfile", 0.1)  # a is trusted again sooner
        assert {result.value async for result in results} == {"a", "b"}

    assert all(sorted(boards) == ["a", "b"] for boards in tried.values())


def test_an_item_from_elsewhere_ends_where_no_board_is_left_that_it_was_not_tried_on() -> None:
    jobs = Jobs(ordered=False, attempts=5)
    guest = Guest("an item", ["far away"])
    jobs.add(guest)
    error = ConnectionLost("a", "is gone")

    first = jobs.take("a", lambda job: True)
    assert first is not None and jobs.again(first, "a", error, lambda job: True)
    second = jobs.take("b", lambda job: True)
    assert second is first and not jobs.again(second, "b", error, lambda job: False)

    assert guest.tried == ["far away", "a", "b"]
    result = jobs.next_result()
    assert result is not None and (result.item, result.board, result.attempts) == (guest, "b", 3)


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


@pytest.mark.parametrize("call", [0.4, 30])
async def test_the_work_of_a_board_that_freezes_is_moved_and_no_item_is_lost(call: float) -> None:
    """Whether its own call runs out of time or the farm finds out first."""
    sims = several(3)

    async def read(board: RemoteDevice, item: int) -> str:
        if item == 20:
            await sims[0].freeze()

        await board.exists_file("/etc")
        return board.name

    async with farm_of(*sims, health=SOON, call=call) as farm:
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

    async with farm_of(*sims, health=SOON) as farm, farm.map(work, items()) as results:
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
    health = Health(interval=0.05, timeout=0.4, patience=0.4)

    async with farm_of(*sims, health=health) as farm, farm.map(twice, iter(int, 1)) as results:
        await sims[0].freeze()

        with pytest.raises(FarmError, match="1 of 1 boards failed:\n  a: no answer within"):
            async for _ in results:
                pass

        await sims[0].thaw()


async def test_what_a_frozen_board_did_is_moved_before_its_function_has_given_up() -> None:
    sims = several(2)

    async def work(board: RemoteDevice, item: int) -> str:
        async with board.allocate(64) as buffer:  # freeing it takes as long as a call may take
            if item == 4:
                await sims[0].freeze()

            await buffer.sync_to_device()
            return board.name

    async with farm_of(*sims, health=SOON) as farm:
        async with asyncio.timeout(20), farm.map(work, range(20)) as results:
            found = [result async for result in results]

        assert sorted(result.item for result in found) == list(range(20)) and not any(r.error for r in found)
        await sims[0].thaw()


async def test_results_in_order_wait_for_a_frozen_board_no_longer_than_it_takes_to_notice() -> None:
    """Far sooner than the function gives up, even when the others may not work ahead any more."""
    sims = several(3)

    async def work(board: RemoteDevice, item: int) -> str:
        if item >= 4 and board.name == "a":
            await sims[0].freeze()

        await board.exists_file("/etc")
        return board.name

    async with farm_of(*sims, health=SOON) as farm:
        async with farm.map(work, range(60), ordered=True, ahead=1) as results, asyncio.timeout(20):
            found = [result async for result in results]

        assert [result.item for result in found] == list(range(60)) and not any(result.error for result in found)
        assert farm.statistics().boards["a"].moved == 1
        await sims[0].thaw()
