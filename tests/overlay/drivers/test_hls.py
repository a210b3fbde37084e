"""Kernels on a simulated board, driven over the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import grpc
import numpy as np
import pytest

from pynq_async import DefaultIP, Overlay, RemoteDevice, Timeouts, load_design
from pynq_async.bitstream import (
    SyntheticIp,
    parse_bitstream,
    shipped_description,
    synthetic_bitstream,
    synthetic_kernel,
)
from pynq_async.errors import (
    BoardError,
    BufferFreed,
    DeadlineExceeded,
    DesignReplaced,
    Misuse,
    NotInDesign,
    OutOfRange,
    StaleHandle,
)
from pynq_async.hardware import hls
from pynq_async.overlay import HlsKernel
from pynq_async.overlay.drivers import hls as hls_driver
from pynq_async.sim import KernelCall, SimBoard, SimDesign
from tests.boards import begun, settled, simulated
from tests.overlay.designs import design, firmware
from tests.overlay.test_real_designs import overlay_file

KERNEL = 0x43C0_0000
ADD = synthetic_kernel("add", KERNEL, {"a": 32, "b": 32}, results={"ap_return": 32})
CHAINED = synthetic_kernel("add", KERNEL, {"a": 32, "b": 32}, results={"ap_return": 32}, chained=True)
COPY = synthetic_kernel("copy", KERNEL, {"to": 64, "source": 64, "count": 32}, results={"copied": 32})
MIXED = synthetic_kernel(
    "mixed", KERNEL, {"small": 10, "x": 32, "y": 64, "flag": 1, "lambda": 8}, results={"sum": 64, "sign": 1}
)


def add(call: KernelCall) -> int:
    return call.arguments["a"] + call.arguments["b"]


def copy(call: KernelCall) -> None:
    arguments = call.arguments
    call.write(arguments["to"], call.read(arguments["source"], arguments["count"]))
    call.outputs["copied"] = arguments["count"]


@asynccontextmanager
async def loaded(
    entry: SyntheticIp, function: Callable[[KernelCall], Any] | None, timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[SimBoard, RemoteDevice, HlsKernel]]:
    """A board with one kernel that runs `function`."""
    made = design({"kernel": entry})
    known = SimDesign(made, kernels={"kernel": function} if function else {})

    async with simulated(designs=[known], timeouts=timeouts) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=made, clocks=False)
        kernel = overlay.kernel
        assert isinstance(kernel, HlsKernel)
        yield sim, board, kernel


class Gate:
    """A function that runs until it is let go."""

    def __init__(self, function: Callable[[KernelCall], Any] = add) -> None:
        self.open = False
        self._function = function

    def __call__(self, call: KernelCall) -> Generator[float, None, Any]:
        while not self.open:
            yield 0.001

        return self._function(call)


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
async def test_a_kernel_is_called_like_a_function(entry: SyntheticIp) -> None:
    async with loaded(entry, add) as (sim, _, kernel):
        assert await kernel.call(3, 4) == 7
        assert await kernel.call(3, b=np.int16(-4)) == 0xFFFF_FFFF
        assert await kernel.call(b=np.uint8(1), a=True) == 2
        assert await kernel.call() == 2, "the registers stay as they are"
        assert sim.ip["kernel"].finished == 4
        assert str(kernel.signature) == "(a, b)"
        assert await kernel.get("ap_return") == 2


async def test_a_call_takes_an_rpc_for_each_register_and_one_look_at_a_kernel_that_is_quick() -> None:
    async with loaded(ADD, add) as (sim, _, kernel):
        await kernel.call(1, 2)
        calls = sim.counters.calls.copy()
        await kernel.call(3, 4)
        assert sim.counters.calls - calls == {"mmio.write": 3, "mmio.read": 2}


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
async def test_a_kernel_is_started_and_waited_for(entry: SyntheticIp) -> None:
    gate = Gate()

    async with loaded(entry, gate) as (_, _, kernel):
        assert await kernel.done() and await kernel.idle() and await kernel.ready()
        await kernel.wait()
        await kernel.start(3, 4)
        assert not (await kernel.done() or await kernel.idle() or await kernel.ready())

        with pytest.raises(DeadlineExceeded, match=r"kernel did not finish in 0.2 s; its CTRL register is 0x1"):
            await kernel.wait(timeout=0.2)

        gate.open = True
        await kernel.wait()
        assert await kernel.done() and await kernel.idle() and await kernel.ready()
        assert await kernel.get("ap_return") == 7


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
            await overlay.kernel.run(timeout=0.2)

        assert sim.ip["kernel"].finished == 1, "it was done all the time: the first of two loads cleared AP_DONE"
        overlay = await Overlay.load(board, firmware(), design=made, clocks=False)
        assert await overlay.kernel.call(1, 2, timeout=1.0) == 3


async def test_arguments_are_put_as_their_bits_and_results_read_by_name() -> None:
    def run(call: KernelCall) -> None:
        seen.append(call.arguments)
        call.outputs |= {"sum": 1 << 63 | 5, "sign": 1}

    seen: list[dict[str, int]] = []

    async with loaded(MIXED, run) as (sim, _, kernel):
        await kernel.call(-1, np.float32(1.5), np.float64(-2.5), np.bool_(True), lambda_=200)
        assert seen == [{"small": 0x3FF, "x": 0x3FC0_0000, "y": 0xC004_0000_0000_0000, "flag": 1, "lambda": 200}]
        assert await kernel.get("sum") == 1 << 63 | 5
        assert await kernel.get("sign") == 1
        assert list(kernel.arguments) == ["small", "x", "y", "flag", "lambda"]
        assert list(kernel.results) == ["sum", "sign"], "registers that say whether a result is valid are control"
        calls = sim.counters.calls.total()

        with pytest.raises(NotInDesign, match="kernel has no result 'x'; its results are sum, sign"):
            await kernel.get("x")

        assert sim.counters.calls.total() == calls


async def test_pointers_take_buffers_and_their_views() -> None:
    async with (
        loaded(COPY, copy) as (_, board, kernel),
        board.allocate(64, "u1") as source,
        board.allocate(64, "u1") as target,
    ):
        source[:] = np.arange(64)
        await source.sync_to_device()
        await target.sync_to_device()
        assert await kernel.call(target, source[8:], 16) is None
        await target.sync_from_device()
        assert target.tolist() == [*range(8, 24), *[0] * 48]
        assert await kernel.get("copied") == 16
        await kernel.call(target.physical_address + 1, source, 1)
        await target.sync_from_device()
        assert target[:3].tolist() == [8, 0, 10]


async def test_arguments_that_cannot_be_right_are_refused_before_any_register_is_touched() -> None:
    async with loaded(MIXED, lambda _: None) as (sim, _, kernel):
        calls = sim.counters.calls.total()
        good: dict[str, Any] = {"small": 0, "x": 0, "y": 0, "flag": 0, "lambda_": 0}

        for change, error, words in (
            ({"small": 0x400}, OutOfRange, "kernel: small has 10 bits, and 0x400 does not fit"),
            ({"small": -0x201}, OutOfRange, "small has 10 bits"),
            ({"x": 1 << 32}, OutOfRange, "x has 32 bits"),
            ({"x": 1.5}, Misuse, r"cannot be a plain float; pass numpy.float32\(1.5\)"),
            ({"x": np.float64(1.5)}, OutOfRange, "x has 32 bits, not the 64 of float64"),
            ({"x": "1"}, Misuse, "is a number, or a buffer .* not str"),
            ({"y": np.zeros(4)}, Misuse, "not ndarray"),
            ({"z": 0}, Misuse, r"kernel\(small, x, y, flag, lambda_\): got an unexpected keyword argument 'z'"),
        ):
            with pytest.raises(error, match=words):
                await kernel.call(**{**good, **change})

        with pytest.raises(Misuse, match="missing a required argument: 'x'"):
            await kernel.start(1)

        with pytest.raises(Misuse, match="missing a required argument: 'x', and there is no argument 'm', 'n'"):
            await kernel.start(1, m=16, n=1)

        with pytest.raises(Misuse, match="too many positional arguments"):
            await kernel.auto_restart(True, 1, 2, 3, 4, 5, 6)

        assert sim.counters.calls.total() == calls


async def test_buffers_that_cannot_be_used_are_refused_before_any_register_is_touched() -> None:
    async with loaded(COPY, copy) as (sim, board, kernel):
        async with RemoteDevice(sim.address, name="other") as other, other.allocate(16) as foreign:
            freed = await board.allocate(16)
            await freed.free()
            writes = sim.counters.calls["mmio.write"]

            for buffer, error, words in (
                (foreign, Misuse, "allocated through other"),
                (freed, BufferFreed, "was freed"),
                (foreign + 1, BoardError, "computed or copied"),
            ):
                with pytest.raises(error, match=words):
                    await kernel.call(0, buffer, 16)

            assert sim.counters.calls["mmio.write"] == writes

        stale = await board.allocate(16)
        await sim.restart()

        with pytest.raises(StaleHandle):
            await kernel.start(0, stale, 16)

        assert sim.ip["kernel"].started == 0
        await kernel.start(0, 0, 0)
        await kernel.wait()


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
async def test_a_kernel_that_runs_is_not_started_again(entry: SyntheticIp) -> None:
    gate = Gate()

    async with loaded(entry, gate) as (sim, _, kernel):
        await kernel.start(1, 1)
        writes = sim.counters.calls["mmio.write"]

        for start in (kernel.start, kernel.call):
            with pytest.raises(Misuse, match=r"kernel is still running; await wait\(\)"):
                await start(2, 2)

        assert sim.counters.calls["mmio.write"] == writes
        gate.open = True
        await kernel.wait()
        await kernel.start(2, 3)
        assert await kernel.call(5, 6) == 11, "what has ended need not be waited for"


async def test_calls_of_several_tasks_come_one_after_another() -> None:
    def slowly(call: KernelCall) -> Generator[float, None, int]:
        yield 0.001
        return add(call)

    async with loaded(ADD, slowly) as (_, _, kernel):
        results = await asyncio.gather(*(kernel.call(number, 100) for number in range(8)))
        assert results == list(range(100, 108))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


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


@pytest.mark.parametrize("entry", [ADD, CHAINED], ids=["hs", "chain"])
async def test_a_kernel_restarts_by_itself_until_it_is_told_not_to(entry: SyntheticIp) -> None:
    async with loaded(entry, add) as (sim, _, kernel):
        await kernel.auto_restart(True, 3, 4)

        with pytest.raises(Misuse, match=r"never ends; await auto_restart\(False\) first"):
            await kernel.wait()

        await until(lambda: sim.ip["kernel"].finished >= 3)

        assert not await kernel.done()

        with pytest.raises(Misuse, match="still running"):
            await kernel.call(1, 1)

        await kernel.auto_restart(False)
        await kernel.wait()
        assert await kernel.call(5, 6) == 11


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
            sim.faults.delay(method, 0.4)

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


@pytest.mark.parametrize("name", ["resizer", "pynq-z2-base"])
async def test_the_register_table_is_that_of_real_kernels(name: str) -> None:
    if name == "resizer":
        bitstream = parse_bitstream("resizer.bit", synthetic_bitstream(), description=shipped_description("resizer"))
        real = await load_design(bitstream)
        expected = {"resize_accel_0": ["src_rows 0x10", "src_cols 0x18", "dst_rows 0x20", "dst_cols 0x28"]}
    else:
        real = await load_design(overlay_file(name))
        expected = {"trace_analyzer_pi/trace_cntrl_64_0": ["trigger 0x10 0x14", "length_r 0x1c"]}

    for path, places in expected.items():
        registers = real.ip[path].registers
        assert hls.is_kernel(registers) and not hls.is_chained(registers)

        for register in ("CTRL", "GIER", "IP_IER", "IP_ISR"):
            assert registers[register]["address_offset"] == getattr(hls, register)

        for field, bit in {"AP_START": 0, "AP_DONE": 1, "AP_IDLE": 2, "AP_READY": 3, "AUTO_RESTART": 7}.items():
            assert registers["CTRL"]["fields"][field]["bit_offset"] == bit
            assert getattr(hls, field) == 1 << bit

        found = hls.arguments(registers).values()
        assert [" ".join([one.name, *map(hex, one.offsets)]) for one in found] == places


@pytest.mark.parametrize("service", [False, True], ids=["polled", "service"])
@pytest.mark.parametrize("chained", [False, True], ids=["hs", "chain"])
async def test_the_end_of_a_run_comes_by_interrupt_where_the_design_has_one(chained: bool, service: bool) -> None:
    arguments, wiring = {"a": 32, "b": 32}, {"interrupt": ("intc", 0)}
    made = design(
        {
            "kernel": synthetic_kernel(
                "add", KERNEL, arguments, results={"ap_return": 32}, chained=chained, interrupts=wiring
            ),
            "intc": SyntheticIp("xilinx.com:ip:axi_intc:4.1", 0x4180_0000),
        }
    )
    gate = Gate()

    async with simulated(designs=[SimDesign(made, kernels={"kernel": gate})], interrupt=service) as (sim, board):
        kernel = (await Overlay.load(board, firmware(), design=made, clocks=False)).kernel

        for number in range(3):
            gate.open = False

            async with asyncio.TaskGroup() as group:
                call = group.create_task(kernel.call(number, 100))
                await begun(sim, "mmio.read", sim.counters.calls["mmio.read"] + 2)
                gate.open = True

            assert call.result() == 100 + number

        gate.open = False

        with pytest.raises(DeadlineExceeded, match="kernel did not finish in 0.1 s"):
            await kernel.call(1, 2, timeout=0.1)

        gate.open = True
        await kernel.wait()
        assert await kernel.call(3, 4) == 7
