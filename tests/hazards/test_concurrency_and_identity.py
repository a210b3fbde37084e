"""Unlocked tables, ids that are used again, servers that are replaced (H1 to H9)."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any

import grpc
import pytest

from pynq_async import Limits, RemoteDevice
from pynq_async.errors import (
    BoardRebooted,
    BufferFreed,
    ConnectionLost,
    OutcomeUnknown,
    ProtocolViolation,
    StaleHandle,
)
from pynq_async.sim import Hazards, Link, SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually
from .conftest import PL, PS, QUICK, assert_works, careless, danger, endangered, neighbour, reached, served


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
    timeouts = replace(QUICK, grace=0.15)

    async with endangered(danger(race_window=0.05), timeouts=timeouts) as (sim, second):
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


async def test_h03_a_second_free_takes_the_next_owners_buffer_without_defence() -> None:
    async with careless() as (sim, raw):
        mine = await raw.allocate(64)
        await raw.free(mine)
        theirs = await raw.allocate(64)
        await raw.free(mine)
        assert mine == theirs
        assert sim.counters.live_buffers == 0


async def test_h03_a_freed_buffer_never_touches_the_one_that_got_its_id() -> None:
    async with endangered() as (sim, board):
        first = await board.allocate(64, "u1")
        await first.free()

        async with board.allocate(64, "u1") as second:
            assert first._memory is not None
            assert second._memory is not None
            assert first._memory.id == second._memory.id
            await first.free()

            for use in (first.sync_to_device, first.sync_from_device):
                with pytest.raises(BufferFreed):
                    await use()

            second[:] = 9
            await second.sync_to_device()
            assert sim.counters.live_buffers == 1


@pytest.mark.parametrize("executed", [True, False])
async def test_h03_freeing_is_never_repeated(executed: bool) -> None:
    async with endangered() as (sim, board):
        buffer = await board.allocate(64, "u1")
        sim.faults.drop("buffer.freebuffer", after=executed)

        with pytest.raises(OutcomeUnknown):
            await buffer.free()

        async with neighbour(sim.address) as other:
            await other.until_served()
            theirs = await other.allocate(64)
            await buffer.free()
            await assert_works(sim, board)
            assert sim.counters.calls["buffer.freebuffer"] == 2
            await other.free(theirs)

        if not executed:  # the memory is lost until the server restarts, which is better than taking another's
            assert sim.counters.live_buffers == 1
            await sim.restart()


async def test_h04_freeing_under_a_stream_kills_the_server_without_defence() -> None:
    async with careless(danger()) as (sim, raw):
        buffer_id = await raw.allocate(1 << 16)
        upload = raw.upload(methods.BUFFER_WRITE)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"a"))
        await eventually(lambda: sim.counters.bytes_in > 0)
        await raw.free(buffer_id)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"b"))
        await eventually(lambda: bool(sim.counters.crashes))
        upload.cancel()
        await raw.until_served()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h04_freeing_waits_for_the_streams_of_the_buffer(direction: str) -> None:
    async with endangered() as (sim, board):
        sim.faults.bandwidth = 40e6
        buffer = await board.allocate(4 << 20, "u1")

        async with asyncio.TaskGroup() as group:
            stream = group.create_task(_until_freed(getattr(buffer, direction)))
            await eventually(lambda: sim.counters.streams_now == 1)
            await buffer.free()
            assert sim.counters.streams_now == 0

        assert stream.done()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h04_freeing_after_a_cancelled_stream_is_safe(direction: str) -> None:
    async with endangered() as (sim, board):
        for moment in (0.0, 0.002, 0.005, 0.01, 0.02):
            sim.faults.bandwidth = 100e6
            buffer = await board.allocate(4 << 20, "u1")
            stream = asyncio.create_task(getattr(buffer, direction)())
            await asyncio.sleep(moment)
            stream.cancel()
            await asyncio.wait({stream})
            await buffer.free()
            assert sim.counters.live_buffers == 0

        sim.faults.clear()
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

        for burst in range(20):
            await asyncio.gather(*(registers.write(0, 100 * burst + value) for value in range(16)))
            assert await registers.read(0) == 100 * burst + 15

        assert seen == sorted(seen)
        assert len(seen) == 320


async def test_h05_a_read_waits_for_the_writes_before_it_and_aliased_windows_share_their_order() -> None:
    async with endangered() as (_, board):
        one, other = board.mmio(PS, 4096), board.mmio(PS, 64)

        for value in range(1, 20):
            results = await asyncio.gather(one.write(4, value), other.write(4, value + 100), one.read(4))
            assert results[2] == value + 100


async def test_h06_old_ids_mean_something_else_after_a_restart_without_defence() -> None:
    async with careless() as (sim, raw):
        window, buffer_id = await raw.map(PL), await raw.allocate(64)
        await sim.restart()
        await raw.until_served()
        assert (await raw.map(PL + 4096), await raw.allocate(64)) == (window, buffer_id)
        await raw.store(window, 0, 7)
        assert (sim.memory.load(PL), sim.memory.load(PL + 4096)) == (0, 7)


async def test_h06_after_a_restart_windows_are_mapped_again_and_buffers_are_stale() -> None:
    async with endangered() as (sim, board):
        for _ in range(5):
            registers = board.mmio(PS, 4096)
            await registers.write(0, 1)
            buffer = await board.allocate(64, "u1")
            buffer[:] = 0xEE
            await buffer.sync_to_device()
            await sim.restart()

            async with _aliases(sim) as (their_window, their_buffer):
                await registers.write(0, 2)
                assert await registers.read(0) == sim.memory.load(PS) == 2

                for use in (buffer.sync_to_device, buffer.sync_from_device):
                    with pytest.raises(StaleHandle, match="restarted"):
                        await use()

                await buffer.free()
                assert sim.counters.live_buffers == 1
                assert sim.memory.load(their_window) == 0x1111
                assert sim.memory.read(their_buffer, 64) == b"\x22" * 64

        await assert_works(sim, board)


async def test_h06_after_a_reboot_windows_are_refused_too() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PL, 4096)
        await registers.write(0, 1)
        buffer = await board.allocate(64, "u1")
        await sim.reboot()

        async with _aliases(sim) as (their_window, their_buffer):
            before = sim.counters.unprogrammed

            for use in (registers.read(0), registers.write(0, 2), buffer.sync_to_device(), buffer.sync_from_device()):
                with pytest.raises(BoardRebooted, match="reboot"):
                    await use

            await buffer.free()
            assert sim.counters.unprogrammed == before
            assert sim.memory.load(their_window) == 0x1111
            assert sim.memory.read(their_buffer, 64) == b"\x22" * 64

        await board.mmio(PL, 4096).write(0, 3)
        assert sim.memory.load(PL) == 3
        await assert_works(sim, board)


@pytest.mark.parametrize("how", ["restart", "reboot"])
@pytest.mark.parametrize("first", ["exists_file", "read_file", "write_file", "loaded"])
async def test_h06_a_call_without_a_handle_that_reconnects_does_not_hide_it(how: str, first: str) -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS, 4096)
        await registers.write(0, 1)
        buffer = await board.allocate(64, "u1")
        buffer[:] = 0xEE
        await buffer.sync_to_device()
        await getattr(sim, how)()

        async with _aliases(sim) as (their_window, their_buffer):
            with suppress(ConnectionLost):
                match first:
                    case "exists_file":
                        await board.exists_file("/tmp")
                    case "read_file":
                        await board.read_file("/proc/version")
                    case "write_file":
                        await board.write_file("/tmp/file", b"x")
                    case _:
                        await board.loaded()

            with pytest.raises(StaleHandle):
                await buffer.sync_to_device()

            with suppress(BoardRebooted):
                await registers.write(0, 2)
                assert how == "restart"

            await buffer.free()
            assert sim.memory.load(PS) == (2 if how == "restart" else 0)
            assert sim.counters.live_buffers == 1
            assert sim.memory.load(their_window) == 0x1111
            assert sim.memory.read(their_buffer, 64) == b"\x22" * 64


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.003, 0.006, 0.01])
async def test_h06_a_restart_in_the_middle_of_writes_misdirects_none(moment: float) -> None:
    async with endangered() as (sim, board):
        pages = [board.mmio(PS + 4096 * page, 4096) for page in range(4)]
        outcomes: list[str] = []

        async def write(number: int) -> None:
            for step in range(6):
                try:
                    await pages[number % 4].write(4 * number, 1000 * number + step)
                except ConnectionLost:
                    outcomes.append("lost")
                else:
                    outcomes.append("done")

        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(write(number))

            await asyncio.sleep(moment)
            await sim.restart()

        assert len(outcomes) == 72
        stored = {sim.memory.load(PS + 4096 * page + 4 * slot) for page in range(4) for slot in range(12)}
        assert stored <= {0, *(1000 * number + step for number in range(12) for step in range(6))}

        for number in range(12):
            misplaced = [
                page for page in range(4) if page != number % 4 and sim.memory.load(PS + 4096 * page + 4 * number)
            ]
            assert not misplaced

        await assert_works(sim, board)


async def test_h06_a_server_replaced_while_the_loop_was_blocked_is_noticed() -> None:
    with _board_process() as (address, start_again):
        async with RemoteDevice(address, timeouts=QUICK) as board:
            registers = board.mmio(PS, 4096)
            await registers.write(0, 1)
            buffer = await board.allocate(64, "u1")
            buffer[:] = 0xEE

            # From here to the next await the loop stands still.
            start_again()
            time.sleep(0.1)  # noqa: ASYNC251

            with grpc.insecure_channel(address) as channel:
                theirs = _sync_call(channel, methods.GET_MMIO, m.GetMmioRequest(base_addr=PS + 4096, length=4096))
                memory = _sync_call(channel, methods.ALLOCATE, m.AllocateRequest(size=64))
                assert theirs.mmio_id == "0"

                for use in (registers.write(0, 2), buffer.sync_to_device()):
                    with pytest.raises(StaleHandle):
                        await use

                word = _sync_call(channel, methods.MMIO_READ, m.ReadRequest(mmio_id="0", length=4))
                read: Any = channel.unary_stream(methods.BUFFER_READ.path)
                request = m.BufferReadRequest(buffer_id=memory.buffer_id).SerializeToString()
                content = [m.BufferReadResponse.FromString(part).data for part in read(request)]
                assert word.data == 0
                assert content == [bytes(64)]
                _sync_call(channel, methods.FREE_BUFFER, m.FreeBufferRequest(buffer_id=memory.buffer_id))

            await buffer.free()
            await board.mmio(PS, 4096).write(0, 3)
            assert await board.mmio(PS, 4096).read(0) == 3


async def test_h07_two_servers_on_one_port_split_the_connections_without_defence() -> None:
    first, second = SimBoard(), SimBoard()

    async with serve(first) as address, serve(second, port=int(address.rpartition(":")[2])):
        for _ in range(40):
            async with neighbour(address) as raw:
                await raw.map()

        assert first.counters.windows
        assert second.counters.windows


async def test_h07_with_two_servers_on_one_port_no_handle_crosses_over() -> None:
    first, second = SimBoard(hazards=danger()), SimBoard(hazards=danger())
    met = {"the same": 0, "the other": 0}

    async with serve(first) as address, serve(second, port=int(address.rpartition(":")[2])):
        link = Link(address)

        async with link as link_address, RemoteDevice(link_address, timeouts=QUICK) as board:
            for _ in range(60):
                buffer = await board.allocate(64, "u1")
                buffer[:] = 7
                link.cut()
                await reached(board)

                try:
                    await buffer.sync_to_device()
                    met["the same"] += 1
                except BoardRebooted:
                    met["the other"] += 1

                await buffer.free()

                if all(met.values()):
                    break

    assert all(met.values()), met

    for sim in (first, second):
        assert sim.counters.unknown_ids == sim.counters.races == 0
        assert not sim.counters.crashes


async def test_h07_a_handle_that_the_server_does_not_know_is_checked_and_reported() -> None:
    async with endangered() as (sim, board):
        registers = board.mmio(PS)
        await registers.write(0, 1)
        buffer = await board.allocate(64, "u1")
        sim.faults.fail("mmio.write", grpc.StatusCode.NOT_FOUND, "MMIO Object not found.")
        sim.faults.fail("buffer.flush", grpc.StatusCode.NOT_FOUND, "Buffer not found.")
        identified = sim.counters.calls["remote_device.readfile"]

        for use in (registers.write(0, 2), buffer.sync_to_device()):
            with pytest.raises(ProtocolViolation, match="another client"):
                await use

        await buffer.free()
        assert sim.memory.load(PS) == 1
        assert sim.counters.calls["remote_device.readfile"] >= identified
        await assert_works(sim, board)


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
        sim.faults.delay("remote_device.writefile", 0.5)

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(board.write_file(f"/tmp/{number}", b"x"))

            await eventually(lambda: sim.counters.streams_now == 2)
            began = time.monotonic()

            async with RemoteDevice(sim.address, timeouts=QUICK) as second:
                assert await second.read_file("/proc/version")

            assert time.monotonic() - began < 0.4
            assert sim.counters.calls["remote_device.writefile"] == 2


async def test_h09_the_server_keeps_the_streams_of_a_client_that_vanished_without_defence() -> None:
    async with careless() as (sim, raw), Link(sim.address) as link_address, neighbour(link_address) as vanishing:
        buffer_id = await raw.allocate(64)
        upload = vanishing.upload(methods.BUFFER_WRITE)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"a"))
        await eventually(lambda: sim.counters.bytes_in > 0)
        assert sim.counters.streams_now == 1
        await raw.free(buffer_id)
        await upload.write(m.BufferWriteRequest(buffer_id=buffer_id, data=b"b"))
        await eventually(lambda: sim.counters.use_after_free == 1)
        upload.cancel()


@pytest.mark.parametrize("direction", ["sync_to_device", "sync_from_device"])
async def test_h09_a_buffer_is_left_alone_for_a_while_after_its_stream_was_lost(direction: str) -> None:
    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address, RemoteDevice(link_address, timeouts=QUICK) as board:
            buffer = await board.allocate(8 << 20, "u1")
            buffer[:] = 1
            sim.faults.bandwidth = 50e6
            stream = asyncio.create_task(getattr(buffer, direction)())
            await eventually(lambda: sim.counters.bytes_in + sim.counters.bytes_out > 1 << 20)
            link.cut()
            link.refuse = True  # reading again must not succeed
            await asyncio.sleep(0.01)
            stream.cancel()
            await asyncio.wait({stream})
            lost = time.monotonic()
            link.refuse = False
            await buffer.free()
            assert time.monotonic() - lost >= QUICK.grace * 0.9
            assert sim.counters.live_buffers == 0
            sim.faults.clear()
            await assert_works(sim, board)


@asynccontextmanager
async def _aliases(sim: SimBoard) -> AsyncIterator[tuple[int, int]]:
    """Another client takes the ids that the real client had before; gives the addresses of its register and memory."""
    async with neighbour(sim.address) as other:
        await other.until_served()
        window, buffer_id = await other.map(PS + 0x8000), await other.allocate(64)
        assert window == "0"
        await other.store(window, 0, 0x1111)
        await other.fill(buffer_id, b"\x22" * 64)
        where = await other.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=buffer_id))
        yield PS + 0x8000, where.address
        await other.free(buffer_id)


async def _until_freed(sync: Callable[[], Awaitable[None]]) -> None:
    with suppress(BufferFreed):  # between its two calls it may learn that the buffer is gone
        await sync()


async def _allocate_and_free(board: RemoteDevice) -> None:
    async with board.allocate(64, "u1"):
        pass


@contextmanager
def _board_process() -> Iterator[tuple[str, Any]]:
    """A simulated board in a process of its own, and a way to replace it without the loop turning."""
    living: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> str:
        command = [sys.executable, "-m", "pynq_async.sim", "--port", str(port)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        living.append(process)
        assert process.stdout is not None
        return str(json.loads(process.stdout.readline())["address"])

    def end() -> None:
        process = living.pop()
        process.kill()
        process.communicate()

    def start_again() -> None:
        end()
        start(int(address.rpartition(":")[2]))

    address = start(0)

    try:
        yield address, start_again
    finally:
        end()


def _sync_call(channel: grpc.Channel, method: methods.Method[Any, Any], request: Any) -> Any:
    return method.response.FromString(channel.unary_unary(method.path)(request.SerializeToString(), timeout=5))
