"""HLS kernels when something goes wrong: cancellation, kernels that never end, lost calls."""

import asyncio
from contextlib import suppress

import anyio
import grpc
import pytest

from pynq_async import DefaultIP, Overlay, Timeouts
from pynq_async.bitstream import SyntheticIp
from pynq_async.errors import BoardError, DeadlineExceeded, DesignReplaced
from pynq_async.hardware import hls
from pynq_async.overlay.drivers import hls as hls_driver
from pynq_async.sim import SimDesign
from tests.boards import begun, settled, simulated
from tests.designs import design, firmware

from .kernels import ADD, CHAINED, COPY, KERNEL, Gate, add, copy, loaded, until


class Trusting(DefaultIP):
    """A driver as one writes it for a processor: it waits for AP_DONE."""

    bindto = ("xilinx.com:hls:add",)

    async def run(self, timeout: float) -> None:
        await self.write(hls.CTRL, hls.AP_START)
        await self.wait_for(hls.CTRL, hls.AP_DONE, hls.AP_DONE, timeout)


async def test_h10_a_driver_that_trusts_ap_done_hangs_and_ours_does_not() -> None:
    made = design({"kernel": ADD})

    async with simulated(designs=[SimDesign(made, kernels={"kernel": add})]) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=made, clocks=False, drivers=[Trusting])

        with pytest.raises(DeadlineExceeded, match="it is 0x00000004"):
            await overlay.kernel.run(timeout=0.05)

        assert sim.ip["kernel"].finished == 1, "it was done all the time: the first of two loads cleared AP_DONE"
        overlay = await Overlay.load(board, firmware(), design=made, clocks=False)
        assert await overlay.kernel.call(1, 2, timeout=1.0) == 3


@pytest.mark.parametrize("library", ["asyncio", "anyio"])
async def test_a_cancelled_call_leaves_the_kernel_running_and_its_buffers_allocated(library: str) -> None:
    gate = Gate(copy)

    async with loaded(COPY, gate) as (sim, board, kernel):
        async with board.allocate(16) as source, board.allocate(16) as target:
            source[:] = 7
            await source.sync_to_device()

            if library == "asyncio":
                call = asyncio.create_task(kernel.call(target, source, 16))
                await until(lambda: bool(sim.ip["kernel"].started))
                call.cancel()

                with pytest.raises(asyncio.CancelledError):
                    await call
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(kernel.call, target, source, 16)
                    await until(lambda: bool(sim.ip["kernel"].started))
                    group.cancel_scope.cancel()

            free = asyncio.create_task(target.free())
            await begun(sim, "mmio.read", sim.counters.calls["mmio.read"] + 2)
            assert not free.done()
            assert sim.counters.calls["buffer.freebuffer"] == 0
            gate.open = True
            await free

        assert sim.ip["kernel"].failure is None
        assert sim.counters.strays == 0, "the kernel wrote into memory that was still there"
        assert await kernel.done()


async def test_the_buffers_of_a_kernel_that_never_ends_stay_until_the_design_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hls_driver, "_QUIET", 0.02)

    async with loaded(COPY, Gate()) as (sim, board, kernel):
        buffer = await board.allocate(16)
        await kernel.start(buffer, buffer, 16)
        address = buffer.physical_address

        with pytest.raises(
            DeadlineExceeded, match=f"kernel still runs and may use the buffer at {address:#x}, .* load"
        ):
            await buffer.free()

        assert not buffer.freed
        await Overlay.load(board, firmware(1), design=design({}), clocks=False)
        await buffer.free()
        assert sim.counters.live_buffers == 0

        with pytest.raises(DesignReplaced):
            await kernel.wait()


