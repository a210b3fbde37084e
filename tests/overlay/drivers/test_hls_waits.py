"""Several tasks and programs at one kernel: whose timeout holds, and what was left running."""

import asyncio
import time
from collections.abc import Generator
from typing import Any, cast

import pytest

from pynq_async import Overlay, RemoteDevice
from pynq_async.errors import DeadlineExceeded, Misuse
from pynq_async.sim import SimBoard, SimDesign, serve
from pynq_async.sim.ip import KernelCall
from tests.designs import design, firmware

from .kernels import ADD, COPY, Gate, add, copy, loaded


async def test_a_kernel_that_an_earlier_program_left_running_is_not_taken_for_ours() -> None:
    made, gate = design({"kernel": ADD}), Gate()
    sim = SimBoard(designs=[SimDesign(made, kernels={"kernel": gate})])

    async with serve(sim) as address:
        async with RemoteDevice(address) as board:
            await (await Overlay.load(board, firmware(), design=made, clocks=False)).kernel.start(1, 2)

        async with RemoteDevice(address) as board:
            kernel = (await Overlay.load(board, firmware(), design=made, download=False)).kernel

            with pytest.raises(Misuse, match="kernel is still running"):
                await kernel.call(40, 2)

            gate.open = True
            await kernel.wait(timeout=5)
            assert await kernel.call(40, 2) == 42


async def test_a_wait_is_as_long_as_it_says_whatever_another_task_waits_for() -> None:
    gate = Gate()

    async with loaded(ADD, gate) as (_, _, kernel), asyncio.TaskGroup() as group:
        calling = group.create_task(kernel.call(1, 2, timeout=5))
        await asyncio.sleep(0)
        began = time.monotonic()

        with pytest.raises(DeadlineExceeded, match=r"kernel did not finish in 0.05 s: a call is under way"):
            await kernel.wait(0.05)

        assert time.monotonic() - began < 1
        gate.open = True
        assert await calling == 3


async def test_a_timeout_is_seconds() -> None:
    async with loaded(ADD, add) as (sim, _, kernel):
        for nonsense in (None, "1", True):
            with pytest.raises(Misuse, match="the timeout is a number of seconds, not"):
                await kernel.call(1, 2, timeout=cast("Any", nonsense))

        assert not sim.counters.calls["mmio.write"]
        await kernel.start(1, 2)
        await kernel.wait(0)


async def test_memory_is_not_given_out_again_while_a_kernel_may_write_to_it() -> None:
    def slowly(call: KernelCall) -> Generator[float, None, None]:
        yield 0.02
        copy(call)

    async with loaded(COPY, slowly) as (sim, board, kernel):
        source, to = await board.allocate(64, "u1"), await board.allocate(64, "u1")
        source[:] = 5
        await source.sync_to_device()
        await kernel.start(to, source, 64)
        at = to.physical_address
        await sim.restart()

        async with board.allocate(64, "u1") as one, board.allocate(64, "u1") as other:
            assert other.physical_address == at
            assert sim.ip["kernel"].finished == 1

            for buffer in (one, other):
                await buffer.sync_to_device()

        await source.free()
        await to.free()
