"""Programming the fabric: the FPGA manager's files, and the `download` call that must not be trusted."""

import asyncio
import hashlib

import grpc
import pytest

from pynq_async.sim import FileSystem, Hazards, SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, eventually

MANAGER = "/sys/class/fpga_manager/fpga0"
BITSTREAM = b"\xff" * 32 + bytes.fromhex("665599aa") + bytes(64)


async def program(client: RawClient, name: str, data: bytes | None = BITSTREAM, flags: bytes = b"0") -> bytes:
    if data is not None:
        await client.write_file(f"/lib/firmware/{name}", data)

    await client.write_file(f"{MANAGER}/flags", flags)
    await client.write_file(f"{MANAGER}/firmware", name.encode())
    return await client.read_file(f"{MANAGER}/state")


async def test_writing_a_firmwares_name_programs_it(board: SimBoard, client: RawClient) -> None:
    assert await program(client, "one.bin\n"[:-1]) == b"operating\n"
    (event,) = board.counters.programmed
    assert (event.name, event.length, event.partial, event.ok) == ("one.bin", 100, False, True)
    assert event.digest == hashlib.sha256(BITSTREAM).hexdigest()
    assert board.fpga.loaded is not None
    assert board.fpga.loaded.name == "one.bin"


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (None, b"firmware request error\n"),
        (b"", b"firmware request error\n"),
        (BITSTREAM[:-1], b"write init error\n"),
        (bytes(64), b"write init error\n"),
        (b"\xff" * 32 + bytes.fromhex("aa995566"), b"operating\n"),
    ],
)
async def test_what_cannot_be_programmed_is_ok_to_the_writer_and_shows_in_the_state(
    client: RawClient, data: bytes | None, state: bytes
) -> None:
    assert await program(client, "f.bin", data) == state


async def test_a_versal_takes_a_device_image() -> None:
    async with connected(SimBoard(family="versal")) as client:
        assert await program(client, "image.pdi", bytes(range(64))) == b"operating\n"


async def test_flags_read_as_hexadecimal_and_mark_a_partial_design(board: SimBoard, client: RawClient) -> None:
    await program(client, "full.bin")
    await program(client, "part.bin", flags=b"1\n")
    assert await client.read_file(f"{MANAGER}/flags") == b"1\n"
    await client.write_file(f"{MANAGER}/flags", b"1f")
    await client.write_file(f"{MANAGER}/flags", b"nonsense")
    assert await client.read_file(f"{MANAGER}/flags") == b"1f\n"
    assert [loaded.name for loaded in board.fpga.partials] == ["part.bin"]
    assert board.fpga.loaded is not None
    assert board.fpga.loaded.name == "full.bin"


async def test_a_full_design_resets_the_logic_and_not_the_processing_system(board: SimBoard, client: RawClient) -> None:
    for address in (0x4000_0000, 0xF800_0000):
        board.memory.store(address, 1)

    await program(client, "part.bin", flags=b"1")
    assert board.memory.load(0x4000_0000) == 1
    await program(client, "full.bin")
    assert (board.memory.load(0x4000_0000), board.memory.load(0xF800_0000)) == (0, 1)


async def test_the_writer_waits_while_programming_and_a_second_one_is_lost(board: SimBoard, client: RawClient) -> None:
    board.faults.program_seconds = 0.05
    await client.write_file("/lib/firmware/a.bin", BITSTREAM)
    first = asyncio.ensure_future(client.write_file(f"{MANAGER}/firmware", b"a.bin"))
    await eventually(lambda: board.fpga.state == "write")
    assert not board.fpga.programmed
    await client.write_file(f"{MANAGER}/firmware", b"b.bin")
    assert not first.done()
    await first
    assert [event.name for event in board.counters.programmed] == ["a.bin"]


async def test_a_state_on_request_and_flags_on_request(board: SimBoard, client: RawClient) -> None:
    board.faults.program_state = "write error"
    board.faults.flags = 0x20
    assert await program(client, "f.bin") == b"write error\n"
    assert await client.read_file(f"{MANAGER}/flags") == b"20\n"
    assert not board.counters.programmed[0].ok
    assert board.fpga.loaded is None


