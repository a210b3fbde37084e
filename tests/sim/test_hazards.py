"""What the server does to a careless client: every hazard is seen, and its damage is done where it is switched on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from pynq_async.sim import Hazards, SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, eventually, refused

QUICK = 0.005


@asynccontextmanager
async def careless(**hazards: object) -> AsyncIterator[tuple[SimBoard, RawClient]]:
    board = SimBoard(hazards=Hazards(restart_delay=0.01, **hazards))  # type: ignore[arg-type]

    async with connected(board) as client:
        yield board, client


async def test_overlapping_allocations_are_a_race() -> None:
    async with careless(race_window=QUICK) as (board, client):
        await asyncio.gather(client.allocate(64), client.allocate(64))
        assert board.counters.races == 1
        assert board.counters.race_log == ["buffers: allocate against allocate"]


async def test_careless_bursts_are_races_without_any_switch(board: SimBoard, client: RawClient) -> None:
    for _ in range(5):
        ids = await asyncio.gather(*(client.allocate(64) for _ in range(4)))
        await asyncio.gather(*map(client.free, ids))

    assert board.counters.races > 5
    assert board.counters.crashes == []


async def test_searching_together_is_no_race_but_searching_while_it_changes_is() -> None:
    async with careless(race_window=QUICK) as (board, client):
        buffer_id = await client.allocate(64)
        await asyncio.gather(client.fetch(buffer_id), client.fetch(buffer_id))
        assert board.counters.races == 0
        await asyncio.gather(client.fetch(buffer_id), client.allocate(64))
        assert board.counters.races == 1


async def test_one_call_after_the_other_is_never_a_race() -> None:
    async with careless(race_window=0.001) as (board, client):
        for _ in range(5):
            buffer_id = await client.allocate(64)
            await client.fill(buffer_id, bytes(64))
            await client.free(buffer_id)
            await client.load(await client.map())

        assert board.counters.races == 0


async def test_buffers_and_windows_are_two_tables() -> None:
    async with careless(race_window=QUICK) as (board, client):
        await asyncio.gather(client.allocate(64), client.map())
        assert board.counters.races == 0


async def test_a_race_kills_the_server_where_it_may() -> None:
    async with careless(race_window=QUICK, crash_on_race=True) as (board, client):
        results = await asyncio.gather(client.map(), client.map(), return_exceptions=True)
        await client.until_served()
        assert any(isinstance(result, grpc.aio.AioRpcError) for result in results)
        assert board.counters.crashes == ["windows: get_mmio against get_mmio"]


@pytest.mark.parametrize(("allowed", "ids"), [(True, {"0"}), (False, {"0", "1"})])
async def test_overlapping_maps_get_one_id(allowed: bool, ids: set[str]) -> None:
    async with careless(race_window=QUICK, duplicate_window_ids=allowed) as (board, client):
        assert set(await asyncio.gather(client.map(), client.map(0x5000_0000))) == ids
        assert board.counters.duplicate_window_ids == 2 - len(ids)


async def test_writes_in_flight_together_are_reordered() -> None:
    async with careless(reorder=True) as (board, client):
        window = await client.map()
        last = []

        for _ in range(10):
            await asyncio.gather(*(client.store(window, 0, value) for value in range(8)))
            last.append(board.memory.load(0x4000_0000))

        assert set(last) != {7}


async def test_a_buffer_freed_under_a_stream_is_seen() -> None:
    async with careless() as (board, client):
        buffer_id = await client.allocate(4)
        upload = client.upload(methods.BUFFER_WRITE)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"ab"))
        await eventually(lambda: board.counters.bytes_in > 0)
        await client.free(buffer_id)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"cd"))
        await upload.done_writing()
        await upload
        assert board.counters.use_after_free == board.counters.freed_in_use == 1
        assert board.memory.read(board.area.base, 4) == bytes(4)


async def test_a_buffer_freed_under_a_read_kills_the_server_where_it_may() -> None:
    async with careless(crash_on_use_after_free=True) as (board, client):
        buffer_id = await client.allocate(64 << 20)
        download = client.open(methods.BUFFER_READ, m.BufferReadRequest(buffer_id=buffer_id))
        await download.read()

        with contextlib.suppress(grpc.aio.AioRpcError):  # the server may be gone before it answers
            await client.free(buffer_id)

        with pytest.raises(grpc.aio.AioRpcError):
            while await download.read():
                pass

        await client.until_served()
        assert board.counters.use_after_free == 1
        assert board.counters.starts == 2


async def test_an_access_outside_its_window_hits_the_neighbour(board: SimBoard, client: RawClient) -> None:
    window = await client.map()
    board.memory.store(0x4000_1000, 77)
    assert await client.load(window, 4096) == 77
    await client.store(window, 4100, 5)
    assert board.memory.load(0x4000_1004) == 5
    assert board.counters.out_of_range == 2


async def test_an_offset_wraps_in_the_servers_integer(board: SimBoard, client: RawClient) -> None:
    board.memory.store(0x4000_0000, 9)
    assert await client.load(await client.map(), 1 << 34) == 9


async def test_an_access_far_outside_is_nothing_or_death() -> None:
    async with careless() as (board, client):
        assert await client.load(await client.map(), 64 << 20) == 0
        assert board.counters.crashes == []

    async with careless(crash_out_of_range=True) as (board, client):
        window = await client.map()
        assert (await refused(client.store(window, 64 << 20, 1)))[0] is grpc.StatusCode.UNAVAILABLE
        assert "segmentation fault" in board.counters.crashes[0]


async def test_a_dead_window_swallows_everything_and_has_no_line_in_the_maps(
    board: SimBoard, client: RawClient
) -> None:
    for window in (await client.map(length=0), await client.map(1 << 63)):
        await client.store(window, 0, 5)
        assert await client.load(window, 0) == 0

    assert board.counters.dead_windows == 2
    assert b"/dev/mem" not in await client.read_file("/proc/self/maps")


async def test_each_live_window_has_a_line_in_the_maps(client: RawClient) -> None:
    for base, length in ((0x4000_0000, 4096), (0x4000_0000, 4096), (0x43C0_0800, 0x1_0000)):
        await client.map(base, length)

    lines = [line for line in (await client.read_file("/proc/self/maps")).decode().splitlines() if "/dev/mem" in line]
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    assert sorted(line.split()[2] for line in lines) == ["40000000", "40000000", "43c00000"]
    assert sorted(end - start for start, end in ranges) == [4096, 4096, 0x1_1000]
    assert all(line.split()[1] == "rw-s" for line in lines)
    assert ranges == sorted(ranges)


async def test_windows_use_up_the_descriptors() -> None:
    async with careless(descriptor_limit=13) as (board, client):
        ids = [await client.map() for _ in range(4)]
        await client.store(ids[2], 0, 5)
        assert [await client.load(window) for window in ids] == [5, 5, 5, 0]
        assert board.counters.dead_windows == 1
        assert await refused(client.read_file("/proc/version")) == (grpc.StatusCode.NOT_FOUND, "File not found")
        assert (await refused(client.write_file("/tmp/x", b"")))[0] is grpc.StatusCode.INTERNAL


async def test_without_descriptors_new_connections_hang_where_they_may() -> None:
    async with careless(descriptor_limit=11, hang_when_exhausted=True) as (_, client):
        window = await client.map()
        late = RawClient(client.address)
        code, _ = await refused(late.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window), timeout=0.1))
        await late.channel.close()
        assert code is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await client.load(window) == 0


async def test_odd_and_unaligned_accesses_are_counted(board: SimBoard, client: RawClient) -> None:
    window = await client.map()
    await client.store(window, 0, b"\x01")
    await client.load(window, 2)
    assert board.memory.read(0x4000_0000, 1) == b"\x01"
    assert board.memory.read(0x4000_0001, 3) != bytes(3)
    assert (board.counters.odd_writes, board.counters.unaligned) == (1, 1)


async def test_touching_an_empty_fabric_is_counted_and_hangs_the_board_where_it_may() -> None:
    async with careless() as (board, client):
        await client.load(await client.map(0x4000_0000))
        await client.load(await client.map(0xF800_0000))
        assert board.counters.unprogrammed == 1

    async with careless(hang_unprogrammed=True) as (board, client):
        window = await client.map(0x4000_0000)
        for call in (methods.MMIO_READ, methods.MMIO_READ):
            code, _ = await refused(client.call(call, m.ReadRequest(mmio_id=window), timeout=0.1))
            assert code is grpc.StatusCode.DEADLINE_EXCEEDED

        await board.reboot()
        await client.until_served()


async def test_too_many_streams_kill_the_server_where_they_may() -> None:
    async with careless(stream_limit=2) as (board, client):
        calls = [client.open(methods.READ_FILE, m.ReadFileRequest(file_path="/dev/zero")) for _ in range(3)]
        await eventually(lambda: bool(board.counters.crashes))
        assert board.counters.streams_peak == 3

        for call in calls:
            call.cancel()


async def test_a_cancelled_read_of_an_endless_file_runs_away(board: SimBoard, client: RawClient) -> None:
    call = client.open(methods.READ_FILE, m.ReadFileRequest(file_path="/dev/zero"))
    assert (await call.read()).data == bytes(1024)
    call.cancel()
    await eventually(lambda: board.counters.streams_now == 0)
    assert board.counters.runaway_reads == 1


async def test_a_cancelled_allocation_leaves_its_buffer_behind() -> None:
    async with careless(race_window=QUICK) as (board, client):
        late = asyncio.ensure_future(client.allocate(64))
        await eventually(lambda: board.counters.unary_now == 1)
        late.cancel()
        await asyncio.wait([late])
        assert late.cancelled()
        await eventually(lambda: board.counters.live_buffers == 1)


async def test_peaks_are_counted() -> None:
    async with careless(race_window=QUICK) as (board, client):
        window = await client.map()
        await asyncio.gather(*(client.load(window) for _ in range(3)))
        assert board.counters.unary_peak == 3
        assert board.counters.unary_now == 0
        assert board.counters.calls["mmio.read"] == 3
