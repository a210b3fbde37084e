"""Files without an end, folders, and paths of every kind (H40 to H45)."""

import random
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import BoardExhausted, ConnectError, Misuse, RemoteFileError, RemoteFileNotFound
from pynq_async.sim import Hazards
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually, refused
from .conftest import (
    PS,
    QUICK,
    assert_works,
    careless,
    danger,
    endangered,
    firmware,
    neighbour,
    nothing_sent,
    only_whole,
    served,
)


async def test_h40_a_cancelled_read_of_an_endless_file_runs_away_without_defence() -> None:
    async with careless() as (sim, raw):
        call = raw.open(methods.READ_FILE, m.ReadFileRequest(file_path="/dev/zero"))
        await call.read()
        call.cancel()
        await eventually(lambda: sim.counters.runaway_reads == 1)


@pytest.mark.parametrize(
    "path",
    [
        "/dev/zero",
        "/dev/mem",
        "/dev/full",
        "/dev/input/event0",
        "/proc/kmsg",
        "/proc/kcore",
        "/proc/kpagecount",
        "/proc/self/mem",
        "/proc/1/pagemap",
        "/proc/thread-self/mem",
        "/sys/kernel/debug/tracing/trace_pipe",
        "/sys/kernel/tracing/trace_pipe",
        "/dev/../dev/zero",
        "/dev//zero",
        "//dev/zero",
        "/dev/zero/",
        "/proc/self/root/dev/zero",
        "/proc/1/cwd/dev/zero",
        "/proc/self/fd/3",
        "/proc/self/task/1/mem",
    ],
)
async def test_h40_a_file_that_may_have_no_end_is_refused(path: str, tmp_path: Path) -> None:
    async with endangered() as (sim, board):
        with nothing_sent(sim):
            with pytest.raises(Misuse):
                await board.read_file(path)

            with pytest.raises(Misuse):
                await board.fetch_file(path, tmp_path / "x")

            with pytest.raises(Misuse):
                await board.write_file(path, b"x")


async def test_h40_a_read_stops_at_its_limit() -> None:
    async with served() as sim:
        async with RemoteDevice(sim.address, timeouts=QUICK) as board:
            with pytest.raises(RemoteFileError, match="max_bytes"):
                await board.read_file("/dev/zero", unsafe=True, max_bytes=50_000)

            await board.write_file("/tmp/large", bytes(60_000))

            with pytest.raises(RemoteFileError, match="max_bytes"):
                await board.read_file("/tmp/large", max_bytes=59_999)

            assert len(await board.read_file("/tmp/large", max_bytes=60_000)) == 60_000
            await assert_works(sim, board)

        await eventually(lambda: sim.counters.streams_now == 0)
        assert sim.counters.runaway_reads == 1  # as the caller asked for
        sim.counters.runaway_reads = 0


async def test_h41_a_folder_is_empty_and_no_descriptors_is_not_found_without_defence() -> None:
    async with careless(Hazards(descriptor_limit=11)) as (_, raw):
        assert await raw.read_file("/tmp") == b""
        await raw.map()
        assert await refused(raw.read_file("/proc/version")) == (grpc.StatusCode.NOT_FOUND, "File not found")


async def test_h41_no_descriptors_is_told_from_no_such_file() -> None:
    async with endangered(danger(descriptor_limit=12)) as (sim, board), neighbour(sim.address) as other:
        with pytest.raises(RemoteFileNotFound):
            await board.read_file("/tmp/nothing")

        assert await board.read_file("/tmp") == b""
        await board.write_file("/tmp/there", b"x")
        await other.map()
        await other.map()

        with pytest.raises(BoardExhausted):
            await board.read_file("/tmp/there")

        with pytest.raises(BoardExhausted):
            await RemoteDevice(sim.address, timeouts=QUICK)

        await sim.restart()
        assert await board.read_file("/tmp/there") == b"x"
        await assert_works(sim, board)


async def test_h41_a_board_that_hangs_without_descriptors_is_an_error_in_time() -> None:
    async with endangered(danger(descriptor_limit=11, hang_when_exhausted=True)) as (sim, _):
        async with neighbour(sim.address) as other:
            await other.map()

        with pytest.raises(ConnectError):
            await RemoteDevice(sim.address, timeouts=Timeouts(connect=0.3))


