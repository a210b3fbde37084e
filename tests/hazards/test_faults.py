"""The fault catalogue: whatever breaks under any operation is an error of our own in time, and the next one works."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc
import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import BoardError, ConnectError, NotOpen, UnknownHandle
from pynq_async.sim import Link

from ..sim.conftest import eventually
from .conftest import PS, QUICK, assert_works, endangered, firmware, neighbour, only_whole, reached, served

SHORT = Timeouts(connect=3, call=0.15, allocate=0.15, stall=0.15, program=0.3, shutdown=0.1, grace=0.03)


async def _read_register(board: RemoteDevice) -> None:
    assert await board.mmio(PS, 64).read(0) in (0, 1)


async def _write_register(board: RemoteDevice) -> None:
    await board.mmio(PS, 64).write(0, 1)


async def _new_window(board: RemoteDevice) -> None:
    await board.mmio(PS + 0x4000, 64).write(0, 1)


async def _allocate(board: RemoteDevice) -> None:
    async with board.allocate(64, "u1"):
        pass


async def _send(board: RemoteDevice) -> None:
    async with board.allocate(3 << 19, "u1") as buffer:
        buffer[:] = 3
        await buffer.sync_to_device()


async def _receive(board: RemoteDevice) -> None:
    async with board.allocate(3 << 19, "u1") as buffer:
        await buffer.sync_from_device()
        assert not buffer.any()


async def _read_file(board: RemoteDevice) -> None:
    assert (await board.read_file("/proc/version")).startswith(b"Linux")


async def _write_file(board: RemoteDevice) -> None:
    await board.write_file("/tmp/file", bytes(3 << 19))


async def _exists(board: RemoteDevice) -> None:
    assert await board.exists_file("/tmp")


async def _download(board: RemoteDevice) -> None:
    await board.download(firmware(3 << 19))


# An operation with the remote calls it makes.
OPERATIONS: dict[Callable[[RemoteDevice], Awaitable[None]], tuple[str, ...]] = {
    _read_register: ("mmio.read",),
    _write_register: ("mmio.write",),
    _new_window: ("mmio.get_mmio", "remote_device.readfile", "remote_device.writefile"),
    _allocate: ("buffer.allocate", "buffer.physical_address", "buffer.virtual_address", "buffer.freebuffer"),
    _send: ("buffer.write", "buffer.flush"),
    _receive: ("buffer.invalidate", "buffer.read"),
    _read_file: ("remote_device.readfile",),
    _write_file: ("remote_device.writefile",),
    _exists: ("remote_device.existsfile",),
    _download: ("remote_device.writefile", "remote_device.readfile"),
}
STEPS = [(operation, method) for operation, methods in OPERATIONS.items() for method in methods]
CODES = (
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
)


def named(value: object) -> str:
    return getattr(value, "__name__", str(value)).strip("_")


async def _survived(operation: Callable[[RemoteDevice], Awaitable[None]], board: RemoteDevice) -> None:
    """Success or an error of our own, in a time that the timeouts add up to."""
    async with asyncio.timeout(10):
        with suppress(BoardError):
            await operation(board)


@pytest.mark.parametrize(
    ("operation", "method", "after"),
    [(*step, True) for step in STEPS]
    + [(*step, False) for step in STEPS if step[0] in (_write_register, _allocate, _send)],
    ids=named,
)
async def test_the_connection_breaks_before_or_after_a_call(
    operation: Callable[[RemoteDevice], Awaitable[None]], method: str, after: bool
) -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS, 64).write(0, 1)
        sim.faults.drop(method, after=after)
        await _survived(operation, board)
        sim.faults.clear()
        await reached(board)
        await assert_works(sim, board)
        assert only_whole(sim, firmware(3 << 19))

        if method == "buffer.freebuffer" or (method == "buffer.allocate" and after):
            await sim.restart()  # the answer that named the buffer, or said that it is freed, is lost for ever


@pytest.mark.parametrize(
    ("operation", "method", "how"),
    [(*step, "restart") for step in STEPS]
    + [(*step, "reboot") for step in STEPS if step[0] in (_write_register, _new_window, _send, _download)],
    ids=named,
)
async def test_the_server_dies_during_a_call(
    operation: Callable[[RemoteDevice], Awaitable[None]], method: str, how: str
) -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS, 64).write(0, 1)
        before = sim.counters.calls[method]
        sim.faults.delay(method, 0.2)

        async with asyncio.TaskGroup() as group:
            group.create_task(_survived(operation, board))
            await eventually(lambda: sim.counters.calls[method] > before)
            sim.faults.clear()
            await getattr(sim, how)()

        await reached(board)

        with suppress(BoardError):  # the window of before a reboot
            await board.mmio(PS, 64).write(0, 1)

        await assert_works(sim, board)
        assert only_whole(sim, firmware(3 << 19))


@pytest.mark.parametrize("operation", list(OPERATIONS)[::2], ids=named)
async def test_the_server_stops_for_a_while(operation: Callable[[RemoteDevice], Awaitable[None]]) -> None:
    async with endangered(timeouts=SHORT) as (sim, board):
        await board.mmio(PS, 64).write(0, 1)
        await sim.freeze()
        await _survived(operation, board)
        await sim.thaw()
        await asyncio.sleep(SHORT.allocate)
        await assert_works(sim, board)


@pytest.mark.parametrize("operation", list(OPERATIONS)[1::2], ids=named)  # for the client the same as above
async def test_the_line_goes_dead_without_a_word(operation: Callable[[RemoteDevice], Awaitable[None]]) -> None:
    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address, RemoteDevice(link_address, timeouts=SHORT) as board:
            await board.mmio(PS, 64).write(0, 1)
            link.black_hole = True
            await _survived(operation, board)
            link.cut()
            link.black_hole = False
            await asyncio.sleep(SHORT.allocate)
            await reached(board)
            await assert_works(sim, board)


async def test_the_connection_is_reset_at_any_byte() -> None:
    chance = random.Random(4)
    operations = list(OPERATIONS)

    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address:
            for turn in range(20):
                link.cut_after = int(10 ** chance.uniform(1, 6.6))

                with suppress(BoardError):
                    async with RemoteDevice(link_address, timeouts=QUICK) as board:
                        await operations[turn % len(operations)](board)

                link.cut_after = None
                await sim.restart()  # buffers whose owner could not reach the board any more

            async with RemoteDevice(link_address, timeouts=QUICK) as board:
                await assert_works(sim, board)

        assert only_whole(sim, firmware(3 << 19))


@pytest.mark.parametrize(("operation", "method"), STEPS, ids=named)
async def test_every_status_is_an_error_of_our_own(
    operation: Callable[[RemoteDevice], Awaitable[None]], method: str
) -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS, 64).write(0, 1)

        for code in CODES:
            sim.faults.fail(method, code, "made up", execute=method == "buffer.freebuffer")
            await _survived(operation, board)
            sim.faults.clear()

        await reached(board)
        await assert_works(sim, board)
        assert only_whole(sim, firmware(3 << 19))


@pytest.mark.parametrize(
    ("latency", "slice_bytes", "bandwidth"), [(0.005, None, None), (0.0, 1, None), (0.0, None, 500_000.0)]
)
async def test_a_slow_line_is_only_slow(latency: float, slice_bytes: int | None, bandwidth: float | None) -> None:
    async with served() as sim:
        link = Link(sim.address)
        link.latency, link.slice_bytes, link.bandwidth = latency, slice_bytes, bandwidth

        async with link as link_address, RemoteDevice(link_address, timeouts=QUICK) as board:
            await assert_works(sim, board)
            await board.download(firmware(4096))

        assert only_whole(sim, firmware(4096))


async def test_another_client_frees_our_buffer() -> None:
    async with endangered() as (sim, board), neighbour(sim.address) as other:
        buffer = await board.allocate(64, "u1")
        assert buffer._memory is not None
        await other.free(buffer._memory.id)

        for use in (buffer.sync_to_device, buffer.sync_from_device):
            with pytest.raises(UnknownHandle, match="another client"):
                await use()

        with pytest.raises(UnknownHandle):
            await buffer.free()

        await assert_works(sim, board)


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
async def test_the_board_is_closed_under_a_call(operation: Callable[[RemoteDevice], Awaitable[None]]) -> None:
    async with served() as sim:
        for moment in (0.005, 0.03, 0.05):  # in the first, second and third call of the operation
            board = await RemoteDevice(sim.address, timeouts=QUICK)
            await board.mmio(PS, 64).write(0, 1)
            sim.faults.latency = 0.02

            async with asyncio.TaskGroup() as group:
                group.create_task(_survived(operation, board))
                await asyncio.sleep(moment)
                await board.aclose()

            sim.faults.clear()
            assert sim.counters.live_buffers == 0, f"a buffer leaked when closed after {moment} s"

            async with RemoteDevice(sim.address, timeouts=QUICK) as another:
                with suppress(BoardError):  # should the server die of a call that was left behind, the end says so
                    await _new_window(another)

            with pytest.raises(NotOpen):
                await operation(board)

        async with RemoteDevice(sim.address, timeouts=QUICK) as another:
            await assert_works(sim, another)


async def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(ConnectError, match=r"no-such-board\.invalid"):
        await RemoteDevice("no-such-board.invalid", timeouts=Timeouts(connect=0.3))


async def test_a_proxy_in_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async with endangered() as (sim, board):
        await assert_works(sim, board)


def test_the_interpreter_leaves_with_a_board_still_open() -> None:
    done = subprocess.run([sys.executable, "-X", "dev", "-c", _LEAVE], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, b"ready\n"), done.stderr.decode()
    assert b"Traceback" not in done.stderr, done.stderr.decode()


_LEAVE = """
import asyncio
from pynq_async import RemoteDevice
from pynq_async.sim import SimBoard, serve

async def main():
    async with serve(SimBoard()) as address:
        board = await RemoteDevice(address)
        await board.mmio(0xF8000000).write(0, 1)
        print("ready", flush=True)
        return board

board = asyncio.run(main())
"""
