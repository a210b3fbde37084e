"""Ids that are used again, servers that are replaced (H6, H7)."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import grpc
import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import BoardRebooted, ConnectionLost, ProtocolViolation, StaleHandle
from pynq_async.sim import Link, SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import PL, PS, QUICK, assert_works, careless, danger, endangered, neighbour, reached


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
