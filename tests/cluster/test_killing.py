"""What is killed in the middle of work loses no item, counts none twice, and leaks no lease."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

pytest.importorskip("distributed", reason="Dask is not installed; pip install 'pynq-async[dask]'")

from pynq_async import MapResult, RemoteDevice
from pynq_async.cluster import ClusterFarm
from pynq_async.errors import BoardError, ConnectionLost, FarmError
from pynq_async.sim import FaultPlan, SimBoard, serve

from ..boards import assert_clean, begun
from .processes import ROOT, Child, boards, children, scheduler, worker

BEGUN = "remote_device.writefile"
CLIENT = """
import asyncio, sys
from pynq_async.cluster import ClusterFarm
from tests.cluster.test_killing import hang

async def main():
    async with ClusterFarm(sys.argv[1]) as farm, farm.map(hang, range(9), to="v") as results:
        await anext(results)

asyncio.run(main())
"""


async def transfer(board: RemoteDevice, item: int) -> int:
    async with board.allocate(64) as buffer:
        buffer[:] = item
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return int(buffer[63])


async def hang(board: RemoteDevice, item: int) -> int:
    """On the board v, write a file, so that it is seen, and hang."""
    if board.name == "v":
        await board.write_file("/tmp/begun", b"")
        await asyncio.sleep(600)

    return await transfer(board, item)


async def states(farm: ClusterFarm) -> dict[str, str]:
    return {name: board.state for one in (await farm.statistics()).values() for name, board in one.boards.items()}


async def until(farm: ClusterFarm, **expected: str | None) -> None:
    """Wait until boards are in a state."""
    async with asyncio.timeout(20):
        while expected != {name: (await states(farm)).get(name) for name in expected}:
            await asyncio.sleep(0.02)


async def numbers(items: asyncio.Queue[int | None]) -> AsyncIterator[int]:
    """Items as the test gives them."""
    while (item := await items.get()) is not None:
        yield item


async def test_killing_a_worker_in_the_middle_of_work_loses_no_item(farm: ClusterFarm, dask_scheduler: Child) -> None:
    sim = SimBoard(seed=9)
    found: list[MapResult[int, int]] = []

    async with serve(sim) as address:
        with children(worker(dask_scheduler.address, v=address)) as (victim,):
            async with farm.map(hang, range(60)) as results:
                await begun(sim, BEGUN)
                assert (await states(farm))["v"] == "leased"
                victim.signal(signal.SIGKILL)
                found = [result async for result in results]

        assert sorted(result.item for result in found) == list(range(60))
        assert all(result.value == result.item and result.board != "v" for result in found)
        await until(farm, v=None)

        with children(worker(dask_scheduler.address, v=address)):  # its board is free for the next worker
            async with farm.map(transfer, range(3), to="v") as results:
                assert {result.board async for result in results} == {"v"}

        await until(farm, v=None)

    assert_clean(sim)


async def test_a_worker_that_comes_late_takes_part(farm: ClusterFarm, dask_scheduler: Child) -> None:
    async def held(board: RemoteDevice, item: int) -> str:
        return board.name

    sim = SimBoard(seed=9)

    async with serve(sim) as address, farm.map(held, iter(int, 1)) as results:
        await anext(results)

        with children(worker(dask_scheduler.address, v=address)):
            async with asyncio.timeout(20):
                async for result in results:
                    if result.value == "v":
                        break

            await results.__aexit__()

        await until(farm, v=None)

    assert_clean(sim)


async def test_killing_a_client_ends_its_work_and_frees_the_boards(farm: ClusterFarm, dask_scheduler: Child) -> None:
    sim = SimBoard(seed=9)

    async with serve(sim) as address:
        with children(worker(dask_scheduler.address, v=address)):
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CLIENT, dask_scheduler.address, cwd=ROOT, stderr=asyncio.subprocess.DEVNULL
            )

            try:
                async with asyncio.timeout(20):
                    await until(farm, v="leased")
            finally:
                client.kill()
                await client.wait()

            await until(farm, v="free")

            async with farm.map(transfer, range(3), to="v") as results:
                assert sorted([result.value async for result in results]) == [0, 1, 2]

        await until(farm, v=None)

    assert_clean(sim)


async def test_killing_the_scheduler_ends_the_map_with_an_error_that_says_so() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        with children(scheduler()) as (served,), children(worker(served.address, v=address)):
            async with ClusterFarm(served.address, timeout=1) as farm, farm.map(hang, range(5)) as results:
                await begun(sim, BEGUN)
                served.signal(signal.SIGKILL)

                with pytest.raises(
                    ConnectionLost, match="the Dask scheduler at tcp://.*: it is gone or does not answer"
                ):
                    await anext(results)

    assert_clean(sim)


async def test_when_the_last_worker_is_gone_the_map_waits_for_a_while_and_fails() -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        with children(scheduler()) as (served,), children(worker(served.address, v=address)) as (victim,):
            async with ClusterFarm(served.address, patience=0.5) as farm, farm.map(hang, range(5)) as results:
                await begun(sim, BEGUN)
                victim.signal(signal.SIGKILL)

                with pytest.raises(
                    FarmError, match=r"1 of 1 boards failed:\n  v: neither the board nor its Dask worker"
                ):
                    await anext(results)

    assert_clean(sim)


async def test_the_work_of_a_board_that_freezes_is_moved_and_it_takes_part_again(
    farm: ClusterFarm, dask_scheduler: Child
) -> None:
    """Its worker has no other board; it offers none meanwhile, and one again afterwards."""
    queue: asyncio.Queue[int | None] = asyncio.Queue()

    with (
        children(*boards("--seed 9")) as (board,),
        children(worker(dask_scheduler.address, v=board.address, w="127.0.0.1:1")),
    ):
        async with farm.map(transfer, numbers(queue), to=["a", "v"]) as results:
            queue.put_nowait(0)
            assert (await anext(results)).value == 0
            board.signal(signal.SIGSTOP)
            await until(farm, v="absent")

            for item in range(1, 21):
                queue.put_nowait(item)

            assert sorted([(await anext(results)).value for _ in range(20)]) == list(range(1, 21))
            board.signal(signal.SIGCONT)
            await until(farm, v="free")
            used: set[str] = set()

            async with asyncio.timeout(20):
                while "v" not in used:
                    queue.put_nowait(1)
                    queue.put_nowait(2)
                    used |= {(await anext(results)).board, (await anext(results)).board}

            queue.put_nowait(None)

    await until(farm, v=None)


async def test_items_wait_while_the_only_board_is_away(farm: ClusterFarm, dask_scheduler: Child) -> None:
    queue: asyncio.Queue[int | None] = asyncio.Queue()

    with children(*boards("--seed 9")) as (board,), children(worker(dask_scheduler.address, v=board.address)):
        async with farm.map(transfer, numbers(queue), to="v") as results:
            queue.put_nowait(0)
            assert (await anext(results)).value == 0
            board.signal(signal.SIGSTOP)
            await until(farm, v="absent")

            for item in range(1, 5):
                queue.put_nowait(item)

            queue.put_nowait(None)
            board.signal(signal.SIGCONT)
            assert sorted([result.value async for result in results]) == [1, 2, 3, 4]

    await until(farm, v=None)


async def test_an_item_that_ends_the_process_of_every_worker_is_reported() -> None:
    """Dask gives up on an item that has cost it too many workers; here one is too many."""

    async def ends_it(board: RemoteDevice, item: int) -> None:
        os._exit(1)

    sim = SimBoard()

    async with serve(sim) as address:
        with children(scheduler("0")) as (served,), children(worker(served.address, v=address)):
            async with ClusterFarm(served.address) as farm, farm.map(ends_it, [1]) as results:
                result = await anext(results)
                assert isinstance(result.error, ConnectionLost) and "does the function end the process" in str(
                    result.error
                )

    assert_clean(sim)


def _late(faults: FaultPlan) -> None:
    faults.latency = 0.005


def _dropped(faults: FaultPlan) -> None:
    faults.drop("buffer.write", times=2)
    faults.drop("buffer.allocate")


def _lost(faults: FaultPlan) -> None:
    faults.fail("*", grpc.StatusCode.UNAVAILABLE, times=5)


def _answers_lost(faults: FaultPlan) -> None:
    faults.fail("buffer.flush", grpc.StatusCode.DEADLINE_EXCEEDED, times=3, execute=True)


FAULTS: list[Callable[[FaultPlan], None]] = [_late, _dropped, _lost, _answers_lost]


async def test_work_under_faults_ends_well_or_with_a_typed_error(farm: ClusterFarm, dask_scheduler: Child) -> None:
    sim = SimBoard(seed=9)

    async with serve(sim) as address:
        with children(worker(dask_scheduler.address, v=address)):
            for fault in FAULTS:
                fault(sim.faults)

                async with farm.map(transfer, range(30)) as results:
                    found = {result.item: result async for result in results}

                assert sorted(found) == list(range(30))
                assert all(result.error is None or isinstance(result.error, BoardError) for result in found.values())
                assert all(result.value == item for item, result in found.items() if not result.error)
                sim.faults.clear()
                await until(farm, v="free")

                async with farm.map(transfer, [7], to="v") as results:
                    assert (await anext(results)).value == 7

        await until(farm, v=None)

    assert_clean(sim)
