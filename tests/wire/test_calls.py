"""The guard around every call: deadlines, scopes, late answers."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import grpc
import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import DeadlineExceeded, NotOpen, NotSupported, OutcomeUnknown, ServerError
from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..boards import begun, simulated

TIMEOUTS = Timeouts(grace=0.1)
SLOW = 0.2  # longer than the grace, so that a cancelled call really is cancelled


async def _asyncio_timeout(work: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await work()


async def _anyio_fail_after(work: Callable[[], Awaitable[object]]) -> None:
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.02):
            await work()


async def _anyio_move_on_after(work: Callable[[], Awaitable[object]]) -> None:
    with anyio.move_on_after(0.02) as scope:
        await work()

    assert scope.cancelled_caught


async def _outer_scope_of_a_task_group(work: Callable[[], Awaitable[object]]) -> None:
    async def run() -> None:
        await work()

    with anyio.move_on_after(0.02) as scope:
        async with anyio.create_task_group() as group:
            group.start_soon(run)

    assert scope.cancelled_caught


SCOPES = [_asyncio_timeout, _anyio_fail_after, _anyio_move_on_after, _outer_scope_of_a_task_group]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("late", [0.05, SLOW], ids=["answered within the grace", "cancelled after the grace"])
async def test_every_scope_works_around_a_short_call(
    scope: Callable[[Callable[[], Awaitable[object]]], Awaitable[None]], late: float
) -> None:
    async with simulated(timeouts=TIMEOUTS) as (sim, board):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0, 7)
        sim.faults.delay("mmio.read", late)
        await scope(lambda: registers.read(0))
        sim.faults.clear()
        assert await registers.read(0) == 7


@pytest.mark.parametrize("scope", SCOPES)
async def test_every_scope_works_around_streams(
    scope: Callable[[Callable[[], Awaitable[object]]], Awaitable[None]],
) -> None:
    async with simulated(timeouts=TIMEOUTS) as (sim, board), board.allocate(4 << 20, "u1") as buffer:
        sim.faults.bandwidth = 1e6
        await scope(buffer.sync_to_device)
        await scope(buffer.sync_from_device)
        await scope(lambda: board.write_file("/tmp/large", bytes(4 << 20)))
        sim.faults.clear()
        await buffer.sync_to_device()
        await buffer.sync_from_device()


@pytest.mark.parametrize("turns", range(1, 12))
async def test_a_scope_that_ends_while_the_services_are_asked_for_knows_its_cancellation(
    board: RemoteDevice, turns: int
) -> None:
    assert board._parts is not None
    streams = board._parts.connection.streams

    async with anyio.create_task_group() as group:

        async def end() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

            group.cancel_scope.cancel()

        group.start_soon(end)
        await streams.exchange(methods.REFLECTION, m.ServerReflectionRequest(list_services=""), 5)

    async with asyncio.timeout(5):
        # gRPC's server takes some turns to end a call that was cut off.
        while "rpc_task" in {task.get_name() for task in asyncio.all_tasks()}:
            await asyncio.sleep(0.001)


async def test_a_call_cancelled_twice_leaves_the_board_usable(sim: SimBoard, board: RemoteDevice) -> None:
    registers = board.mmio(0x4000_0000, 0x1000)
    await registers.write(0, 7)
    sim.faults.delay("mmio.read", SLOW)
    task = asyncio.ensure_future(registers.read(0))
    await begun(sim, "mmio.read", 1)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    sim.faults.clear()
    assert await registers.read(0) == 7


async def test_no_answer_is_a_deadline_that_names_board_and_method() -> None:
    async with simulated(timeouts=Timeouts(call=0.1)) as (sim, board):
        sim.faults.delay("remote_device.existsfile", 30)

        with pytest.raises(DeadlineExceeded, match=rf"^{board.name}: remote_device.existsfile: no answer in time"):
            await board.exists_file("/proc/version")


async def test_no_answer_to_a_call_that_changes_the_board_leaves_the_outcome_unknown() -> None:
    async with simulated(timeouts=Timeouts(call=0.1)) as (sim, board):
        registers = board.mmio(0x4000_0000, 0x1000)
        await registers.write(0, 1)
        sim.faults.delay("mmio.write", 30)

        with pytest.raises(OutcomeUnknown, match="may have been carried out") as caught:
            await registers.write(0, 2)

        assert isinstance(caught.value, TimeoutError)


async def test_a_stream_in_which_nothing_moves_ends_with_the_stall_timeout() -> None:
    async with simulated(timeouts=Timeouts(stall=0.1)) as (sim, board), board.allocate(1 << 20, "u1") as buffer:
        await sim.freeze()

        try:
            with pytest.raises(DeadlineExceeded, match="no progress in 0.1 s"):
                await board.write_file("/tmp/file", bytes(8 << 20))

            with pytest.raises(DeadlineExceeded, match="no progress in 0.1 s"):
                await board.read_file("/tmp/file")
        finally:
            await sim.thaw()

        await buffer.sync_to_device()


async def test_a_slow_stream_that_moves_is_not_stalled() -> None:
    async with simulated(timeouts=Timeouts(stall=0.2)) as (sim, board):
        sim.files.write_bytes("/tmp/file", bytes(300_000))
        sim.faults.bandwidth = 1e6  # for longer than the stall timeout
        assert len(await board.read_file("/tmp/file")) == 300_000


async def test_an_error_inside_an_ok_answer_is_an_error(sim: SimBoard, board: RemoteDevice) -> None:
    registers = board.mmio(0x4000_0000, 0x1000)
    await registers.read(0)
    sim.faults.answer("mmio.read", m.ReadResponse(msg="bus is on fire"))

    with pytest.raises(ServerError, match="bus is on fire"):
        await registers.read(0)


async def test_a_method_the_board_does_not_have_is_not_supported(sim: SimBoard, board: RemoteDevice) -> None:
    sim.faults.fail("remote_device.existsfile", grpc.StatusCode.UNIMPLEMENTED)

    with pytest.raises(NotSupported):
        await board.exists_file("/proc/version")


async def test_closing_the_board_ends_calls_under_way_with_a_sentence() -> None:
    async with simulated(timeouts=Timeouts(call=5)) as (sim, board):
        sim.faults.delay("remote_device.existsfile", 30)
        waiting = asyncio.ensure_future(board.exists_file("/proc/version"))
        await begun(sim, "remote_device.existsfile", 1)
        await board.aclose()

        with pytest.raises(NotOpen, match="closed during the call"):
            await waiting


async def test_closing_the_board_ends_streams_under_way_with_a_sentence() -> None:
    async with simulated() as (sim, board):
        sim.faults.bandwidth = 1e5
        writing = asyncio.ensure_future(board.write_file("/tmp/file", bytes(8 << 20)))
        await begun(sim, "remote_device.writefile", 1)
        sim.files.write_bytes("/tmp/other", bytes(4 << 20))
        reads = sim.counters.calls["remote_device.readfile"]
        reading = asyncio.ensure_future(board.read_file("/tmp/other"))
        await begun(sim, "remote_device.readfile", reads + 1)
        await board.aclose()

        for task in (writing, reading):
            with pytest.raises(NotOpen):
                await task


async def test_an_upload_cancelled_before_it_has_begun_ends(sim: SimBoard, board: RemoteDevice) -> None:
    """grpc.aio's `write` would wait for ever."""
    for turns in range(12):
        upload = asyncio.ensure_future(board.write_file("/tmp/file", bytes(3 << 20)))

        for _ in range(turns):
            await asyncio.sleep(0)

        parts = board._parts
        assert parts is not None
        parts.connection.streams.end()

        async with asyncio.timeout(5):
            await asyncio.wait({upload})

        assert upload.exception() is None or isinstance(upload.exception(), NotOpen)
        parts.connection.streams._ending = False

    await board.write_file("/tmp/file", b"x")


async def test_what_a_progress_callback_raises_comes_out(sim: SimBoard, board: RemoteDevice) -> None:
    def fail(_: object) -> None:
        raise KeyError("mine")

    async with board.allocate(3 << 20, "u1") as buffer:
        with pytest.raises(KeyError, match="mine"):
            await buffer.sync_to_device(progress=fail)

        with pytest.raises(KeyError, match="mine"):
            await buffer.sync_from_device(progress=fail)

        await buffer.sync_to_device()


async def test_a_server_that_answers_before_it_has_everything_is_an_error(sim: SimBoard, board: RemoteDevice) -> None:
    async with board.allocate(64 << 20, "u1") as buffer:
        sim.faults.answer("buffer.write", m.BufferWriteResponse())

        with pytest.raises(ServerError, match="stopped before it had everything"):
            await buffer.sync_to_device()

        assert buffer.torn
