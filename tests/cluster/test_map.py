"""`ClusterFarm.map` over two workers: what `BoardFarm.map` promises, and what it means that things are sent."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

pytest.importorskip("distributed", reason="Dask is not installed; pip install 'pynq-async[dask]'")

from pynq_async import RemoteDevice
from pynq_async.cluster import ClusterFarm
from pynq_async.errors import ConnectionLost, FarmError, InvalidArgument, NotOpen, PynqError


async def transfer(board: RemoteDevice, item: int) -> int:
    async with board.allocate(64) as buffer:
        buffer[:] = item
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return int(buffer[63])


async def name(board: RemoteDevice, item: object) -> str:
    await board.exists_file("/")
    return board.name


async def test_every_item_is_done_once_on_some_board(farm: ClusterFarm) -> None:
    async with farm.map(transfer, range(60)) as results:
        found = [result async for result in results]

    assert sorted(result.item for result in found) == list(range(60))
    assert all(result.value == result.item and result.attempts == 1 for result in found)
    assert {result.board for result in found} == {"a", "b", "c", "d"}


async def test_results_come_in_order_when_asked_for(farm: ClusterFarm) -> None:
    async with farm.map(transfer, range(30), ordered=True) as results:
        assert [result.value async for result in results] == list(range(30))


async def test_an_empty_map_ends(farm: ClusterFarm) -> None:
    nothing: list[int] = []

    async with farm.map(transfer, nothing) as results:
        assert [result async for result in results] == []


async def test_items_are_pulled_no_faster_than_results_are_taken_and_their_source_is_closed(farm: ClusterFarm) -> None:
    pulled = 0
    closed = False

    async def endless() -> AsyncIterator[int]:
        nonlocal pulled, closed

        try:
            while True:
                pulled += 1
                yield pulled
        finally:
            closed = True

    async with farm.map(name, endless(), ahead=2) as results:
        for taken in range(1, 20):
            await anext(results)
            assert pulled <= taken + 4 * 2

    assert closed


async def test_leaving_early_cancels_what_is_under_way_and_frees_the_boards(farm: ClusterFarm) -> None:
    async def hang(board: RemoteDevice, item: int) -> None:
        async with board.allocate(64):
            if item:
                await asyncio.sleep(600)

    async with farm.map(hang, range(8)) as results:
        assert (await anext(results)).item == 0

    with pytest.raises(NotOpen):
        await anext(results)

    states = [board.state for one in (await farm.statistics()).values() for board in one.boards.values()]
    assert states == ["free"] * 4


async def test_a_function_that_raises_is_reported_with_where_it_did(farm: ClusterFarm) -> None:
    async def picky(board: RemoteDevice, item: int) -> int:
        if item == 3:
            raise KeyError("three")

        return item

    async with farm.map(picky, range(6)) as results:
        found = {result.item: result async for result in results}

    error = found[3].error
    assert isinstance(error, KeyError) and found[3].attempts == 1 and found[3].board in "abcd"
    assert "in picky" in error.__notes__[0]
    assert [found[item].value for item in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 5]


async def test_setup_runs_once_a_board_and_what_it_gives_is_passed(farm: ClusterFarm) -> None:
    async def setup(board: RemoteDevice) -> dict[str, Any]:
        return {"board": board.name, "calls": 0}

    async def work(tool: dict[str, Any], item: int) -> tuple[str, int]:
        tool["calls"] += 1
        return tool["board"], tool["calls"]

    async with farm.map(work, range(40), setup=setup) as results:
        found = [result.value async for result in results]

    for board in {board for board, _ in found}:
        calls = sorted(count for name, count in found if name == board)
        assert calls == list(range(1, len(calls) + 1))


async def test_a_board_whose_setup_fails_takes_no_part(farm: ClusterFarm) -> None:
    async def setup(board: RemoteDevice) -> str:
        if board.name != "d":
            raise ValueError("not this one")

        return board.name

    async def work(tool: str, item: int) -> str:
        return tool

    async with farm.map(work, range(20), setup=setup) as results:
        assert {result.value async for result in results} == {"d"}
        assert isinstance(results.failures["a"], ValueError)


async def test_when_setup_fails_on_every_board_the_map_fails(farm: ClusterFarm) -> None:
    async def setup(board: RemoteDevice) -> RemoteDevice:
        raise ValueError("nowhere")

    async with farm.map(transfer, range(10), setup=setup) as results:
        with pytest.raises(FarmError, match="4 of 4 boards failed:\n  [abcd]: ValueError: nowhere"):
            await anext(results)


@pytest.mark.parametrize(
    ("want", "boards"),
    [
        ({"model": "ZCU104"}, {"d"}),
        ({"tags": "camera"}, {"b", "d"}),
        ({"tags": ["camera", "big"], "family": "zynqmp"}, {"d"}),
        ({"to": ["a", "c"]}, {"a", "c"}),
    ],
)
async def test_only_boards_that_meet_what_was_asked_for_are_used(
    farm: ClusterFarm, want: dict[str, Any], boards: set[str]
) -> None:
    async with farm.map(name, range(12), **want) as results:
        found = [result async for result in results]

    assert {result.value for result in found} == boards and len(found) == 12


async def test_a_map_that_no_worker_can_serve_says_so_at_once(farm: ClusterFarm) -> None:
    with pytest.raises(InvalidArgument, match=r"board with model ZCU104, tag .* can never be met .* has a \(Pynq-Z2\)"):
        async with farm.map(name, iter(int, 1), model="ZCU104", tags="small"):
            pass


async def test_all_boards_of_a_worker_work_at_once_though_it_has_one_thread(farm: ClusterFarm) -> None:
    here: set[str] = set()

    async def meet(board: RemoteDevice, item: int) -> None:
        here.add(board.name)

        while len(here) < 2:  # the two are in one process, where the function is unpacked once
            await asyncio.sleep(0.001)

    async with farm.map(meet, range(2), to=["a", "b"], timeout=20) as results:
        assert {(result.board, result.error) async for result in results} == {("a", None), ("b", None)}


async def test_several_maps_share_the_boards(farm: ClusterFarm) -> None:
    async def run(**want: Any) -> list[str]:
        async with farm.map(name, range(15), **want) as results:
            return [result.value async for result in results]

    async with asyncio.TaskGroup() as group:
        anywhere, with_camera, one = (
            group.create_task(run()),
            group.create_task(run(tags="camera", turn=0.05)),
            group.create_task(run(to="a", priority=1)),
        )

    assert [len(task.result()) for task in (anywhere, with_camera, one)] == [15, 15, 15]
    assert set(one.result()) == {"a"} and set(with_camera.result()) <= {"b", "d"}


async def test_a_function_that_hangs_is_ended_and_reported(farm: ClusterFarm) -> None:
    async def hang(board: RemoteDevice, item: int) -> None:
        if item == 1:
            await asyncio.sleep(600)

    async with farm.map(hang, range(4), timeout=0.1) as results:
        found = {result.item: result async for result in results}

    assert isinstance(found[1].error, TimeoutError) and "did not end within 0.1 s" in str(found[1].error)
    assert [item for item, result in found.items() if result.error] == [1]


async def test_an_item_whose_boards_fail_is_done_on_another_worker(farm: ClusterFarm) -> None:
    async def fails(board: RemoteDevice, item: int) -> str:
        if board.name in "abc":
            raise ExceptionGroup("of a task group", [ConnectionLost(board.name, "as if it had")])

        return board.name

    async with farm.map(fails, range(6), attempts=4) as results:
        found = [result async for result in results]

    assert [result.value for result in found] == ["d"] * 6
    assert all(1 <= result.attempts <= 4 for result in found)


async def test_an_item_under_which_every_board_fails_is_reported_with_the_last_error(farm: ClusterFarm) -> None:
    async def fails(board: RemoteDevice, item: int) -> None:
        raise ConnectionLost(board.name, "again")

    async with farm.map(fails, range(2), attempts=3) as results:
        async for result in results:
            assert isinstance(result.error, ConnectionLost) and result.attempts == 3
            assert result.error.board == result.board


async def test_a_function_that_cannot_be_sent_is_refused_at_once(farm: ClusterFarm) -> None:
    lock = threading.Lock()

    async def uses_a_lock(board: RemoteDevice, item: int) -> None:
        with lock:
            pass

    with pytest.raises(InvalidArgument, match=r"the function of map\(\).* cannot be sent .*lock.*leave out"):
        farm.map(uses_a_lock, range(3))


class Unreadable:
    """Can be written, and not read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _cannot, ()


