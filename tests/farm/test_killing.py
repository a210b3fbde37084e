"""What is killed in the middle of work loses no item and leaks no lease."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from pynq_async import BoardFarm, Health, RemoteDevice, Timeouts
from pynq_async.errors import BoardError
from pynq_async.farm import host_lock
from pynq_async.sim import FaultPlan, spawn

from .farms import several, simulated_farm

SOON = Health(interval=0.1, timeout=0.5)
QUICK = Timeouts(call=2, grace=0.05)

CLIENT = """
import asyncio, sys
from collections.abc import Callable
from pathlib import Path
from pynq_async import BoardFarm
from pynq_async.farm import host_lock

host_lock.FOLDER = Path(sys.argv[1])

async def main():
    async with BoardFarm(sys.argv[2:], exclusive=True) as farm, farm.lease(count=2):
        print("holds", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def transfer(board: RemoteDevice, item: int) -> int:
    async with board.allocate(256) as buffer:
        buffer[:] = item
        await buffer.sync_to_device()
        buffer[:] = 0
        await buffer.sync_from_device()
        return int(buffer[255])


async def test_killing_a_board_in_the_middle_of_work_loses_no_item() -> None:
    async with spawn(2) as addresses, BoardFarm(addresses, health=SOON, timeouts=QUICK) as farm:
        async with farm.map(transfer, range(60)) as results:
            values: list[int] = []

            async for result in results:
                values.append(result.value)

                if len(values) == 20:
                    os.kill(addresses[1].pid, signal.SIGKILL)

        assert sorted(values) == list(range(60))

        async with farm.lease(timeout=30) as board:
            assert board.name == addresses[0]


async def test_killing_a_client_gives_its_boards_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_lock, "FOLDER", tmp_path)

    async with simulated_farm(*several(2)) as boards:
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, str(tmp_path), *boards.values(), stdout=asyncio.subprocess.PIPE
        )
        assert client.stdout is not None and await client.stdout.readline() == b"holds\n"

        async with BoardFarm(boards, exclusive=True) as farm:
            waiting = asyncio.create_task(_lease(farm))

            async with asyncio.timeout(30):
                while farm.statistics().boards["a"].state != "elsewhere":
                    await asyncio.sleep(0)

            client.kill()
            await client.wait()
            assert await waiting == 2


async def _lease(farm: BoardFarm) -> int:
    async with farm.lease(count=2, timeout=30) as boards:
        return len(boards)


def _late(faults: FaultPlan) -> None:
    faults.latency = 0.005


def _dropped(faults: FaultPlan) -> None:
    faults.drop("buffer.write", times=2)
    faults.drop("buffer.allocate")


def _lost(faults: FaultPlan) -> None:
    faults.fail("*", grpc.StatusCode.UNAVAILABLE, times=5)


def _answers_lost(faults: FaultPlan) -> None:
    faults.fail("buffer.flush", grpc.StatusCode.DEADLINE_EXCEEDED, times=3, execute=True)


@pytest.mark.parametrize("fault", [_late, _dropped, _lost, _answers_lost])
async def test_work_under_faults_ends_well_or_with_a_typed_error(fault: Callable[[FaultPlan], None]) -> None:
    sims = several(2)

    async with simulated_farm(*sims) as boards, BoardFarm(boards, health=SOON, timeouts=QUICK) as farm:
        fault(sims[0].faults)

        async with farm.map(transfer, range(30)) as results:
            found = {result.item: result async for result in results}

        assert sorted(found) == list(range(30))
        assert all(result.error is None or isinstance(result.error, BoardError) for result in found.values())
        assert all(result.value == item for item, result in found.items() if not result.error)
        sims[0].faults.clear()

        async with farm.lease(count=2, timeout=30) as pair:
            for board in pair:
                assert await transfer(board, 7) == 7
