"""Calls that meet inside the server: unlocked tables, writes out of order, too many at once (H1, H2, H5, H8)."""

import asyncio
import random
from dataclasses import replace

import pytest

from pynq_async import Limits, RemoteDevice
from pynq_async.errors import ProtocolViolation
from pynq_async.sim import Hazards
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually
from .conftest import PL, PS, QUICK, assert_works, careless, danger, endangered


async def test_h01_overlapping_calls_kill_the_server_without_defence() -> None:
    async with careless(danger(race_window=0.005)) as (sim, raw):
        await asyncio.gather(raw.allocate(64), raw.allocate(64), return_exceptions=True)
        await raw.until_served()
        await asyncio.gather(raw.map(), raw.map(), return_exceptions=True)
        await raw.until_served()
        assert [reason.split(":")[0] for reason in sim.counters.crashes] == ["buffers", "windows"]


@pytest.mark.parametrize("clients", [1, 2])
async def test_h01_any_number_of_tasks_and_clients_share_a_board(clients: int) -> None:
    async with endangered() as (sim, first), RemoteDevice(sim.address, timeouts=QUICK) as second:
        boards = [first, second][:clients]

        async def work(number: int) -> None:
            chance = random.Random(number)
            board = boards[number % clients]

            for step in range(12):
                match chance.choice(["buffer", "register", "new window", "file"]):
                    case "buffer":
                        async with board.allocate(chance.randrange(1, 50_000), "u1") as buffer:
                            buffer[:] = number + 1
                            await buffer.sync_to_device()
                            buffer[:] = 0
                            await buffer.sync_from_device()
                            assert (buffer == number + 1).all()
                    case "register":
                        await board.mmio(PS, 4096).write(4 * number, step)
                        assert await board.mmio(PS, 4096).read(4 * number) == step
                    case "new window":
                        registers = board.mmio(PS + 4096 * chance.randrange(1, 9), 4096)
                        await registers.write(4 * number, step)
                        assert await registers.read(4 * number) == step
                    case _:
                        await board.write_file(f"/tmp/{number}", bytes([step]))
                        assert await board.read_file(f"/tmp/{number}") == bytes([step])

        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(work(number))


async def test_h01_a_slow_upload_does_not_stop_the_registers() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS)
        await registers.write(0, 1)
        sim.faults.bandwidth = 10e6

        async with board.allocate(3 << 20, "u1") as buffer, asyncio.TaskGroup() as group:
            upload = group.create_task(buffer.sync_to_device())
            waiting = group.create_task(_allocate_and_free(board))
            await eventually(lambda: sim.counters.streams_now == 1)

            for value in range(5):
                await registers.write(0, value)

            assert not upload.done()
            assert not waiting.done()


@pytest.mark.parametrize("end", ["closed", "cancelled"])
@pytest.mark.parametrize("change", ["map", "allocate", "free"])
async def test_h01_who_leaves_during_a_change_of_a_table_keeps_others_out_until_it_is_over(
    change: str, end: str
) -> None:
    timeouts = replace(QUICK, grace=0.1)

    async with endangered(danger(race_window=0.02), timeouts=timeouts) as (sim, second):
        first = await RemoteDevice(sim.address, timeouts=timeouts)

        match change:
            case "map":
                method, work, other = "mmio.get_mmio", first.mmio(PS).write(0, 1), second.mmio(PS + 4096).write(0, 1)
            case "allocate":
                method, work, other = "buffer.allocate", _allocate_and_free(first), _allocate_and_free(second)
            case _:
                buffer = await first.allocate(64, "u1")
                method, work, other = "buffer.freebuffer", buffer.free(), _allocate_and_free(second)

        before = sim.counters.calls[method]
        leaving = asyncio.create_task(work)
        await eventually(lambda: sim.counters.calls[method] > before)
        waiting = asyncio.create_task(other)

        if end == "closed":
            await first.aclose()
        else:
            leaving.cancel()

        await asyncio.wait({leaving})
        await waiting
        await first.aclose()
        await assert_works(sim, second)


async def test_h02_overlapping_maps_get_one_id_without_defence() -> None:
    async with careless(Hazards(race_window=0.005)) as (sim, raw):
        first, second = await asyncio.gather(raw.map(PL), raw.map(PL + 4096))
        await raw.store(first, 0, 7)
        assert first == second
        assert 7 in (sim.memory.load(PL), sim.memory.load(PL + 4096))
        assert sim.counters.duplicate_window_ids == 1