async def test_h41_a_file_that_ends_early_is_not_taken_for_a_record() -> None:
    async with endangered() as (sim, board):
        await board.download(firmware())
        await board.mmio(PS).write(0, 1)

        for lost in (2, 10, 100):
            sim.faults.stretch("remote_device.readfile", -lost)
            assert await board.loaded() is None

        sim.faults.stretch("remote_device.readfile", -1)  # the marker
        assert (await board.download(firmware())).uploaded_bytes == len(firmware().data)
        assert only_whole(sim, firmware())


async def test_h42_a_long_path_makes_the_server_throw_without_defence() -> None:
    async with careless() as (_, raw):
        code, details = await refused(raw.call(methods.EXISTS_FILE, m.ExistsFileRequest(file_path="/" + "x" * 5000)))
        assert (code, details) == (grpc.StatusCode.UNKNOWN, "Unexpected error in RPC handling")


@pytest.mark.parametrize("path", ["/" + "x" * 256, "/x" * 2048, "/" + "é" * 128, "/tmp/" + "y/" * 3000 + "z"])
async def test_h42_a_path_that_linux_does_not_take_is_refused(path: str) -> None:
    async with endangered() as (sim, board):
        with nothing_sent(sim):
            for use in (board.exists_file(path), board.read_file(path), board.write_file(path, b"")):
                with pytest.raises(Misuse, match="longer"):
                    await use

        assert await board.exists_file("/" + "x" * 255) is False


async def test_h43_anything_is_read_as_root_without_defence() -> None:
    async with careless() as (sim, raw):
        sim.files.write_bytes("/etc/shadow", b"root:secret")
        assert await raw.read_file("/tmp/../etc/shadow") == await raw.read_file("etc//./shadow") == b"root:secret"


async def test_h43_no_path_but_an_absolute_and_plain_one_is_sent() -> None:
    chance = random.Random(43)
    pieces = ["", ".", "..", "tmp", "etc", "a b", "\0", "\n", "~", "..a", "xrt_device", "é", "\udc80", "*", "C:\\x"]
    bad = 0

    async with endangered() as (sim, board):
        with nothing_sent(sim):
            for _ in range(10_000):
                parts = chance.choices(pieces, k=chance.randrange(1, 6))
                path = chance.choice(["/", "/", "/", "", "//", "./"]) + "/".join(parts)

                if _plain(path):
                    continue

                bad += 1
                use: Any = chance.choice([board.exists_file, board.read_file, partial(board.write_file, data=b"x")])

                with pytest.raises(Misuse):
                    await use(path)

        assert bad > 5000

        for path in ("/tmp/a b", "/tmp/..a", "/tmp/é", "/tmp/*", "/tmp/~"):
            await board.write_file(path, path.encode())
            assert sim.files.read_bytes(path) == path.encode()


async def test_h44_a_write_without_a_message_is_refused_without_defence() -> None:
    async with careless() as (_, raw):
        code, details = await refused(raw.call(methods.WRITE_FILE))
        assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, "No file path provided")


async def test_h44_an_empty_file_is_written() -> None:
    async with endangered() as (sim, board):
        await board.write_file("/tmp/file", b"full")
        await board.write_file("/tmp/file", b"")
        await board.write_file("/tmp/new", b"")
        assert sim.files.read_bytes("/tmp/file") == sim.files.read_bytes("/tmp/new") == b""
        assert await board.exists_file("/tmp/new")
        assert await board.read_file("/tmp/new") == b""


async def test_h45_a_relative_path_is_the_devices_name_without_defence() -> None:
    async with careless() as (sim, raw):
        sim.files.write_bytes("/xrt_device", b"a file")
        assert await raw.read_file("xrt_device") != b"a file"


async def test_h45_a_file_of_that_name_is_read_as_a_file() -> None:
    async with endangered() as (sim, board):
        sim.files.write_bytes("/xrt_device", b"a file")
        assert await board.read_file("/xrt_device") == b"a file"

        with nothing_sent(sim), pytest.raises(Misuse):
            await board.read_file("xrt_device")


def _plain(path: str) -> bool:
    parts = path.split("/")[1:]
    return (
        path.startswith("/")
        and "\0" not in path
        and "\udc80" not in path
        and path != "//"
        and (path == "/" or not any(part in ("", ".", "..") for part in parts))
    )
