import asyncio
from pathlib import Path

import pytest

from pynq_async import BoardFarm, Overlay, RemoteDevice
from pynq_async.bitstream import SyntheticIp, parse_bitstream, synthetic_bitstream, synthetic_design
from pynq_async.errors import BitstreamError, InvalidArgument, NotOpen
from pynq_async.farm import BoardLeased, BoardLoaded, BoardNotLoaded, BoardProgress, BoardReturned, FarmEvent
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


async def test_a_download_by_whoever_holds_a_board_is_told_too(bitfile: Path) -> None:
    async def work(overlay: Overlay, item: int) -> None:
        pass

    async def load(board: RemoteDevice) -> Overlay:
        leds = SyntheticIp("xilinx.com:ip:axi_gpio:2.0", 0x4120_0000)
        return await Overlay.load(board, bitfile, design=synthetic_design({"leds": leds}))

    async with simulated_farm(SimBoard()) as boards, BoardFarm(boards) as farm, farm.events() as events:
        async with farm.lease(holder="alice") as board:
            loaded = await board.download(bitfile)

            with pytest.raises(BitstreamError):
                await board.download("no such file.bit")

        async with farm.map(work, [1], setup=load, holder="bob") as results:
            await anext(results)

        await farm.aclose()
        told = [event async for event in events]

    assert [event.by for event in told if isinstance(event, BoardLeased)] == ["alice", "bob"]
    assert [event.loaded.name for event in told if isinstance(event, BoardLoaded)] == ["small.bit", "small.bit"]
    assert next(event for event in told if isinstance(event, BoardLoaded)).loaded is loaded
    assert {event.progress.stage for event in told if isinstance(event, BoardProgress)} == {"upload", "program", "done"}
    (failed,) = (event for event in told if isinstance(event, BoardNotLoaded))
    assert failed.board == "a" and "no such file.bit" in failed.reason


async def test_a_cancelled_download_is_told_to_have_failed() -> None:
    sim = SimBoard()

    async with simulated_farm(sim) as boards, BoardFarm(boards) as farm, farm.events() as events:
        sim.faults.delay("remote_device.writefile", 60)

        async with farm.lease() as board:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await board.download(parse_bitstream("made_up.bit", synthetic_bitstream()))

            sim.faults.clear()
            assert board.last_loaded is None

        await farm.aclose()
        assert [event.reason async for event in events if isinstance(event, BoardNotLoaded)] == ["it was cancelled"]


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
