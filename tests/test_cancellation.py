"""Every public coroutine is cancelled at every place where it waits, once and twice."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from pynq_async import RemoteDevice, load_design
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.errors import StaleHandle
from pynq_async.sim import SimBoard, serve

from .boards import assert_clean, assert_no_tasks_left, simulated

Work = Callable[[], Awaitable[Any]]


class CancelledAt:
    """Awaits something and cancels its task just as it suspends for the `place`-th time, `times` times in a row."""

    def __init__(self, work: Awaitable[Any], place: int, times: int) -> None:
        self._work = work
        self._places = range(place, place + times)
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        task = asyncio.current_task()
        assert task is not None
        sent: Any = None
        error: BaseException | None = None
        suspended = 0

        while True:
            try:
                waiting_for = steps.throw(error) if error is not None else steps.send(sent)
            except StopIteration as stop:
                return stop.value

            suspended += 1

            if suspended in self._places:
                self.reached = True
                task.cancel()

            try:
                sent, error = (yield waiting_for), None
            except BaseException as thrown:
                sent, error = None, thrown


async def at_every_place(work: Work, times: int, after: Work) -> int:
    """Run `work` again and again, cancelled one place later each time, with `after` in between; returns the places."""
    place = 1

    while True:
        cancelled = CancelledAt(work(), place, times)
        task = asyncio.ensure_future(_await(cancelled))
        await asyncio.wait({task})

        if not cancelled.reached:
            await task
            return place - 1

        if not task.cancelled():
            task.result()  # it may have been done all the same, but must not have failed

        await after()
        place += 1


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


OPERATIONS = [
    "exists_file",
    "read_file",
    "write_file",
    "fetch_file",
    "read",
    "write",
    "read_block",
    "write_block",
    "wait_for",
    "map a window",
    "allocate",
    "sync_to_device",
    "sync_from_device",
    "free",
    "async with",
    "download",
    "loaded",
    "shutdown",
    "set_pl_clk",
    "cpu_mhz",
    "gpio",
    "sensors",
    "interrupt",
]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_cancelled_at_every_place(operation: str, times: int, tmp_path: Path) -> None:
    bitfile = tmp_path / "small.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000))
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))
    await load_design(bitfile)  # from the cache afterwards: what is tested is the board

    async with simulated() as (sim, board):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0, 1)
        await board.write_file("/tmp/file", bytes(3000))
        shared = await board.allocate(5000, "u1")
        sim.memory.write(0x4180_0000, (1 << 1).to_bytes(4, "little"))  # an interrupt controller with a level that stays
        windows = iter(range(0x5000_0000, 0x9000_0000, 0x1_0000))

        async def with_a_buffer() -> None:
            async with board.allocate(5000, "u1") as buffer:
                await buffer.sync_to_device()

        async def free() -> None:
            await (await board.allocate(64)).free()

        async def with_a_pin() -> None:
            async with board.gpio.pin(0, "out") as pin:
                await pin.write(1)

        work: dict[str, Work] = {
            "exists_file": lambda: board.exists_file("/tmp/file"),
            "read_file": lambda: board.read_file("/tmp/file"),
            "write_file": lambda: board.write_file("/tmp/file", bytes(3000)),
            "fetch_file": lambda: board.fetch_file("/tmp/file", tmp_path / "copy"),
            "read": lambda: registers.read(0),
            "write": lambda: registers.write(0, 1),
            "read_block": lambda: registers.read_block(0, 5),
            "write_block": lambda: registers.write_block(0, [1, 2, 3], ordered=False),
            "wait_for": lambda: registers.wait_for(0, 1, 1, timeout=5),
            "map a window": lambda: board.mmio(next(windows)).read(),
            "allocate": lambda: _allocate(board),
            "sync_to_device": shared.sync_to_device,
            "sync_from_device": shared.sync_from_device,
            "free": free,
            "async with": with_a_buffer,
            "download": lambda: board.download(bitfile, clocks=False),
            "loaded": board.loaded,
            "shutdown": board.shutdown,
            "set_pl_clk": lambda: board.clocks.set_pl_clk(0, 125.0),
            "cpu_mhz": board.clocks.cpu_mhz,
            "gpio": with_a_pin,
            "sensors": board.sensors.read,
            "interrupt": lambda: board.interrupts.pin("done", 0x4180_0000, 1).wait(),
        }

        async def still_works() -> None:
            assert sim.pins.exported == {}
            await registers.write(0, 1)
            assert await registers.read(0) == 1
            await shared.sync_to_device()

        places = await at_every_place(work[operation], times, still_works)
        assert places >= 1

        if operation == "download":
            assert places > 8
            assert {event.length for event in sim.counters.programmed} == {4_000}
            assert all(event.ok for event in sim.counters.programmed)

        if operation == "map a window":
            assert sim.counters.windows <= places + 4, "a cancelled mapping costs at most its window"


async def _allocate(board: RemoteDevice) -> None:
    """Nobody frees it: closing the board does."""
    buffer = await board.allocate(64)
    await buffer.free()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_opening_cancelled_at_every_place_leaves_nothing(times: int) -> None:
    sim = SimBoard()

    async with serve(sim) as address:

        async def open_and_close() -> None:
            async with RemoteDevice(address):
                pass

        async def nothing_left() -> None:
            await asyncio.sleep(0)

        assert await at_every_place(open_and_close, times, nothing_left) > 5

        async with RemoteDevice(address) as board:
            assert board.model == "Pynq-Z2"

    assert_clean(sim)
    assert_no_tasks_left()


async def test_a_download_cancelled_after_each_of_its_calls_leaves_a_board_that_can_be_programmed(
    tmp_path: Path,
) -> None:
    """Steps of a download run side by side: here it is cut off at every call that the board sees."""
    bitfile = tmp_path / "small.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000))

    async with simulated() as (sim, board):
        calls, cancelled = 1, True

        while cancelled:
            await board.write_file("/lib/firmware/pynq_async.index", b"")
            before = sim.counters.calls.total()
            task = asyncio.ensure_future(board.download(bitfile))

            while sim.counters.calls.total() < before + calls and not task.done():
                await asyncio.sleep(0)

            cancelled = task.cancel()
            await asyncio.wait({task})
            calls += 1

        assert calls > 10
        assert {event.length for event in sim.counters.programmed} == {4_000}
        assert all(event.ok for event in sim.counters.programmed)
        assert (await board.download(bitfile)).name == "small.bit"


async def test_a_restarted_server_is_not_taken_for_the_old_one_when_asking_who_it_is_was_cancelled() -> None:
    async with simulated() as (sim, board):
        held = [await board.allocate(64)]
        await sim.restart()

        async def notices() -> None:
            held.append(await board.allocate(64))
            before = held.pop(0)

            with pytest.raises(StaleHandle):
                await before.sync_to_device()

            await before.free()
            await sim.restart()

        assert await at_every_place(lambda: board.exists_file("/tmp/file"), 1, notices) > 4
