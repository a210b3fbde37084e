"""Finding a cluster, and boards in it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="Dask is not installed; pip install 'pynq-async[dask]'")

import distributed

from pynq_async import BoardFarm, RemoteDevice
from pynq_async.cluster import ClusterFarm, WorkerBoards
from pynq_async.cluster.preload import boards_of
from pynq_async.errors import ConnectError, ConnectionLost, InvalidArgument, NotOpen
from pynq_async.sim import SimBoard, serve

from ..boards import assert_clean, assert_no_tasks_left, begun
from .processes import ROOT, Child, children, worker


async def name(board: RemoteDevice, item: int) -> str:
    return board.name


async def hold(board: RemoteDevice, item: int) -> None:
    async with board.allocate(64):
        await board.write_file("/tmp/begun", b"")
        await asyncio.sleep(600)


async def test_a_scheduler_that_cannot_be_reached_is_an_error_that_says_so() -> None:
    with pytest.raises(ConnectError, match=r"the Dask scheduler at tcp://127.0.0.1:1: no answer within 0.3 s; is it"):
        async with ClusterFarm("tcp://127.0.0.1:1", timeout=0.3):
            pass

    assert_no_tasks_left()


@pytest.mark.parametrize("wrong", ["", "nowhere", "smoke://signals:1", "tcp://127.0.0.1"])
async def test_what_is_no_address_is_an_error_of_ours(wrong: str) -> None:
    with pytest.raises((InvalidArgument, ConnectError)):
        async with ClusterFarm(wrong, timeout=0.3):
            pass

    assert_no_tasks_left()


@pytest.mark.parametrize("wrong", [None, 5, object()])
def test_what_is_no_scheduler_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match="needs the address of a Dask scheduler"):
        ClusterFarm(wrong)


async def test_options_that_cannot_be_right_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="more than 0"):
        ClusterFarm("tcp://127.0.0.1:1", timeout=0)

    with pytest.raises(NotOpen, match="it is not open"):
        ClusterFarm("tcp://127.0.0.1:1").map(name, [1])


async def test_a_client_that_is_given_stays_open(dask_scheduler: Child, two_workers: list[Child]) -> None:
    async with distributed.Client(dask_scheduler.address, asynchronous=True, set_as_default=False) as client:
        for _ in range(2):
            async with ClusterFarm(client) as farm, farm.map(name, range(4)) as results:
                assert len([result.value async for result in results]) == 4

        farm = ClusterFarm(client)

        async with farm:
            pass

        with pytest.raises(NotOpen, match="opened once"):
            async with farm:
                pass

        assert client.status == "running"


async def test_closing_a_client_that_was_given_ends_the_maps_with_an_error(
    dask_scheduler: Child, two_workers: list[Child]
) -> None:
    client = await distributed.Client(dask_scheduler.address, asynchronous=True, set_as_default=False)

    async with ClusterFarm(client) as farm:
        async with farm.map(name, iter(int, 1)) as results:
            await anext(results)
            await client.close()

            with pytest.raises(ConnectionLost, match="the Dask scheduler at .* is gone"):
                while True:
                    await anext(results)

        with pytest.raises(ConnectionLost):
            await farm.statistics()

    assert_no_tasks_left()


async def test_maps_of_a_farm_that_is_closed_end(dask_scheduler: Child, two_workers: list[Child]) -> None:
    farm = await ClusterFarm(dask_scheduler.address).__aenter__()

    async with farm.map(name, iter(int, 1)) as results:
        await anext(results)
        await farm.aclose()

        with pytest.raises(NotOpen):
            while True:
                await anext(results)

    await farm.aclose()
    assert_no_tasks_left()


async def test_a_cluster_without_boards_says_how_to_start_workers(bare_scheduler: Child) -> None:
    with children(worker(bare_scheduler.address)):
        async with ClusterFarm(bare_scheduler.address) as farm:
            with pytest.raises(
                InvalidArgument, match=r"no worker .* has boards; start .* --preload pynq_async.cluster"
            ):
                async with farm.map(name, [1]):
                    pass

            assert await farm.statistics() == {}


async def test_items_go_only_to_workers_with_boards(dask_scheduler: Child, two_workers: list[Child]) -> None:
    with children(worker(dask_scheduler.address)):
        async with ClusterFarm(dask_scheduler.address) as farm, farm.map(name, range(20)) as results:
            assert {result.value async for result in results} <= set("abcd")


async def test_workers_that_run_already_can_be_given_boards(bare_scheduler: Child) -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        with children(worker(bare_scheduler.address)):
            async with distributed.Client(bare_scheduler.address, asynchronous=True, set_as_default=False) as client:
                await client.register_plugin(WorkerBoards(lambda: BoardFarm({"late": address})))

                async with ClusterFarm(client) as farm:
                    async with farm.map(name, range(5)) as results:
                        assert {result.value async for result in results} == {"late"}

                    await client.unregister_worker_plugin(WorkerBoards.name)

                    with pytest.raises(InvalidArgument, match="no worker .* has boards"):
                        async with farm.map(name, [1]):
                            pass

    assert_clean(sim)


@pytest.mark.parametrize("kind", ["environment", "inventory"])
async def test_dask_worker_takes_boards_by_preload(kind: str, bare_scheduler: Child, tmp_path: Path) -> None:
    sim = SimBoard()
    inventory = tmp_path / "lab.toml"

    async with serve(sim) as address:
        inventory.write_text(f'[[board]]\nname = "bench"\naddress = "{address}"\ntags = ["camera"]\n')
        options = {
            "environment": [],
            "inventory": ["--inventory", str(inventory), "--tag", "camera", "--name", "bench"],
        }[kind]
        log = tmp_path / "worker.log"

        with log.open("w") as said:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "distributed.cli.dask_worker", bare_scheduler.address, "--no-nanny"),
                *("--host", "127.0.0.1", "--no-dashboard", "--local-directory", str(tmp_path), "--death-timeout", "20"),
                *("--nthreads", "1", "--preload", "pynq_async.cluster.preload", *options),
                env={**os.environ, "PYNQ_REMOTE_DEVICES": address if kind == "environment" else ""},
                cwd=ROOT,
                stdout=said,
                stderr=said,
            )

            try:
                async with ClusterFarm(bare_scheduler.address) as farm:
                    async with asyncio.timeout(20):
                        while not await farm.statistics():
                            await asyncio.sleep(0.02)

                    async with farm.map(name, range(3)) as results:
                        found = {result.value async for result in results}
                        assert found == {"bench" if kind == "inventory" else address}, log.read_text()

                    async with farm.map(hold, range(3)) as results:
                        await begun(sim, "remote_device.writefile")
                        assert "Traceback" not in log.read_text()
                        process.terminate()
                        await process.wait()
                        await results.__aexit__()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    assert_clean(sim)


@pytest.mark.parametrize(
    "wrong", [{"boards": ("192.168.2.99",), "inventory": "lab.toml"}, {"names": ("bench",)}, {"tags": ("camera",)}]
)
def test_options_of_the_preload_that_exclude_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="inventory"):
        boards_of(**{"boards": (), "inventory": None, "names": (), "tags": (), **wrong})


async def test_a_worker_whose_boards_cannot_be_opened_has_none(bare_scheduler: Child) -> None:
    with children(worker(bare_scheduler.address)):
        async with distributed.Client(bare_scheduler.address, asynchronous=True, set_as_default=False) as client:
            with pytest.raises(InvalidArgument, match="names no board"):
                await client.register_plugin(WorkerBoards())

            async with ClusterFarm(client) as farm:
                with pytest.raises(InvalidArgument, match="no worker .* has boards"):
                    async with farm.map(name, [1]):
                        pass

            await client.unregister_worker_plugin(WorkerBoards.name)


def test_without_dask_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['distributed'] = None; import pynq_async.cluster"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, cwd=ROOT, check=False
    )
    assert "pip install 'pynq-async[dask]'" in done.stderr.splitlines()[-1]
