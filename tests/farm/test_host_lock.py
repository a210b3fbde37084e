"""Boards that several processes of one host want."""

import asyncio
import sys
from pathlib import Path

import pytest

from pynq_async import Address, BoardFarm, BoardSpec, Tls
from pynq_async.errors import LeaseTimeout, PynqError
from pynq_async.farm import host_lock
from pynq_async.farm.host_lock import HostLock
from pynq_async.sim import SimBoard

from .farms import several, simulated_farm

HOLDER = """
import sys
from pathlib import Path
from pynq_async.farm.host_lock import HostLock

lock = HostLock(sys.argv[2], Path(sys.argv[1]))
print(lock.take(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of this test alone."""
    monkeypatch.setattr(host_lock, "FOLDER", tmp_path / "locks")
    return tmp_path / "locks"


async def _holder(folder: Path, address: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(folder), address, stdin=pipe, stdout=pipe
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"True\n"
    return holder


def test_a_lock_is_held_by_one_at_a_time() -> None:
    first, second = HostLock("10.0.0.1:7967"), HostLock("10.0.0.1:7967")
    assert first.take() and first.take() and not second.take()
    assert HostLock("10.0.0.1:7968").take()
    first.release()
    first.release()
    assert second.take()
    second.release()


def test_a_folder_that_cannot_be_used_is_said(folder: Path) -> None:
    folder.write_text("in the way")

    with pytest.raises(PynqError, match="the lock .* cannot be opened"):
        HostLock("10.0.0.1:7967").take()


async def test_a_board_that_another_process_has_is_waited_for_and_freed_by_its_death(folder: Path) -> None:
    async with simulated_farm(*several(2)) as boards, BoardFarm(boards, exclusive=True) as farm:
        holder = await _holder(folder, boards["a"])

        async with farm.lease() as board:
            assert board.name == "b"

            with pytest.raises(LeaseTimeout):
                async with farm.lease(timeout=0.05):
                    pass

        with pytest.raises(LeaseTimeout, match="^a: another process of this host has it"):
            async with farm.lease(name="a", timeout=0.05):
                pass

        waiting = asyncio.create_task(_lease(farm, "a"))

        async with asyncio.timeout(30):
            while farm.statistics().boards["a"].state != "elsewhere":
                await asyncio.sleep(0)

        holder.kill()
        await holder.wait()
        assert await waiting == "a"


async def _lease(farm: BoardFarm, name: str) -> str:
    async with farm.lease(name=name, timeout=30) as board:
        return board.name


async def test_boards_behind_one_terminator_have_locks_of_their_own() -> None:
    address = Address("127.0.0.1", 8443)
    specs = {name: BoardSpec(name, address, tls=Tls(server_name=f"{name}.lab")) for name in "ab"}
    locks = await host_lock.host_locks(specs | {"c": BoardSpec("c", address, locked=True)})
    assert sorted(locks) == ["a", "b"] and locks["a"].name != locks["b"].name


async def test_two_farms_of_one_host_do_not_hold_a_board_at_once() -> None:
    sims = several(2)
    held: list[str] = []

    async with simulated_farm(*sims) as boards:
        other_names = {name: address.replace("127.0.0.1", "localhost") for name, address in boards.items()}

        async with BoardFarm(boards, exclusive=True) as one, BoardFarm(other_names, exclusive=True) as two:

            async def user(farm: BoardFarm, count: int) -> None:
                for _ in range(3):
                    async with farm.lease(count=count, timeout=20) as lent:
                        for board in lent:
                            assert board.name not in held
                            held.append(board.name)

                        await asyncio.sleep(0.001)

                        for board in lent:
                            held.remove(board.name)

            async with asyncio.TaskGroup() as group:
                for farm in (one, two):
                    group.create_task(user(farm, 1))
                    group.create_task(user(farm, 2))


async def test_a_lease_without_a_lock_is_of_this_process_alone(folder: Path) -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm, farm.lease():
        assert not folder.exists()