async def test_h02_windows_mapped_at_once_are_all_their_own() -> None:
    async with endangered() as (sim, first), RemoteDevice(sim.address, timeouts=QUICK) as second:
        bases = [PS + 4096 * page for page in range(12)]

        async with asyncio.TaskGroup() as group:
            for number, base in enumerate(bases):
                group.create_task((first, second)[number % 2].mmio(base).write(0, base))

        assert [sim.memory.load(base) for base in bases] == bases


async def test_h02_an_id_that_is_in_use_is_never_accepted() -> None:
    async with endangered() as (sim, board):
        await board.mmio(PS).write(0, 1)
        sim.faults.answer("mmio.get_mmio", m.GetMmioResponse(mmio_id="0"))

        with pytest.raises(ProtocolViolation, match="no new id"):
            await board.mmio(PS + 4096).write(0, 2)

        assert sim.memory.load(PS) == 1
        await board.mmio(PS + 4096).write(0, 2)
        await assert_works(sim, board)


async def test_h05_writes_in_flight_together_are_shuffled_without_defence() -> None:
    async with careless(danger()) as (sim, raw):
        window = await raw.map(PS)
        wrong = 0

        for _ in range(10):
            await asyncio.gather(*(raw.store(window, 0, value) for value in range(16)))
            wrong += sim.memory.load(PS) != 15

        assert wrong


async def test_h05_gathered_writes_arrive_in_the_order_of_the_calls() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 64)
        seen: list[int] = []

        def record(_: int, value: int) -> int:
            seen.append(value)
            return value

        sim.on_write(PS, record)

        for burst in range(10):
            await asyncio.gather(*(registers.write(0, 100 * burst + value) for value in range(16)))
            assert await registers.read(0) == 100 * burst + 15

        assert seen == sorted(seen)
        assert len(seen) == 160


async def test_h05_a_read_waits_for_the_writes_before_it_and_aliased_windows_share_their_order() -> None:
    async with endangered() as (_, board):
        one, other = board.mmio(PS, 4096), board.mmio(PS, 64)

        for value in range(1, 20):
            results = await asyncio.gather(one.write(4, value), other.write(4, value + 100), one.read(4))
            assert results[2] == value + 100


async def test_h08_open_streams_eat_the_server_without_defence() -> None:
    async with careless(danger(stream_limit=20)) as (sim, raw):
        requests = [m.ReadFileRequest(file_path="/dev/zero")] * 40
        calls = [raw.open(methods.READ_FILE, request) for request in requests]
        await eventually(lambda: bool(sim.counters.crashes))

        for call in calls:
            call.cancel()


async def test_h08_however_much_is_asked_for_the_server_sees_a_few_calls_at_a_time() -> None:
    async with (
        endangered(danger(stream_limit=8)) as (sim, first),
        RemoteDevice(sim.address, timeouts=QUICK) as second,
    ):
        registers = [board.mmio(PS, 4096) for board in (first, second)]
        await registers[0].write(0, 5)
        await registers[1].read(0)
        sim.faults.latency = 0.002
        sim.counters.streams_peak = sim.counters.unary_peak = 0

        async def sync(board: RemoteDevice) -> None:
            async with board.allocate(2000, "u1") as buffer:
                await buffer.sync_to_device()
                await buffer.sync_from_device()

        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(sync((first, second)[number % 2]))

            for number in range(200):
                group.create_task(registers[number % 2].read(0))

        assert sim.counters.streams_peak <= 4
        assert sim.counters.unary_peak <= 16


async def test_h08_the_identity_is_learned_behind_any_number_of_uploads() -> None:
    async with endangered(limits=Limits(streams=2, calls=2)) as (sim, board):
        sim.faults.delay("remote_device.writefile", 0.3)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(board.write_file(f"/tmp/{number}", b"x"))

            await eventually(lambda: sim.counters.streams_now == 2)

            async with RemoteDevice(sim.address, timeouts=QUICK) as second:
                assert await second.read_file("/proc/version")

            assert sim.counters.calls["remote_device.writefile"] == 2, "the first of them are still under way"


async def _allocate_and_free(board: RemoteDevice) -> None:
    async with board.allocate(64, "u1"):
        pass
