import asyncio

import anyio
import pytest

from pynq_async.wire.locks import SharedLock

from ..boards import assert_no_tasks_left


async def _turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_many_may_share() -> None:
    lock = SharedLock()

    async with lock.shared(), lock.shared(), lock.shared():
        assert "shared by 3" in repr(lock)

    assert "shared by 0" in repr(lock)


async def test_one_alone_excludes_everybody() -> None:
    lock = SharedLock()
    inside: list[str] = []

    async def enter(name: str, alone: bool) -> None:
        async with lock.alone() if alone else lock.shared():
            assert not (alone and inside) and "alone" not in inside
            inside.append("alone" if alone else name)
            await _turns()
            inside.remove("alone" if alone else name)

    async with anyio.create_task_group() as group:
        for index in range(30):
            group.start_soon(enter, str(index), index % 3 == 0)

    assert "shared by 0, 0 waiting" in repr(lock)


async def test_first_come_first_served() -> None:
    lock = SharedLock()
    order: list[str] = []

    async def enter(name: str, alone: bool) -> None:
        async with lock.alone() if alone else lock.shared():
            order.append(name)
            await _turns(2)

    async with anyio.create_task_group() as group, lock.shared():
        group.start_soon(enter, "a alone", True)
        group.start_soon(enter, "b shared", False)  # could be let in at once, but not before a
        group.start_soon(enter, "c shared", False)
        group.start_soon(enter, "d alone", True)
        await _turns()
        assert order == []

    assert order == ["a alone", "b shared", "c shared", "d alone"]


async def test_a_cancelled_waiter_makes_way_for_those_behind_it() -> None:
    lock = SharedLock()
    entered = asyncio.Event()

    async def wait_alone() -> None:
        async with lock.alone():
            pytest.fail("was let in although somebody shares")

    async def share() -> None:
        async with lock.shared():
            entered.set()

    async with lock.shared(), anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(wait_alone)
                await _turns()
                group.start_soon(share)
                await _turns()
                assert not entered.is_set()
                scope.cancel()

        with anyio.fail_after(1):
            await entered.wait()


async def test_cancelled_in_the_turn_it_was_let_in_leaves_the_lock_free() -> None:
    lock = SharedLock()
    first = lock.alone()
    await first.__aenter__()

    async def enter() -> None:
        async with lock.alone():
            pytest.fail("was cancelled before it ran")

    task = asyncio.ensure_future(enter())
    await _turns()
    first.release()  # lets the task in, which has not run yet
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()

    async with asyncio.timeout(1), lock.alone():
        pass

    assert_no_tasks_left()


async def test_a_hold_can_be_released_early_and_twice() -> None:
    lock = SharedLock()

    async with lock.shared() as hold:
        hold.release()
        hold.release()

        async with asyncio.timeout(1), lock.alone():
            pass

    async with asyncio.timeout(1), lock.alone():
        pass


async def test_a_hold_that_was_handed_over_outlives_its_block() -> None:
    lock = SharedLock()

    async with lock.alone() as hold:
        heir = hold.hand_over()

    assert "alone" in repr(lock)
    heir.release()

    async with asyncio.timeout(1), lock.alone():
        pass
