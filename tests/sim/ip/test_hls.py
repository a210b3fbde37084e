"""The simulated kernel behaves as UG1399 and the RTL that Vitis HLS writes say, seen from the processor's bus."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pynq_async.bitstream import SyntheticIp, synthetic_kernel
from pynq_async.hardware import hls
from pynq_async.sim import HlsModel, KernelCall, SimBoard, SimDesign

from ...boards import simulated
from ...designs import design, firmware

START, DONE, IDLE, READY, CONTINUE, RESTART = (
    hls.AP_START,
    hls.AP_DONE,
    hls.AP_IDLE,
    hls.AP_READY,
    hls.AP_CONTINUE,
    hls.AUTO_RESTART,
)


KERNEL = 0x43C0_0000
ENDS = [SyntheticIp("acme.com:user:end:1.0", address) for address in (0x4400_0000, 0x4500_0000)]


def kernel(arguments: str = "a b", results: str = "ap_return", **options: Any) -> SyntheticIp:
    """A kernel with these arguments and results, each with its width in bits or 32: `kernel("n data:64", "sum:64")`."""

    def widths(text: str) -> dict[str, int]:
        return {name: int(bits or 32) for name, _, bits in (part.partition(":") for part in text.split())}

    return synthetic_kernel("kernel", KERNEL, widths(arguments), results=widths(results), **options)


@asynccontextmanager
async def running(
    function: Callable[[KernelCall], Any] | None, entry: SyntheticIp | None = None, **fields: Any
) -> AsyncIterator[tuple[SimBoard, HlsModel]]:
    """A board with one kernel that runs `function`."""
    ends = {"source": ENDS[0], "sink": ENDS[1]} if "streams" in fields else {}
    made = design({"kernel": entry or kernel(), **ends}, **fields)
    known = SimDesign(made, kernels={"kernel": function} if function else {})

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware(), clocks=False)
        yield sim, sim.ip["kernel"]


def add(call: KernelCall) -> int:
    return call.arguments["a"] + call.arguments["b"]


def read(sim: SimBoard, offset: int) -> int:
    return sim.bus.load(KERNEL + offset)


def write(sim: SimBoard, offset: int, word: int) -> None:
    sim.bus.store(KERNEL + offset, word)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.001)


async def test_a_kernel_runs_its_function_when_it_is_started() -> None:
    async with running(add) as (sim, model):
        assert read(sim, hls.CTRL) == IDLE
        write(sim, 0x18, 3)
        write(sim, 0x20, 0xFFFF_FFFF)
        assert model.started == 0
        write(sim, hls.CTRL, START)
        assert (model.started, model.finished) == (1, 1)
        assert read(sim, 0x10) == 2, "the return value has 32 bits"


async def test_reading_the_control_register_clears_done_and_ready() -> None:
    async with running(add) as (sim, _):
        write(sim, hls.CTRL, START)
        assert read(sim, hls.CTRL) == DONE | IDLE | READY
        assert read(sim, hls.CTRL) == IDLE


async def test_a_chained_kernel_is_done_until_it_is_told_to_continue() -> None:
    async with running(add, kernel(chained=True)) as (sim, model):
        write(sim, hls.CTRL, START)
        assert [read(sim, hls.CTRL) & DONE for _ in range(3)] == [DONE] * 3
        write(sim, hls.CTRL, START)
        assert model.started == 1, "the next run waits"
        assert not read(sim, hls.CTRL) & IDLE
        write(sim, hls.CTRL, CONTINUE)
        assert model.finished == 2
        write(sim, hls.CTRL, CONTINUE)
        assert read(sim, hls.CTRL) & (START | DONE | IDLE) == IDLE


async def test_time_passes_where_the_function_yields() -> None:
    def slowly(call: KernelCall) -> Iterator[float]:
        yield 0.01
        call.outputs["ap_return"] = 7
        yield 0.01

    async with running(slowly) as (sim, model):
        write(sim, hls.CTRL, START)
        assert read(sim, hls.CTRL) == START
        write(sim, hls.CTRL, START)
        await until(lambda: model.finished == 1)
        assert read(sim, hls.CTRL) & (START | IDLE) == IDLE
        assert read(sim, 0x10) == 7


async def test_a_run_ends_with_the_design() -> None:
    def slowly(call: KernelCall) -> Iterator[float]:
        yield 60
        raise AssertionError

    async with running(slowly) as (sim, model):
        write(sim, hls.CTRL, START)
        await sim.reboot()
        assert list(sim.ip) == []
        assert model.finished == 0


async def test_a_kernel_that_restarts_runs_until_it_is_told_not_to() -> None:
    def count(call: KernelCall) -> int:
        runs.append(0)
        return len(runs)

    runs: list[int] = []

    async with running(count) as (sim, model):
        write(sim, hls.CTRL, START | RESTART)
        await until(lambda: model.finished >= 3)
        assert read(sim, hls.CTRL) == START | RESTART, "single runs do not show"
        write(sim, hls.CTRL, 0)
        await until(lambda: not read(sim, hls.CTRL) & START)
        finished = model.finished
        await asyncio.sleep(0.005)
        assert model.finished == finished
        assert read(sim, 0x10) == finished


async def test_the_interrupt_is_the_level_of_what_is_enabled_and_toggled_by_a_write() -> None:
    async with running(add) as (sim, _):
        levels: list[bool] = []
        sim.fabric.wiring.drive = lambda path, port, level: levels.append(level)  # type: ignore[method-assign]
        write(sim, hls.IP_IER, hls.DONE_INTERRUPT)
        write(sim, hls.CTRL, START)
        assert read(sim, hls.IP_ISR) == read(sim, hls.IP_ISR) == hls.DONE_INTERRUPT
        assert not any(levels)
        write(sim, hls.GIER, 1)
        assert read(sim, hls.CTRL) & hls.INTERRUPT
        write(sim, hls.IP_ISR, hls.DONE_INTERRUPT)
        write(sim, hls.IP_ISR, hls.READY_INTERRUPT)  # writing a 1 where there is none sets it
        assert levels[-3:] == [True, False, True]


async def test_the_interrupt_of_a_chained_kernel_comes_again_until_it_continues() -> None:
    async with running(add, kernel(chained=True)) as (sim, _):
        write(sim, hls.IP_IER, hls.DONE_INTERRUPT)
        write(sim, hls.CTRL, START)
        assert read(sim, hls.IP_ISR) == read(sim, hls.IP_ISR) == hls.DONE_INTERRUPT
        write(sim, hls.CTRL, CONTINUE)
        assert read(sim, hls.IP_ISR) == hls.DONE_INTERRUPT
        assert read(sim, hls.IP_ISR) == 0


STREAMS = {"source/M": "kernel/src", "kernel/dst": "sink/S"}


async def test_a_kernel_with_streams_waits_for_its_input_and_for_its_output_to_be_taken() -> None:
    def double(call: KernelCall) -> None:
        call.send("dst", call.receive("src") * 2)

    async with running(double, streams=STREAMS) as (sim, model):
        assert (model.site.inputs, model.site.outputs) == (("src",), ("dst",))
        write(sim, hls.CTRL, START)
        assert model.started == 0
        model.site.stream("src").send(b"ab")
        model.site.stream("src").send(b"cd")
        assert (model.started, model.finished) == (1, 0)
        assert read(sim, hls.CTRL) == START
        assert model.site.stream("dst").take() == b"abab"
        assert model.finished == 1
        assert read(sim, hls.CTRL) & IDLE
        assert model.started == 1, "what is left waits for the next start"
        write(sim, hls.CTRL, START)
        assert model.site.stream("dst").take() == b"cdcd"


async def test_a_kernel_without_control_runs_whenever_there_is_input() -> None:
    def pass_on(call: KernelCall) -> None:
        call.send("dst", call.receive("src"))

    entry = SyntheticIp("xilinx.com:hls:kernel:1.0", KERNEL, registers={"gain": 0x10})

    async with running(pass_on, entry, streams=STREAMS) as (sim, model):
        for packet in (b"a", b"b"):
            model.site.stream("src").send(packet)

        await until(lambda: model.site.stream("dst").waiting == 1)
        assert model.site.stream("dst").take() == b"a"
        await until(lambda: model.site.stream("dst").waiting == 1)
        assert model.site.stream("dst").take() == b"b"
        write(sim, hls.CTRL, 9)
        assert read(sim, hls.CTRL) == 9, "no control register is here"


async def test_pointers_lead_to_the_boards_memory() -> None:
    def copy(call: KernelCall) -> None:
        arguments = call.arguments
        call.write(arguments["to"], call.read(arguments["source"], arguments["count"]))
        call.outputs["copied"] = arguments["count"]

    async with running(copy, kernel("source:64 to:64 count:8", "copied:16")) as (sim, model):
        registers = model.site.registers
        places = hls.arguments(registers)
        sim.memory.write(0x1000_0000, b"words")

        for name, value in (("source", 0x1000_0000), ("to", 0x1000_1000), ("count", 0x105)):
            for index, offset in enumerate(places[name].offsets):
                write(sim, offset, value >> 32 * index)

        write(sim, hls.CTRL, START)
        assert model.failure is None
        assert sim.memory.read(0x1000_1000, 5) == b"words"
        valid = registers["copied_ctrl"]["address_offset"]
        assert read(sim, places["copied"].offsets[0]) == 5
        assert (read(sim, valid), read(sim, valid)) == (1, 0)


async def test_a_kernel_without_a_function_stays_busy() -> None:
    async with running(None) as (sim, model):
        with pytest.warns(
            RuntimeWarning, match=r"kernel: a kernel without a function .* SimDesign\(kernels=.*--kernel"
        ):
            write(sim, hls.CTRL, START)

        assert read(sim, hls.CTRL) == START
        assert model.started == 0


def _stray(call: KernelCall) -> None:
    call.read(0xFFFF_0000_0000, 4)


def _starving(call: KernelCall) -> None:
    call.receive("scr")


def _unknown_result(call: KernelCall) -> None:
    call.outputs["sum"] = 1


def _no_number(call: KernelCall) -> str:
    return "seven"


def _later(call: KernelCall) -> Iterator[float]:
    yield 0
    raise ValueError("odd")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_stray, "no memory answers at 4 bytes from 0xffff00000000 on"),
        (_starving, "no packet waits at 'scr'; it takes packets at no port"),
        (_unknown_result, "no result 'sum'"),
        (_no_number, "ValueError"),
        (_later, "ValueError: odd"),
    ],
)
async def test_a_function_that_fails_is_kept_and_warned_about_and_the_kernel_stays_busy(
    function: Callable[[KernelCall], Any], words: str
) -> None:
    async with running(function) as (sim, model):
        with pytest.warns(RuntimeWarning, match=f"kernel: its function failed: .*{words}"):
            write(sim, hls.CTRL, START)
            await until(lambda: model.failure is not None)

        assert read(sim, hls.CTRL) == START
        assert (model.started, model.finished) == (1, 0)