async def test_a_state_that_is_always_operating() -> None:
    async with connected(SimBoard(hazards=Hazards(always_operating=True))) as client:
        assert await program(client, "missing.bin", None) == b"operating\n"


async def test_a_long_name_is_counted_and_takes_the_board_down_where_it_may() -> None:
    async with connected(board := SimBoard()) as client:
        await client.write_file(f"{MANAGER}/firmware", b"x" * 255)
        assert board.counters.long_names == 1

    async with connected(board := SimBoard(hazards=Hazards(crash_on_long_name=True))) as client:
        boot_id = board.boot_id

        with pytest.raises(grpc.aio.AioRpcError):
            await client.write_file(f"{MANAGER}/firmware", b"x" * 255)

        await eventually(lambda: board.boot_id != boot_id)


async def test_plain_files_read_back_what_was_written() -> None:
    async with connected(SimBoard(plain_sysfs=True)) as client:
        await client.write_file(f"{MANAGER}/flags", b"1")
        assert await client.read_file(f"{MANAGER}/flags") == b"1"


async def test_download_programs_the_global_name_and_ignores_partial(board: SimBoard, client: RawClient) -> None:
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="d.bin", partial=True))
    await client.write_file(f"{MANAGER}/flags", b"1")
    reply = await client.call(
        methods.DOWNLOAD, m.DownloadRequest(buffer=BITSTREAM[:50]), m.DownloadRequest(buffer=BITSTREAM[50:])
    )
    assert reply.status is False
    assert [(event.name, event.length, event.partial) for event in board.counters.programmed] == [("d.bin", 100, False)]
    assert await client.read_file(f"{MANAGER}/flags") == b"0\n"


async def test_a_cancelled_download_programs_what_arrived(board: SimBoard, client: RawClient) -> None:
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="cut.bin"))
    call = client.upload(methods.DOWNLOAD)
    await call.write(m.DownloadRequest(buffer=BITSTREAM[:40]))
    await eventually(lambda: board.counters.bytes_in > 0)
    call.cancel()
    await eventually(lambda: bool(board.counters.programmed))
    assert board.counters.programmed[0].length == 40


async def test_attributes_swapped_during_a_download_program_the_other_file(board: SimBoard, client: RawClient) -> None:
    await client.write_file("/lib/firmware/other.bin", BITSTREAM + BITSTREAM)
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="mine.bin"))
    call = client.upload(methods.DOWNLOAD)
    await call.write(m.DownloadRequest(buffer=BITSTREAM))
    await eventually(lambda: board.files.exists("/lib/firmware/mine.bin"))
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="other.bin"))
    await call.done_writing()
    await call
    assert [event.name for event in board.counters.programmed] == ["other.bin"]


async def test_a_download_cut_by_the_death_of_the_server_programs_nothing(board: SimBoard, client: RawClient) -> None:
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="cut.bin"))
    call = client.upload(methods.DOWNLOAD)
    await call.write(m.DownloadRequest(buffer=BITSTREAM))
    await eventually(lambda: board.counters.bytes_in > 0)
    await board.restart()
    assert board.counters.programmed == []


@pytest.mark.parametrize("name", ["", "no/such/folder.bin"])
async def test_a_download_that_cannot_be_stored_is_ok_and_touches_nothing(
    board: SimBoard, client: RawClient, name: str
) -> None:
    await client.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name=name))
    await client.call(methods.DOWNLOAD, m.DownloadRequest(buffer=BITSTREAM))
    assert board.counters.programmed == []


def test_the_board_shows_its_files() -> None:
    files: FileSystem = SimBoard(family="zynqmp").files
    assert files.paths(MANAGER) == [f"{MANAGER}/{name}" for name in ("firmware", "flags", "name", "state")]
    assert files.read_bytes(f"{MANAGER}/name") == b"Xilinx ZynqMP FPGA Manager\n"
