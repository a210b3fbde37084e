import asyncio
import gc

import pytest

from pynq_async import BoardFarm, BoardSpec, Health, RemoteDevice, Timeouts
from pynq_async.config import Address
from pynq_async.errors import InvalidArgument, LeaseTimeout, NotOpen
from pynq_async.farm import BoardLost
from pynq_async.sim import SimBoard

from ..boards import begun
from .farms import several, simulated_farm

QUICK = Timeouts(call=0.5)


async def test_a_lease_gives_the_board_itself_and_nobody_else_has_it_meanwhile() -> None:
    async with simulated_farm(*several(2)) as boards, BoardFarm(boards) as farm:
        async with farm.lease() as first, farm.lease() as second:
            assert {first, second} == set(farm.values())

            with pytest.raises(LeaseTimeout, match=r"^1 board is not free after 0\.01 s: a: a lease has it; b: "):
                async with farm.lease(timeout=0.01):
                    pass

        async with farm.lease(count=2) as both:
            assert set(both) == set(farm.values())

        async with farm.lease(count=1) as one:
            assert isinstance(one, tuple) and len(one) == 1


async def test_leases_choose_by_model_family_tags_and_name() -> None:
    sims = [SimBoard(), SimBoard(family="zynqmp", model="ZCU104"), SimBoard(family="zynqmp", model="ZCU104", seed=1)]

    async with simulated_farm(*sims) as boards:
        specs = [
            BoardSpec(name, Address.parse(at), frozenset({"camera"} if name == "c" else ()))
            for name, at in boards.items()
        ]

        async with BoardFarm(specs) as farm:
            async with farm.lease(model="ZCU104", tags="camera") as board:
                assert board.name == "c"

            async with farm.lease(family="zynq7000") as board:
                assert board.name == "a"

            async with farm.lease(name="b") as board:
                assert board.name == "b"

            with pytest.raises(InvalidArgument, match="1 board with model ZCU111 can never be met"):
                async with farm.lease(model="ZCU111"):
                    pass

            with pytest.raises(InvalidArgument, match="no board with the tag 'robot'; it has camera"):
                async with farm.lease(tags=["robot"]):
                    pass


async def test_those_who_wait_are_served_by_priority_and_then_in_order() -> None:
    order: list[int] = []

    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:

        async def user(number: int, priority: int) -> None:
            async with farm.lease(priority=priority):
                order.append(number)

        async with asyncio.TaskGroup() as group, farm.lease():
            for number, priority in enumerate([0, 0, 1, 0]):
                group.create_task(user(number, priority))

            await _waiting(farm, 4)

    assert order == [2, 0, 1, 3]


async def _waiting(farm: BoardFarm, count: int) -> None:
    async with asyncio.timeout(30):
        while farm.statistics().waiting != count:
            await asyncio.sleep(0)


async def test_a_lease_is_free_again_however_and_whenever_its_user_is_cancelled() -> None:
    """Cancelled after every possible number of turns of the loop: in the queue, at the moment it is served, inside."""
    async with simulated_farm(*several(2)) as boards, BoardFarm(boards) as farm:

        async def user() -> None:
            async with farm.lease(count=2):
                await asyncio.sleep(0)

        for turns in range(12):
            async with farm.lease():
                task = asyncio.create_task(user())
                await asyncio.sleep(0)

            for _ in range(turns):
                await asyncio.sleep(0)

            task.cancel()
            await asyncio.wait({task})
            assert [board.state for board in farm.statistics().boards.values()] == ["free", "free"]


async def test_buffers_that_a_lessee_forgot_are_freed_and_named() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards) as farm:
        mine = await farm["a"].allocate(16)

        with pytest.warns(ResourceWarning, match=r"never freed: a: the buffer of 4096 bytes at 0x"):
            async with farm.lease() as board:
                forgotten = await board.allocate(1024)
                kept = await board.allocate(8)
                await kept.free()

        assert forgotten.freed and not mine.freed
        assert sim.counters.live_buffers == 1
        assert farm.statistics().boards["a"].forgotten == 1
        await mine.free()


async def test_a_lessee_that_fails_returns_its_board_clean() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards) as farm:
        with pytest.warns(ResourceWarning, match="a lease ended with"), pytest.raises(KeyError):
            async with farm.lease() as board:
                buffer = await board.allocate(1024)
                raise KeyError

        assert buffer.freed and sim.counters.live_buffers == 0

        async with farm.lease(timeout=1):
            pass


async def test_a_lease_whose_holder_is_gone_comes_back() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards) as farm:
        lease = farm.lease()
        board = await lease.__aenter__()
        buffer = await board.allocate(1024)

        with pytest.warns(ResourceWarning, match="a lease of 1 board was never left"):
            del lease
            gc.collect()

        async with farm.lease(timeout=1):
            assert buffer.freed and sim.counters.live_buffers == 0


async def test_closing_the_farm_ends_those_who_wait() -> None:
    async with simulated_farm(SimBoard()) as boards:
        farm = await BoardFarm(boards)

        async def user() -> None:
            async with farm.lease():
                pass

        async with farm.lease():
            task = asyncio.create_task(user())
            await _waiting(farm, 1)
            await farm.aclose()

        with pytest.raises(NotOpen, match="closed while a lease waited"):
            await task

        with pytest.raises(NotOpen, match="it is closed"):
            await user()


async def test_a_farm_that_is_not_open_lends_nothing() -> None:
    with pytest.raises(NotOpen, match="it is not open"):
        async with BoardFarm("10.0.0.1").lease():
            pass


async def test_a_lease_is_entered_once() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        lease = farm.lease()

        async with lease:
            pass

        with pytest.raises(NotOpen, match="entered once"):
            async with lease:
                pass


async def test_a_board_that_dies_in_a_lease_is_lent_again_when_it_answers() -> None:
    sim = SimBoard()
    health = Health(interval=0.05, timeout=0.4)

    async with simulated_farm(sim) as boards, BoardFarm(boards, health=health, timeouts=QUICK) as farm:
        async with farm.lease() as board, farm.events() as events:
            await sim.freeze()

            async for event in events:
                if isinstance(event, BoardLost):
                    break

        with pytest.raises(LeaseTimeout):
            async with farm.lease(timeout=0.01):
                pass

        await sim.thaw()

        async with farm.lease(timeout=30) as again:
            assert again is board and not farm.absent


async def test_a_lease_that_waits_holds_nothing_that_another_kind_of_board_could_use() -> None:
    sims = [SimBoard(), SimBoard(family="zynqmp", model="ZCU104")]

    async with simulated_farm(*sims) as boards, BoardFarm(boards) as farm:

        async def user() -> RemoteDevice:
            async with farm.lease(model="ZCU104") as board:
                return board

        async with farm.lease(model="ZCU104"):
            task = asyncio.create_task(user())
            await _waiting(farm, 1)

            async with farm.lease(timeout=1) as other:
                assert other.name == "a"

        assert (await task).name == "b"


async def test_a_transfer_under_way_at_the_end_of_a_lease_is_waited_for() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards) as farm:
        with pytest.warns(ResourceWarning, match="never freed"):
            async with farm.lease() as board:
                buffer = await board.allocate(1 << 20, "u1")
                sim.faults.delay("buffer.write", 0.05)
                task = asyncio.create_task(buffer.sync_to_device())
                await begun(sim, "buffer.write")

        await asyncio.wait({task})
        assert sim.counters.live_buffers == sim.counters.freed_in_use == 0
