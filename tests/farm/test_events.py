import asyncio
from pathlib import Path

import pytest

from pynq_async import BoardFarm
from pynq_async.errors import InvalidArgument, NotOpen
from pynq_async.farm import BoardLeased, BoardLoaded, BoardProgress, BoardReturned, FarmEvent
from pynq_async.sim import SimBoard

from .farms import several, simulated_farm


async def test_leases_and_downloads_are_told_to_all_who_listen(bitfile: Path) -> None:
    async with simulated_farm(*several(2)) as boards:
        farm = await BoardFarm(boards)

        async with farm.events() as first, farm.events() as second:
            async with farm.lease(name="b"):
                pass

            await farm.download(bitfile)
            await farm.aclose()
            told = [[event async for event in listener] for listener in (first, second)]

    assert told[0] == told[1]
    leased, returned, *rest = told[0]
    assert isinstance(leased, BoardLeased) and isinstance(returned, BoardReturned) and leased.board == "b"
    assert leased.time <= returned.time and returned.forgotten == () and leased.by == "lease"
    assert {event.board for event in rest if isinstance(event, BoardProgress)} == {"a", "b"}
    assert [event.loaded.name for event in rest if isinstance(event, BoardLoaded)] == ["small.bit"] * 2


async def test_a_slow_listener_loses_the_oldest_events_and_is_told_how_many() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm, farm.events(size=3) as events:
        for _ in range(5):
            async with farm.lease():
                pass

        assert events.dropped == 7
        kept: list[FarmEvent] = [await anext(events) for _ in range(3)]
        assert [type(event) for event in kept] == [BoardReturned, BoardLeased, BoardReturned]


async def test_a_stream_can_be_left_and_cancelled_at_any_time() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01), farm.events() as events:
                await anext(events)

        assert [event async for event in events] == []


async def test_a_stream_that_can_hold_nothing_is_refused() -> None:
    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm:
        with pytest.raises(InvalidArgument, match="at least one"):
            farm.events(size=0)


async def test_a_closed_farm_tells_nothing() -> None:
    async with simulated_farm(SimBoard()) as boards:
        farm = await BoardFarm(boards)
        await farm.aclose()

        with pytest.raises(NotOpen, match="nothing happens"):
            async with farm.events():
                pass
