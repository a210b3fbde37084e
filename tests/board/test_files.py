import asyncio
import random
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from pynq_async import Limits, Progress, RemoteDevice
from pynq_async.errors import BoardExhausted, Misuse, ProtocolViolation, RemoteFileError, RemoteFileNotFound
from pynq_async.sim import SimBoard
from pynq_async.wire.framing import payload

from ..boards import simulated


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, (1 << 20) + 7, 2 << 20])
async def test_any_content_round_trips(board: RemoteDevice, size: int) -> None:
    data = random.Random(size).randbytes(size)
    await board.write_file("/tmp/file", data)
    assert await board.read_file("/tmp/file") == data


@pytest.mark.parametrize(
    "data", [bytearray(b"abcd"), memoryview(b"abcd"), np.frombuffer(b"abcd", "u1"), np.frombuffer(b"abcd", "<u4")]
)
async def test_anything_with_bytes_can_be_written(board: RemoteDevice, data: Any) -> None:
    await board.write_file("/tmp/file", data)
    assert await board.read_file("/tmp/file") == b"abcd"


@pytest.mark.parametrize("data", ["text", 5, None, np.zeros((4, 4))[:, ::2]])
async def test_what_has_no_bytes_in_one_piece_is_refused(board: RemoteDevice, data: Any) -> None:
    with pytest.raises(Misuse, match="needs bytes in one piece"):
        await board.write_file("/tmp/file", data)


async def test_files_and_folders_exist(board: RemoteDevice) -> None:
    assert await board.exists_file("/proc/version")
    assert await board.exists_file("/tmp")
    assert not await board.exists_file("/tmp/nothing")


async def test_a_missing_file_is_a_file_not_found_error(board: RemoteDevice) -> None:
    with pytest.raises(RemoteFileNotFound, match=f"^{board.name}: there is no /tmp/nothing on the board") as caught:
        await board.read_file("/tmp/nothing")

    assert isinstance(caught.value, FileNotFoundError)


async def test_a_file_that_exists_and_cannot_be_opened_means_no_descriptors(sim: SimBoard, board: RemoteDevice) -> None:
    sim.faults.fail("remote_device.readfile", grpc.StatusCode.NOT_FOUND, "File not found")

    with pytest.raises(BoardExhausted, match="no file descriptors left"):
        await board.read_file("/proc/version")


async def test_a_folder_that_is_missing_cannot_be_written_to(board: RemoteDevice) -> None:
    with pytest.raises(RemoteFileError, match="is there such a folder"):
        await board.write_file("/no/such/folder/file", b"x")


async def test_a_file_is_streamed_to_the_host(board: RemoteDevice, tmp_path: Path) -> None:
    data = random.Random(7).randbytes((2 << 20) + 5)
    await board.write_file("/tmp/file", data)
    steps: list[Progress] = []
    local = await board.fetch_file("/tmp/file", tmp_path / "copy", progress=steps.append)
    assert local.read_bytes() == data
    assert steps[-1].done == len(data)
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


async def test_a_stream_that_fails_leaves_no_local_file(sim: SimBoard, board: RemoteDevice, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"before")

    with pytest.raises(RemoteFileNotFound):
        await board.fetch_file("/tmp/nothing", tmp_path / "copy")

    assert (tmp_path / "copy").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


async def test_a_file_larger_than_the_cap_is_an_error() -> None:
    async with simulated(limits=Limits(file_bytes=1000)) as (_, board):
        await board.write_file("/tmp/file", bytes(5000))

        with pytest.raises(RemoteFileError, match="more than 1000 bytes; pass max_bytes"):
            await board.read_file("/tmp/file")

        assert len(await board.read_file("/tmp/file", max_bytes=5000)) == 5000


BAD_PATHS: list[Any] = [
    None,
    5,
    "/tmp/\ud800",
    "",
    "relative",
    "./tmp",
    "/tmp/../etc/shadow",
    "/tmp//file",
    "/tmp/",
    "//tmp",
    "/tmp/\0",
    "xrt_device",
    b"/tmp/file",
    "/" + "a" * 256,
    "/a" * 2100,
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: repr(path)[:20])
async def test_a_path_that_is_not_plain_is_refused_before_anything_is_sent(
    sim: SimBoard, board: RemoteDevice, path: Any
) -> None:
    calls = sum(sim.counters.calls.values())

    for attempt in (board.read_file(path), board.write_file(path, b""), board.exists_file(path)):
        with pytest.raises(Misuse):
            await attempt

    assert sum(sim.counters.calls.values()) == calls


@pytest.mark.parametrize("path", ["/dev/mem", "/dev/zero", "/proc/kmsg", "/proc/self/mem", "/sys/kernel/tracing/pipe"])
async def test_devices_and_endless_files_need_to_be_meant(board: RemoteDevice, path: str) -> None:
    with pytest.raises(Misuse, match="unsafe=True"):
        await board.read_file(path)


async def test_small_kernel_files_pass_behind_bulk_streams() -> None:
    async with simulated(limits=Limits(streams=1)) as (sim, board), board.allocate(4 << 20, "u1") as buffer:
        sim.faults.bandwidth = 8e6
        writing = asyncio.ensure_future(buffer.sync_to_device())
        await asyncio.sleep(0.05)
        assert await board.read_file("/proc/version")
        assert not writing.done()
        sim.faults.bandwidth = None
        await writing


async def test_bytes_that_are_no_message_are_named(sim: SimBoard, board: RemoteDevice) -> None:
    with pytest.raises(ProtocolViolation, match=f"^{board.name}"):
        payload(board.name, b"\xff" * 12, 1)


async def test_two_fetches_to_one_place_do_not_mix(board: RemoteDevice, tmp_path: Path) -> None:
    data = random.Random(9).randbytes(1 << 20)
    await board.write_file("/tmp/file", data)
    await asyncio.gather(*(board.fetch_file("/tmp/file", tmp_path / "copy") for _ in range(3)))
    assert (tmp_path / "copy").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


async def test_a_local_file_that_cannot_be_written_is_named(sim: SimBoard, board: RemoteDevice, tmp_path: Path) -> None:
    calls = sum(sim.counters.calls.values())

    for target in (tmp_path, tmp_path / "missing" / "copy"):
        with pytest.raises(Misuse, match=f"^{board.name}: {target} cannot be written here"):
            await board.fetch_file("/proc/version", target)

    assert sum(sim.counters.calls.values()) == calls
