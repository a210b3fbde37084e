"""HLS kernels: calls, arguments and results."""

import asyncio
from collections.abc import Generator

import numpy as np
import pytest

from pynq_async import Overlay, load_design
from pynq_async.bitstream import (
    SyntheticIp,
    parse_bitstream,
    shipped_description,
    synthetic_bitstream,
    synthetic_kernel,
)
from pynq_async.errors import DeadlineExceeded, Misuse, NotInDesign
from pynq_async.hardware import hls
from pynq_async.sim import KernelCall, SimDesign
from tests.boards import begun, simulated
from tests.designs import design, firmware
from tests.overlay.test_real_designs import overlay_file

from .kernels import ADD, CHAINED, COPY, KERNEL, MIXED, Gate, add, copy, loaded, until


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

        with pytest.raises(DeadlineExceeded, match=r"kernel did not finish in 0.05 s; its CTRL register is 0x1"):
            await kernel.wait(timeout=0.05)

        gate.open = True
        await kernel.wait()
        assert await kernel.done() and await kernel.idle() and await kernel.ready()
        assert await kernel.get("ap_return") == 7


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


async def test_calls_of_several_tasks_come_one_after_another() -> None:
    def slowly(call: KernelCall) -> Generator[float, None, int]:
        yield 0.001
        return add(call)

    async with loaded(ADD, slowly) as (_, _, kernel):
        results = await asyncio.gather(*(kernel.call(number, 100) for number in range(8)))
        assert results == list(range(100, 108))


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
