"""The simulated file system: volumes, devices, `/proc`, faults on files."""

import pytest

from pynq_async.sim import SimBoard
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from .conftest import RawClient, connected, eventually


async def test_a_full_ram_disk_drops_the_rest_and_the_call_is_ok() -> None:
    board = SimBoard(firmware_bytes=3 * 4096)

    async with connected(board) as client:
        await client.write_file("/lib/firmware/small", b"s")
        await client.write_file("/lib/firmware/large", b"l" * 20_000)
        assert await client.read_file("/lib/firmware/large") == b"l" * 8192
        await client.write_file("/lib/firmware/none", b"n")
        assert await client.read_file("/lib/firmware/none") == b""
        assert board.counters.dropped_stores == 2
        await client.write_file("/lib/firmware/large", b"")
        await client.write_file("/lib/firmware/none", b"n")
        assert await client.read_file("/lib/firmware/none") == b"n"


async def test_other_folders_have_no_limit() -> None:
    async with connected(board := SimBoard(firmware_bytes=4096)) as client:
        await client.write_file("/tmp/large", bytes(100_000))
        assert len(board.files.read_bytes("/tmp/large")) == 100_000


async def test_a_cut_upload_leaves_what_arrived(board: SimBoard, client: RawClient) -> None:
    board.files.write_bytes("/tmp/f", b"old content")
    call = client.upload(methods.WRITE_FILE)
    await call.write(m.WriteFileRequest(file_path="/tmp/f", data=b"new"))
    await eventually(lambda: board.counters.bytes_in > 0)
    call.cancel()
    await eventually(lambda: board.counters.streams_now == 0)
    assert board.files.read_bytes("/tmp/f") == b"new"


async def test_device_files_take_everything(client: RawClient) -> None:
    for path in ("/dev/full", "/dev/null", "/dev/zero"):
        await client.write_file(path, b"x")

    assert await client.read_file("/dev/null") == b""


async def test_the_magic_name_gives_the_device(client: RawClient) -> None:
    assert await client.read_file("xrt_device") == b"edge"


async def test_paths_are_resolved_as_linux_does(board: SimBoard, client: RawClient) -> None:
    board.files.write_bytes("/etc/deep/f", b"x")
    assert await client.read_file("/tmp/../etc//./deep/f") == b"x"
    assert await client.read_file("etc/deep/f\0ignored") == b"x"


@pytest.mark.parametrize(
    ("family", "arch", "compatible"),
    [
        ("zynq7000", b"arm-", b"xlnx,zynq-7000\0"),
        ("zynqmp", b"aarch64", b"xlnx,zynqmp\0"),
        ("versal", b"aarch64", b"xlnx,versal\0"),
    ],
)
async def test_the_family_shows_in_proc(family: str, arch: bytes, compatible: bytes) -> None:
    async with connected(SimBoard(family=family, model="Some Board")) as client:
        assert arch in await client.read_file("/proc/version")
        assert await client.read_file("/proc/device-tree/compatible") == compatible
        assert await client.read_file("/proc/device-tree/chosen/pynq_board") == b"Some Board\0"
        versal = m.ExistsFileRequest(file_path="/proc/device-tree/firmware/versal-firmware/compatible")
        assert (await client.call(methods.EXISTS_FILE, versal)).exists is (family == "versal")


def test_a_board_without_a_name_has_no_file_for_it() -> None:
    assert not SimBoard(model=None).files.exists("/proc/device-tree/chosen/pynq_board")


async def test_stat_has_the_start_time_as_field_22(board: SimBoard, client: RawClient) -> None:
    line = (await client.read_file("/proc/self/stat")).decode()
    fields = line.rpartition(")")[2].split()
    assert len(fields) == 50
    assert int(fields[22 - 3]) == board.process.start_ticks
    assert int(line.split()[0]) == board.process.pid


async def test_a_file_may_be_cut_or_damaged_while_the_call_reports_success(board: SimBoard, client: RawClient) -> None:
    board.faults.cut_file("/lib/firmware", 10)
    board.faults.flip_bit("/lib/firmware")
    await client.write_file("/tmp/other", b"0123456789abcdef")
    await client.write_file("/lib/firmware/cut", b"0123456789abcdef")
    await client.write_file("/lib/firmware/whole", b"0123456789abcdef")
    cut = await client.read_file("/lib/firmware/cut")
    damage = sum((a ^ b).bit_count() for a, b in zip(cut, b"0123456789", strict=True))

    assert damage == 1
    assert await client.read_file("/lib/firmware/whole") == b"0123456789abcdef"
    assert await client.read_file("/tmp/other") == b"0123456789abcdef"


def test_tests_may_read_write_and_remove_files() -> None:
    files = SimBoard().files
    files.write_bytes("/home/new/folder/f", b"x")
    assert files.exists("/home/new/folder")
    assert files.read_bytes("/home/new/folder/f") == b"x"
    files.remove("/home/new/folder/f")
    assert not files.exists("/home/new/folder/f")

    for missing in (files.read_bytes, files.remove):
        with pytest.raises(FileNotFoundError):
            missing("/home/new/folder/f")

    with pytest.raises(IsADirectoryError):
        files.write_bytes("/tmp", b"x")
