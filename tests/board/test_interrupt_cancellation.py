"""Waits for interrupts that are given up, and those that go on."""

import asyncio
import itertools

import anyio
import pytest

from pynq_async.errors import DeadlineExceeded

from .interrupt_bench import Bench, outcome

pytestmark = pytest.mark.usefixtures("short_slices")


@pytest.mark.parametrize("leaving", ["cancelled", "timed out", "done"])
async def test_when_the_one_who_asks_the_board_leaves_another_goes_on(here: Bench, leaving: str) -> None:
    """Invariant of `Turns`: while anyone waits, one of those who wait is at work, or has been woken to begin."""
    same = leaving != "done"
    other = "level/done" if same else "other/done"

    async with asyncio.TaskGroup() as group:
        first = group.create_task(outcome(here.pins["level/done"].wait(0.1 if leaving == "timed out" else 10)))
        await here.waited()
        rest = [group.create_task(here.pins[other].wait()) for _ in range(3)]
        await here.waited()

        if leaving == "cancelled":
            first.cancel()
        elif leaving == "done":
            here.pulse("level/done")

        await asyncio.wait({first})
        await here.waited()
        assert not any(task.done() for task in rest)
        here.pulse(other)


async def test_all_who_ask_the_board_in_turn_may_leave(here: Bench) -> None:
    pin = here.pins["level/done"]

    async with asyncio.TaskGroup() as group:
        impatient = [group.create_task(outcome(pin.wait(timeout=0.01 * number))) for number in range(1, 6)]
        patient = group.create_task(pin.wait())
        await asyncio.wait(impatient)
        assert all(isinstance(task.result(), DeadlineExceeded) for task in impatient)
        await here.waited()
        here.pulse("level/done")
        await patient


async def test_the_one_who_takes_over_may_be_cancelled_in_the_same_moment(here: Bench) -> None:
    pin = here.pins["level/done"]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(outcome(pin.wait())) for _ in range(4)]
        await here.waited()
        tasks[0].cancel()
        await asyncio.wait({tasks[0]})
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.wait({tasks[1], tasks[2]})
        await here.waited()
        here.pulse("level/done")
        await tasks[3]


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_a_cancelled_wait_leaves_nothing_and_the_next_works(here: Bench, times: int) -> None:
    here.sim.faults.latency = 0.01
    pin = here.pins["deep_edge/done"]

    for turns in (0, 1, 3, 10, 30, 100):
        task = asyncio.ensure_future(pin.wait())

        for _ in range(turns):
            await asyncio.sleep(0)

        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)

        await asyncio.wait({task})
        assert task.cancelled()

    here.sim.faults.clear()

    async with asyncio.TaskGroup() as group:
        group.create_task(pin.wait())
        await here.waited()
        here.pulse("deep_edge/done")


async def test_anyio_scopes_work_around_a_wait(here: Bench) -> None:
    with anyio.move_on_after(0.02) as scope:
        await here.pins["level/done"].wait()

    assert scope.cancelled_caught

    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.02):
            await here.pins["edge/done"].wait(None)

    here.drive("level/done", True)
    await here.pins["level/done"].wait()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("leading", [True, False], ids=["asking", "waiting for another"])
async def test_an_event_is_kept_wherever_its_only_waiter_is_cancelled(here: Bench, leading: bool, times: int) -> None:
    pin = here.pins["edge/done"]

    async with asyncio.TaskGroup() as group:
        other = None if leading else group.create_task(here.pins["other/done"].wait())
        await pin.listen()

        for turns in itertools.count(1):
            here.pulse("edge/done")
            task = asyncio.ensure_future(outcome(pin.wait()))

            for _ in range(turns):
                await asyncio.sleep(0)

            if task.done():
                break

            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)

            await asyncio.wait({task})

            if task.cancelled():
                await pin.wait(1)

        assert turns > 10

        if other is not None:
            here.pulse("other/done")