class OddError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def _cannot() -> None:
    raise LookupError("this file is only there")


async def test_what_cannot_be_sent_is_the_error_of_its_item(farm: ClusterFarm) -> None:
    async def odd(board: RemoteDevice, item: Any) -> Any:
        match item:
            case "lock":
                return threading.Lock()
            case "unreadable":
                return Unreadable()
            case "error":
                raise OddError(1, 2)

        return item

    items = ["lock", "unreadable", "error", threading.Lock(), Unreadable(), 5]

    async with farm.map(odd, items, ordered=True) as results:
        lock, unreadable, error, item, unreadable_item, fine = [result async for result in results]

    assert isinstance(lock.error, InvalidArgument) and "returned on" in str(lock.error) and "lock" in str(lock.error)
    assert isinstance(unreadable.error, InvalidArgument) and "this file is only there" in str(unreadable.error)
    assert isinstance(error.error, PynqError) and "OddError: 1 and 2" in str(error.error)
    assert isinstance(item.error, InvalidArgument) and "the item cannot be sent" in str(item.error)
    assert isinstance(unreadable_item.error, InvalidArgument) and "cannot be read" in str(unreadable_item.error)
    assert fine.value == 5


async def test_a_function_that_the_workers_cannot_read_is_reported(farm: ClusterFarm) -> None:
    function: Any = Unreadable()

    async with farm.map(function, [1]) as results:
        error = (await anext(results)).error
        assert isinstance(error, InvalidArgument) and "are the same packages installed" in str(error)


async def test_a_function_that_is_not_async_is_reported(farm: ClusterFarm) -> None:
    sync: Any = _not_async

    async with farm.map(sync, [1]) as results:
        assert "needs an async function" in str((await anext(results)).error)


def _not_async(board: RemoteDevice, item: int) -> int:
    return item


async def test_an_error_of_the_items_comes_out(farm: ClusterFarm) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("no more files")

    async with farm.map(transfer, items()) as results:
        with pytest.raises(OSError, match="no more files"):
            while True:
                await anext(results)


async def test_closing_the_farm_ends_its_maps(farm: ClusterFarm) -> None:
    async with farm.map(name, iter(int, 1)) as results:
        await anext(results)
        await results.__aexit__()
        await results.__aexit__()


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"ahead": 0}])
async def test_options_that_cannot_be_right_are_refused(farm: ClusterFarm, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidArgument):
        farm.map(name, range(3), **wrong)  # type: ignore[call-overload]

    with pytest.raises(InvalidArgument, match="items to go through"):
        farm.map(name, 5)  # type: ignore[call-overload]
