import asyncio
import time

import anyio
import pytest

from pynq_async.concurrency import Pauses, Turns, Waiter, both, for_each, in_a_thread, to_the_end

from .boards import assert_no_tasks_left


async def test_work_is_run_to_its_end_and_the_cancellation_arrives_afterwards() -> None:
    done: list[str] = []
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.append("work")

    task = asyncio.ensure_future(to_the_end(work()))

    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()

    await asyncio.sleep(0)
    assert not task.done()
    go.set()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert done == ["work"]
    assert_no_tasks_left()


async def test_work_is_run_to_its_end_in_a_cancelled_anyio_scope() -> None:
    done: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.02)
        done.append("work")

    with anyio.move_on_after(0.001) as scope:
        await to_the_end(work())
        await anyio.sleep(5)

    assert scope.cancelled_caught and done == ["work"]


async def test_what_the_work_returns_or_raises_comes_through() -> None:
    async def value() -> int:
        return 5

    async def failure() -> None:
        raise KeyError("x")

    assert await to_the_end(value()) == 5

    with pytest.raises(KeyError):
        await to_the_end(failure())


async def test_a_failure_of_cancelled_work_is_not_reported_as_never_retrieved() -> None:
    async def failure() -> None:
        await asyncio.sleep(0.01)
        raise KeyError("x")

    task = asyncio.ensure_future(to_the_end(failure()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_thread_is_waited_for_when_cancelled() -> None:
    done: list[str] = []

    def work() -> None:
        time.sleep(0.03)
        done.append("work")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await in_a_thread(work)

    assert done == ["work"]


async def test_items_are_begun_in_order_and_so_many_at_a_time() -> None:
    begun: list[int] = []
    now = peak = 0

    async def work(item: int) -> None:
        nonlocal now, peak
        begun.append(item)
        now += 1
        peak = max(peak, now)
        await asyncio.sleep(0)
        now -= 1

    await for_each(range(20), work, width=3)
    assert begun == list(range(20))
    assert peak == 3


async def test_the_first_failure_is_raised_itself_and_ends_the_rest() -> None:
    ended: list[str] = []

    async def work(item: int) -> None:
        if item == 1:
            raise KeyError(item)

        try:
            await asyncio.sleep(30)
        finally:
            ended.append("other")

    with pytest.raises(KeyError):
        await for_each(range(2), work, width=2)

    assert ended == ["other"]
    assert_no_tasks_left()


async def test_nothing_to_do_is_done_at_once() -> None:
    async def work(_: object) -> None:
        pytest.fail("there is nothing to do")

    await for_each([], work, width=0)


async def test_both_run_at_once_and_give_both_results() -> None:
    met = asyncio.Event()

    async def first() -> int:
        await met.wait()
        return 1

    async def second() -> str:
        met.set()
        return "two"

    assert await both(first(), second()) == (1, "two")


async def test_both_raise_the_first_failure_itself_and_end_the_other() -> None:
    ended = False

    async def fail() -> None:
        raise ValueError("no")

    async def wait() -> None:
        nonlocal ended

        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    for failing_first in (True, False):
        with pytest.raises(ValueError, match="no"):
            await (both(fail(), wait()) if failing_first else both(wait(), fail()))

    assert ended


async def test_those_who_wait_take_turns_and_one_is_always_at_work() -> None:
    """Whether the one at work is done, fails or is cancelled, the next goes on; nobody works when nobody waits."""
    leaders: list[Waiter] = []
    failing: list[Waiter] = []

    async def work(leader: Waiter) -> None:
        leaders.append(leader)
        await asyncio.sleep(0)

        if leader in failing:
            raise ValueError

    async def led(waiter: Waiter) -> None:
        while leaders[-1] is not waiter:
            await asyncio.sleep(0)

    turns = Turns(work)
    waiters = [Waiter() for _ in range(4)]
    tasks = [asyncio.create_task(turns.until_done(waiter)) for waiter in waiters]
    await asyncio.sleep(0)
    await led(waiters[0])
    tasks[0].cancel()
    await led(waiters[1])
    failing.append(waiters[1])

    with pytest.raises(ValueError):
        await tasks[1]

    await led(waiters[2])
    waiters[3].end()
    await tasks[3]
    assert not tasks[2].done()
    waiters[2].end()
    await tasks[2]
    await turns.rest()
    assert turns.waiting == []
    assert_no_tasks_left()


def test_pauses_grow_and_begin_again() -> None:
    pauses = Pauses()
    assert [pauses.next() for _ in range(8)] == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05]
    pauses.restart()
    assert pauses.next() == 0.001
