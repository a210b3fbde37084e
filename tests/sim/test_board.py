"""The life of a simulated board: files, registers, buffers, programming, restart."""

import asyncio

import grpc

from pynq_async.sim import SimBoard, serve
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, refused

BITSTREAM = bytes(32) + bytes.fromhex("665599aa") + bytes(64)


async def read_file(client: RawClient, path: str) -> bytes:
    parts = await client.stream(methods.READ_FILE, m.ReadFileRequest(file_path=path))
    return b"".join(part.data for part in parts)


async def write_file(client: RawClient, path: str, data: bytes) -> None:
    await client.call(methods.WRITE_FILE, m.WriteFileRequest(file_path=path, data=data))


async def test_a_register_is_written_and_read(board: SimBoard, client: RawClient) -> None:
    window = await client.call(methods.GET_MMIO, m.GetMmioRequest(base_addr=0x4000_0000, length=4096))
    await client.call(methods.MMIO_WRITE, m.WriteRequest(mmio_id=window.mmio_id, offset=4, data=b"\x01\x02\x03\x84"))
    reply = await client.call(methods.MMIO_READ, m.ReadRequest(mmio_id=window.mmio_id, offset=4, length=4))

    assert reply.data == 0x84030201
    assert board.memory.read(0x4000_0004, 4) == b"\x01\x02\x03\x84"
    assert board.counters.double_register_loads == 1


async def test_a_buffer_lies_in_physical_memory(board: SimBoard, client: RawClient) -> None:
    buffer_id = (await client.call(methods.ALLOCATE, m.AllocateRequest(size=8192))).buffer_id
    at = (await client.call(methods.PHYSICAL_ADDRESS, m.AddressRequest(buffer_id=buffer_id))).address
    await client.call(methods.BUFFER_WRITE, m.BufferWriteRequest(buffer_id=buffer_id, data=b"ab" * 4096))
    board.memory.write(at + 1, b"XYZ")
    parts = await client.stream(methods.BUFFER_READ, m.BufferReadRequest(buffer_id=buffer_id))

    assert at % 4096 == 0
    assert b"".join(part.data for part in parts) == b"aXYZ" + b"ab" * 4094
    assert board.memory.read(at, 6) == b"aXYZab"


async def test_writing_a_firmware_name_programs_the_fabric(board: SimBoard, client: RawClient) -> None:
    await write_file(client, "/lib/firmware/one.bin", BITSTREAM)
    await write_file(client, "/sys/class/fpga_manager/fpga0/flags", b"0")
    await write_file(client, "/sys/class/fpga_manager/fpga0/firmware", b"one.bin")

    assert await read_file(client, "/sys/class/fpga_manager/fpga0/state") == b"operating\n"
    assert await read_file(client, "/sys/class/fpga_manager/fpga0/flags") == b"0\n"
    assert [(event.name, event.length, event.ok) for event in board.counters.programmed] == [("one.bin", 100, True)]


async def test_a_restart_keeps_the_port_and_files_and_aliases_every_id(board: SimBoard, client: RawClient) -> None:
    before = await client.call(methods.ALLOCATE, m.AllocateRequest(size=64))
    await write_file(client, "/tmp/kept", b"x")
    stat = await read_file(client, "/proc/self/stat")
    boot_id = await read_file(client, "/proc/sys/kernel/random/boot_id")
    await board.restart()
    again = await asyncio.wait_for(_until_served(client), 5)

    assert again != stat
    assert await read_file(client, "/proc/sys/kernel/random/boot_id") == boot_id
    assert await read_file(client, "/tmp/kept") == b"x"
    assert (await client.call(methods.ALLOCATE, m.AllocateRequest(size=64))).buffer_id == before.buffer_id
    assert board.counters.live_buffers == 1


async def _until_served(client: RawClient) -> bytes:
    while True:
        try:
            return await read_file(client, "/proc/self/stat")
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)


async def test_serving_ends_without_a_trace_of_cut_calls() -> None:
    board = SimBoard()

    async with connected(board) as client:
        pending = client.open(methods.READ_FILE, m.ReadFileRequest(file_path="/dev/zero"))
        assert (await pending.read()).data == bytes(1024)
        await board.stop()
        code, _ = await refused(_drain(pending))
        await board.start()

    assert code is grpc.StatusCode.UNAVAILABLE
    assert board.counters.runaway_reads == 1
    assert board.counters.streams_now == 0


async def _drain(call: grpc.aio.UnaryStreamCall[m.ReadFileRequest, m.ReadFileResponse]) -> None:
    while await call.read():
        pass


async def test_the_port_comes_back_when_serving_ends() -> None:
    async with serve(SimBoard()) as address:
        port = int(address.rpartition(":")[2])

    async with serve(SimBoard(), port=port) as again:
        assert again == address


async def test_stat_has_the_start_time_as_field_22(board: SimBoard, client: RawClient) -> None:
    line = (await read_file(client, "/proc/self/stat")).decode()
    fields = line.rpartition(")")[2].split()

    assert int(fields[22 - 3]) == board.process.start_ticks
    assert int(line.split()[0]) == board.process.pid