@pytest.mark.parametrize("seen_hanging", [False, True])
async def test_a_kernel_that_hangs_is_waited_for_once_and_not_for_each_buffer(
    seen_hanging: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hls_driver, "_QUIET", 60.0 if seen_hanging else 0.3)
    monkeypatch.setattr(hls_driver, "_SHORT", 0.05)
    gate = Gate()

    async with loaded(COPY, gate) as (sim, board, kernel):
        a, b, c = [await board.allocate(16) for _ in range(3)]
        await kernel.start(a, b, c)

        if seen_hanging:
            with pytest.raises(DeadlineExceeded, match="did not finish"):
                await kernel.wait(timeout=0.02)

        with pytest.raises(DeadlineExceeded, match="still runs"):
            await a.free()

        reads = sim.counters.calls["mmio.read"]

        for buffer in (b, c):
            with pytest.raises(DeadlineExceeded, match="still runs"):
                await buffer.free()

        assert sim.counters.calls["mmio.read"] == reads + 2, "one look each"

        with pytest.warns(
            RuntimeWarning,
            match=r"buffers stay allocated until the board server is restarted \(3\), .* kernel still runs",
        ) as warned:
            await board.aclose()

        assert len(warned) == 1
        assert sim.counters.calls["mmio.read"] == reads + 3, "one look for all of them"
        assert sim.counters.live_buffers == 3
        await sim.restart()


async def test_a_kernel_that_was_slow_once_is_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hls_driver, "_SHORT", 0.0)
    gate = Gate(copy)

    async with loaded(COPY, gate) as (sim, board, kernel):
        buffer = await board.allocate(16)
        await kernel.start(buffer, buffer, 16)

        with pytest.raises(DeadlineExceeded):
            await kernel.wait(timeout=0.02)

        gate.open = True
        await kernel.wait()
        gate.open = False
        await kernel.start(buffer, buffer, 16)
        free = asyncio.create_task(buffer.free())
        await begun(sim, "mmio.read", sim.counters.calls["mmio.read"] + 2)
        gate.open = True
        await free


async def test_what_another_program_left_of_a_chained_kernel_is_acknowledged() -> None:
    async with loaded(CHAINED, add) as (sim, board, kernel):
        await board.mmio(KERNEL).write(hls.CTRL, hls.AP_START)
        assert await kernel.call(20, 22) == 42
        assert sim.ip["kernel"].finished == 2


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(3))
async def test_a_dropped_call_is_an_error_or_does_no_harm(
    entry: SyntheticIp, method: str, after: bool, nth: int
) -> None:
    async with loaded(entry, add) as (sim, _, kernel):
        assert await kernel.call(1, 1) == 2
        skipped = 0

        def drop(_: int, word: int) -> int:
            nonlocal skipped
            skipped += 1

            if skipped == nth + 1:
                sim.faults.drop(method, after=after)

            return word

        hooks = (sim.on_read, sim.on_write)
        detach = hooks[method == "mmio.write"](KERNEL, drop, 0x100)

        with suppress(BoardError):
            assert await kernel.call(2, 3) == 5

        detach()
        sim.faults.clear()
        await settled(sim)
        assert await kernel.call(4, 5) == 9
        assert await kernel.done()


async def test_a_delayed_call_is_an_error_in_time_and_the_kernel_is_usable_afterwards() -> None:
    async with loaded(ADD, add, Timeouts(call=0.2)) as (sim, _, kernel):
        for method in ("mmio.read", "mmio.write"):
            sim.faults.delay(method, 0.25)

            with pytest.raises(DeadlineExceeded):
                await kernel.call(1, 2)

            sim.faults.clear()
            await until(lambda: not sim.counters.unary_now)
            assert await kernel.call(3, 4) == 7


async def test_a_call_that_is_refused_by_the_server_is_an_error_and_the_next_one_works() -> None:
    async with loaded(ADD, add) as (sim, _, kernel):
        for method in ("mmio.read", "mmio.write"):
            sim.faults.fail(method, grpc.StatusCode.UNKNOWN, "out of order")

            with pytest.raises(BoardError, match="out of order"):
                await kernel.call(1, 2)

            assert await kernel.call(3, 4) == 7
