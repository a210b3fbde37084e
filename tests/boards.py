"""A simulated board with the real client connected to it, and nothing left behind afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc

from pynq_async import Limits, RemoteDevice, Timeouts
from pynq_async.errors import BoardError
from pynq_async.sim import SimBoard, serve

# What was cut off is left alone for a shorter time than by default.
HASTY = Timeouts(grace=0.05)


@asynccontextmanager
async def simulated(
    sim: SimBoard | None = None, *, timeouts: Timeouts | None = None, limits: Limits | None = None, **options: Any
) -> AsyncIterator[tuple[SimBoard, RemoteDevice]]:
    """Serve a board and open it; on leaving, the board must be clean and no task may be left."""
    sim = sim or SimBoard(**options)

    async with serve(sim) as address, RemoteDevice(address, timeouts=timeouts, limits=limits) as board:
        _notice_restarts(sim, board)
        yield sim, board

    assert_clean(sim)
    assert_no_tasks_left()


def _notice_restarts(sim: SimBoard, board: RemoteDevice) -> None:
    """Let a restart last until the client has seen its connection break: on a busy machine its next call came first."""
    assert board._parts is not None
    channel = board._parts.connection._channel

    def noticed(restart: Callable[[float], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def restart_and_wait(delay: float = 0.0) -> None:
            ready = grpc.ChannelConnectivity.READY
            broken = (
                asyncio.ensure_future(channel.wait_for_state_change(ready)) if channel.get_state() is ready else None
            )
            await restart(delay)

            if broken is not None:
                await broken

        return restart_and_wait

    sim.restart = noticed(sim.restart)  # type: ignore[method-assign,assignment]
    sim.reboot = noticed(sim.reboot)  # type: ignore[method-assign,assignment]


async def begun(sim: SimBoard, method: str, count: int = 1) -> None:
    """Wait until the board has seen so many calls of a method."""
    async with asyncio.timeout(30):
        while sim.counters.calls[method] < count:
            await asyncio.sleep(0.001)


async def asked_again(sim: SimBoard, rounds: int = 2) -> None:
    """Wait until whoever waits, by polling or through the interrupt service, has asked the board so many times more."""
    calls = sim.counters.calls
    enough = calls["mmio.read"] + calls["interrupt.wait_for_interrupt"] + rounds

    async with asyncio.timeout(5):
        while calls["mmio.read"] + calls["interrupt.wait_for_interrupt"] < enough:
            await asyncio.sleep(0.001)


async def settled(sim: SimBoard) -> None:
    """Let calls that were cut off end on the board's side; one whose answer was lost on request never does."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            while sim.counters.unary_now or sim.counters.streams_now:
                await asyncio.sleep(0.001)


async def under_faults(
    sim: SimBoard,
    method: str,
    work: Callable[[], Awaitable[object]],
    *,
    faults: Collection[str] = ("slow", "lost before", "lost after", "refused"),
    repeated: bool = False,
) -> None:
    """Have calls of a method be slow, lost and refused: each time there is an error of ours, and the next time none.

    Slow calls are waited for. So are lost ones that may be made again, if `repeated`.
    """
    for fault in faults:
        match fault:
            case "slow":
                sim.faults.delay(method, 0.01)
            case "refused":
                sim.faults.fail(method, grpc.StatusCode.INTERNAL)
            case _:
                sim.faults.drop(method, after=fault == "lost after")

        try:
            await work()
        except BoardError as error:
            assert fault != "slow"
            assert str(error).startswith(f"{sim.address}: ")
        else:
            assert fault == "slow" or (repeated and fault != "refused"), f"no error although {method} was {fault}"

        await settled(sim)
        sim.faults.clear()
        await work()


def assert_clean(sim: SimBoard) -> None:
    """Nothing is left on the board, and it was never led into one of its traps."""
    counters = sim.counters
    assert counters.live_buffers == 0, "a buffer leaked on the board"
    assert counters.races == 0, counters.race_log
    assert counters.use_after_free == 0
    assert counters.duplicate_window_ids == 0
    assert counters.out_of_range == counters.unaligned == counters.odd_writes == 0
    assert counters.runaway_reads == 0
    assert counters.overflows == 0


def assert_no_tasks_left() -> None:
    """Only the test itself is running."""
    left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
    assert not left, left
