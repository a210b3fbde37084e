import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import HardwareError, StaleHandle
from pynq_async.sim import SimBoard


async def test_all_memory_is_freed_but_what_is_kept_and_said_what_it_was(sim: SimBoard, board: RemoteDevice) -> None:
    mine = await board.allocate(16)
    kept = board.memory.live
    others = [await board.allocate(1024), await board.allocate(2048)]
    assert len(board.memory.live) == 3

    freed = await board.memory.free_all(keep=kept)
    assert [text.split(" at ")[0] for text in freed] == ["the buffer of 4096 bytes", "the buffer of 8192 bytes"]
    assert all(other.freed for other in others) and not mine.freed and board.memory.live == kept
    assert sim.counters.live_buffers == 1
    await mine.free()
    assert await board.memory.free_all() == []


async def test_memory_whose_hardware_cannot_be_stopped_stays_and_the_rest_is_freed(board: RemoteDevice) -> None:
    stuck, other = await board.allocate(16), await board.allocate(16)
    stops: list[bool] = []

    async def stop() -> None:
        stops.append(True)

        if len(stops) == 1:
            raise HardwareError(board.name, "it goes on")

    stuck.pin(stop)

    with pytest.raises(HardwareError, match="goes on"):
        await board.memory.free_all()

    assert other.freed and not stuck.freed
    assert len(await board.memory.free_all()) == 1 and stuck.freed


async def test_memory_of_a_server_that_is_gone_is_forgotten(sim: SimBoard, board: RemoteDevice) -> None:
    buffer = await board.allocate(16)
    await sim.restart()

    async def stop() -> None:
        raise StaleHandle(board.name, "gone")

    buffer.pin(stop)
    await board.memory.free_all()
    assert not board.memory.live
