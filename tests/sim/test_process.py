"""Boards in processes of their own."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from pynq_async.bitstream import shipped_description
from pynq_async.errors import InvalidArgument, SimulationError
from pynq_async.sim import spawn

from .conftest import RawClient


async def test_boards_in_processes_answer_and_end_with_the_block() -> None:
    async with spawn(2, model=["One", "Two"], family="zynqmp") as addresses:
        models = []

        for address in addresses:
            client = RawClient(address)
            models.append(await client.read_file("/proc/device-tree/chosen/pynq_board"))
            await client.channel.close()

        assert models == [b"One\0", b"Two\0"]
        assert len({address.pid for address in addresses}) == 2

    for address in addresses:
        with pytest.raises(OSError):
            await asyncio.open_connection(*address.rsplit(":", 1))


async def test_a_board_that_cannot_start_says_why() -> None:
    with pytest.raises(SimulationError, match=r"'2\.7' is no release"):
        async with spawn(1, release="2.7"):
            pass


async def test_what_a_kernel_prints_does_not_disturb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    (tmp_path / "noisy.py").write_text("print('hello')\ndef run(call):\n    pass\n")
    (tmp_path / "resizer.hwh").write_bytes(shipped_description("resizer"))
    designs = [tmp_path / "resizer.hwh"]

    async with spawn(1, designs=designs, kernels={"resize_accel_0": "noisy:run"}) as (address,):
        client = RawClient(address)
        assert await client.map() == "0"
        await client.channel.close()


async def test_a_board_that_was_stopped_by_a_signal_is_reaped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pynq_async.sim.process._GRACE", 0.1)

    async with spawn(1) as addresses:
        os.kill(addresses[0].pid, signal.SIGSTOP)

    with pytest.raises(ProcessLookupError):
        os.kill(addresses[0].pid, 0)


async def test_at_least_one_board_is_needed() -> None:
    with pytest.raises(InvalidArgument):
        async with spawn(0):
            pass


async def test_boards_die_with_a_parent_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(*(sys.executable, "-c", _PARENT), stdout=-1)
    assert parent.stdout is not None
    address = (await parent.stdout.readline()).decode().strip()
    client = RawClient(address)
    assert await client.map() == "0"
    parent.kill()
    await parent.communicate()

    async with asyncio.timeout(10):
        with pytest.raises(OSError):
            while True:
                _, writer = await asyncio.open_connection(*address.rsplit(":", 1))
                writer.close()
                await asyncio.sleep(0.02)

    await client.channel.close()


_PARENT = """
import asyncio
from pynq_async.sim import spawn

async def main():
    async with spawn(1) as addresses:
        print(addresses[0], flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["input", "SIGTERM", "SIGINT"])
async def test_a_board_ends_quietly(end: str) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pynq_async.sim", "--port", "0"), stdin=-1, stdout=-1, stderr=-1
    )
    assert child.stdout is not None
    assert child.stdin is not None
    ready = json.loads(await child.stdout.readline())
    client = RawClient(ready["address"])
    assert await client.map() == "0"

    if end == "input":
        child.stdin.close()
    else:
        child.send_signal(signal.Signals[end])

    _, err = await asyncio.wait_for(child.communicate(), 10)
    await client.channel.close()
    assert (child.returncode, err) == (0, b"")
