"""A `download` that programs whatever arrived, a disk that is never full, files without an end (H31 to H45)."""

import asyncio
import random
import re
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import (
    BoardError,
    BoardExhausted,
    ConnectError,
    FabricBusy,
    FabricUnknown,
    FirmwareRejected,
    Misuse,
    ProgrammingFailed,
    RemoteFileError,
    RemoteFileNotFound,
    WrongFamily,
)
from pynq_async.sim import Hazards, Link
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

FOLDER = "/lib/firmware"
NOT_USED = ("remote_device.download", "remote_device.set_bitstream_attrs", "remote_device.set_pl_clk")


async def test_h31_a_cancelled_download_is_programmed_without_defence() -> None:
    async with careless() as (sim, raw):
        await raw.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="cut.bin"))
        call = raw.upload(methods.DOWNLOAD)
        await call.write(m.DownloadRequest(buffer=firmware().data[:4096]))
        await eventually(lambda: sim.counters.bytes_in > 0)
        call.cancel()
        await eventually(lambda: bool(sim.counters.programmed))
        assert (sim.counters.programmed[0].length, sim.counters.programmed[0].ok) == (4096, True)


async def test_h31_a_download_that_is_cancelled_anywhere_programs_the_whole_or_nothing() -> None:
    chance = random.Random(31)
    designs = [firmware(2 << 20, seed) for seed in range(25)]

    async with endangered() as (sim, board):
        for design in designs:
            sim.faults.program_seconds = 0.01
            download = asyncio.create_task(board.download(design))
            await asyncio.sleep(chance.uniform(0, 0.08))
            download.cancel()
            await asyncio.wait({download})

        sim.faults.clear()
        loaded = await board.download(designs[-1])
        assert sim.fpga.loaded is not None
        assert sim.fpga.loaded.digest == loaded.digest
        assert only_whole(sim, *designs)
        assert not any(sim.counters.calls[method] for method in NOT_USED)
        await assert_works(sim, board)


async def test_h32_a_partial_download_is_programmed_as_a_full_one_without_defence() -> None:
    async with careless() as (sim, raw):
        attributes = m.SetBitstreamAttrsRequest(binfile_name="part.bin", partial=True)
        await raw.call(methods.SET_BITSTREAM_ATTRS, attributes)
        await raw.call(methods.DOWNLOAD, m.DownloadRequest(buffer=firmware().data))
        assert [event.partial for event in sim.counters.programmed] == [False]


@pytest.mark.parametrize("plain", [False, True])
async def test_h32_the_flags_say_what_is_programmed(plain: bool) -> None:
    async with endangered(plain_sysfs=plain) as (sim, board):
        for partial in (False, True, True, False):
            await board.download(firmware(partial=partial), partial=partial)

        assert [event.partial for event in sim.counters.programmed] == [False, True, True, False]


async def test_h32_flags_that_do_not_stay_stop_the_download() -> None:
    async with endangered() as (sim, board):
        sim.faults.flags = 0x20

        with pytest.raises(ProgrammingFailed, match="nothing was programmed"):
            await board.download(firmware())

        assert not sim.counters.programmed
        sim.faults.clear()
        await board.download(firmware())
        await assert_works(sim, board)


async def test_h33_the_name_is_swapped_during_a_download_without_defence() -> None:
    async with careless() as (sim, raw):
        await raw.write_file(f"{FOLDER}/other.bin", firmware(seed=9).data)
        await raw.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="mine.bin"))
        call = raw.upload(methods.DOWNLOAD)
        await call.write(m.DownloadRequest(buffer=firmware().data))
        await eventually(lambda: sim.counters.bytes_in > 0)
        await raw.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="other.bin"))
        await call.done_writing()
        await call
        assert [event.digest for event in sim.counters.programmed] == [firmware(seed=9).digest]


async def test_h33_one_download_at_a_time_and_another_clients_attributes_do_not_matter() -> None:
    async with (
        endangered() as (sim, first),
        RemoteDevice(sim.address, timeouts=QUICK) as second,
        neighbour(sim.address) as other,
    ):
        sim.faults.program_seconds = 0.05

        async with asyncio.TaskGroup() as group:
            group.create_task(first.download(firmware(seed=1)))
            await eventually(lambda: sim.counters.calls["remote_device.writefile"] > 0)

            for board in (first, second):
                with pytest.raises(FabricBusy):
                    await board.download(firmware(seed=2))

            await other.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name="other.bin"))

        assert [event.digest for event in sim.counters.programmed] == [firmware(seed=1).digest]
        await second.download(firmware(seed=2))
        await assert_works(sim, first)


@pytest.mark.parametrize("name", ["", "no/such/folder.bin"])
async def test_h34_a_download_that_cannot_be_stored_is_ok_without_defence(name: str) -> None:
    async with careless() as (sim, raw):
        await raw.call(methods.SET_BITSTREAM_ATTRS, m.SetBitstreamAttrsRequest(binfile_name=name))
        await raw.call(methods.DOWNLOAD, m.DownloadRequest(buffer=firmware().data))
        assert not sim.counters.programmed


async def test_h34_firmware_that_cannot_be_stored_is_an_error() -> None:
    async with endangered() as (sim, board):
        sim.files._directories.discard(FOLDER)

        with pytest.raises(RemoteFileError, match="folder"):
            await board.download(firmware())

        assert not sim.counters.programmed
        assert await board.loaded() is None
        sim.files.make_directory(FOLDER)
        await board.download(firmware())
        await assert_works(sim, board)


async def test_h35_a_full_disk_is_ok_without_defence() -> None:
    async with careless(firmware_bytes=8192) as (sim, raw):
        await raw.write_file(f"{FOLDER}/big.bin", firmware().data)
        assert len(sim.files.read_bytes(f"{FOLDER}/big.bin")) == 8192


async def test_h35_firmware_that_does_not_fit_is_rejected_and_nothing_is_programmed() -> None:
    async with endangered(firmware_bytes=256 << 10) as (sim, board):
        await board.download(firmware(seed=1))

        for size in (260_000, 262_144, 300_000, 2 << 20):
            with pytest.raises(FirmwareRejected, match="nothing was programmed"):
                await board.download(firmware(size, seed=2))

        assert only_whole(sim, firmware(seed=1))
        assert (await board.loaded() or pytest.fail("not loaded")).digest == firmware(seed=1).digest

        for seed in range(3, 20):  # each fits only when older ones make room
            await board.download(firmware(100_000, seed))

        assert sim.fpga.loaded is not None
        assert sim.fpga.loaded.digest == firmware(100_000, 19).digest
        await assert_works(sim, board)


async def test_h35_a_disk_filled_by_somebody_else_is_noticed_at_every_size() -> None:
    chance = random.Random(35)
    design = firmware(20_000)

    async with endangered(firmware_bytes=64 << 10) as (sim, board):
        for _ in range(30):
            taken = chance.randrange(16) * 4096 + chance.randrange(4096)

            for path in sim.files.paths(f"{FOLDER}/"):
                sim.files.remove(path)

            sim.files.write_bytes(f"{FOLDER}/theirs.bin", bytes(taken))

            try:
                await board.download(design)
            except FirmwareRejected:
                assert taken > 9 * 4096  # of 16 pages the design, its marker and the index need seven
            else:
                assert taken <= 9 * 4096

        assert only_whole(sim, design)
        assert sim.counters.programmed


@pytest.mark.parametrize("keep", [0, 1, 4096, 20_000, 39_999])
async def test_h35_reading_back_finds_a_short_file_whose_marker_is_whole(keep: int) -> None:
    async with endangered() as (sim, board):
        sim.faults.cut_file(f"{FOLDER}/pa_", keep)

        with pytest.raises(FirmwareRejected, match="not design0.bit"):
            await board.download(firmware(), verify="full")

        assert not sim.counters.programmed
        sim.faults.clear()
        await board.download(firmware())  # and it is not trusted later, even without reading back
        assert [event.digest for event in sim.counters.programmed] == [firmware().digest]
        await assert_works(sim, board)


async def test_h35_reading_back_finds_a_flipped_bit() -> None:
    chance = random.Random(35)

    async with endangered() as (sim, board):
        for turn in range(1, 11):
            await board.download(firmware())
            (path,) = [path for path in sim.files.paths(f"{FOLDER}/pa_") if path.endswith(".bin")]
            content = bytearray(firmware().data)
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            sim.files.write_bytes(path, bytes(content))

            with pytest.raises(FirmwareRejected, match="not design0.bit"):
                await board.download(firmware(), verify="full")

            assert len(sim.counters.programmed) == turn

        await board.download(firmware(), verify="full")
        assert only_whole(sim, firmware())


async def test_h36_a_cut_upload_leaves_a_part_of_the_file_without_defence() -> None:
    async with careless() as (sim, raw):
        await raw.write_file("/tmp/data", b"whole")
        before = sim.counters.bytes_in
        upload = raw.upload(methods.WRITE_FILE)
        await upload.write(m.WriteFileRequest(file_path="/tmp/data", data=b"pa"))
        await eventually(lambda: sim.counters.bytes_in > before)
        upload.cancel()
        await eventually(lambda: sim.counters.streams_now == 0)
        assert sim.files.read_bytes("/tmp/data") == b"pa"


async def test_h36_after_an_upload_cut_at_any_byte_only_whole_firmware_is_programmed() -> None:
    chance = random.Random(36)
    designs = [firmware(60_000, seed) for seed in range(40)]
    cut_off = 0

    async with served() as sim:
        link = Link(sim.address)

        async with link as link_address:
            for design in designs:
                link.cut_after = chance.randrange(200, 75_000)

                try:
                    async with RemoteDevice(link_address, timeouts=QUICK) as board:
                        await board.download(design)
                except BoardError:
                    cut_off += 1

                link.cut_after = None
                assert only_whole(sim, *designs)

        assert cut_off > 20

        async with RemoteDevice(sim.address, timeouts=QUICK) as board:
            for design in designs[-12:]:
                await board.download(design)
                assert sim.counters.programmed[-1].digest == design.digest

        assert only_whole(sim, *designs)


@pytest.mark.parametrize("kind", ["restart", "reboot"])
async def test_h36_a_server_that_dies_in_the_middle_leaves_nothing_that_is_trusted(kind: str) -> None:
    designs = [firmware(4 << 20, seed) for seed in range(6)]

    async with endangered() as (sim, board):
        for number, design in enumerate(designs):
            sim.faults.bandwidth = 100e6
            began = sim.counters.bytes_in
            download = asyncio.create_task(board.download(design))
            await eventually(lambda began=began, share=number + 1 << 19: sim.counters.bytes_in > began + share)  # type: ignore[misc]
            await getattr(sim, kind)()
            await asyncio.wait({download})
            assert isinstance(download.exception(), BoardError)
            sim.faults.clear()

        assert not sim.counters.programmed

        for design in designs:
            await board.download(design)

        assert only_whole(sim, *designs)
        await assert_works(sim, board)


async def test_h36_firmware_of_the_same_name_and_another_content_is_sent() -> None:
    async with endangered() as (sim, board):
        for seed in (1, 2, 1):
            await board.download(firmware(seed=seed, name="base.bit"))

        digests = [event.digest for event in sim.counters.programmed]
        assert digests == [firmware(seed=seed, name="base.bit").digest for seed in (1, 2, 1)]


async def test_h36_firmware_emptied_by_another_host_is_not_programmed() -> None:
    async with endangered() as (sim, board):
        await board.download(firmware())

        for suffix in (".bin.marker", ".bin"):
            (path,) = [path for path in sim.files.paths(f"{FOLDER}/pa_") if path.endswith(suffix)]
            sim.files.write_bytes(path, b"")

        loaded = await board.download(firmware())
        assert loaded.uploaded_bytes == len(firmware().data)
        assert only_whole(sim, firmware())


async def test_h36_firmware_of_an_earlier_boot_is_not_trusted_by_its_marker() -> None:
    async with endangered() as (sim, board):
        await board.download(firmware())
        stored = {path: sim.files.read_bytes(path) for path in sim.files.paths(f"{FOLDER}/pa_")}
        await sim.reboot()

        for path, content in stored.items():  # the folder is on a card, and the power failed while it was written
            sim.files.write_bytes(path, content if path.endswith(".marker") else content[:4096])

        await board.download(firmware())
        assert only_whole(sim, firmware())
        await assert_works(sim, board)


async def test_h36_what_is_recorded_right_after_a_reboot_belongs_to_the_new_boot() -> None:
    async with endangered() as (sim, board):
        await board.download(firmware(seed=1))
        await sim.reboot()
        await board.download(firmware(seed=2))
        (marker,) = [path for path in sim.files.paths(f"{FOLDER}/pa_") if path.endswith(".marker")]
        assert sim.boot_id.encode() in sim.files.read_bytes(marker)

        async with RemoteDevice(sim.address, timeouts=QUICK) as another:
            assert (await another.loaded() or pytest.fail("not recorded")).digest == firmware(seed=2).digest
            assert (await another.download(firmware(seed=2))).uploaded_bytes == 0


@pytest.mark.parametrize("state", ["firmware request error", "write init error", "write error", "write complete error"])
async def test_h37_a_fabric_that_does_not_operate_is_an_error(state: str) -> None:
    async with endangered() as (sim, board):
        sim.faults.program_state = state

        with pytest.raises(ProgrammingFailed, match=state):
            await board.download(firmware())

        assert await board.loaded() is None
        sim.faults.clear()
        await board.download(firmware())
        assert (await board.loaded() or pytest.fail("not loaded")).digest == firmware().digest
        await assert_works(sim, board)


async def test_h37_a_write_whose_answer_is_lost_leaves_the_fabric_unknown() -> None:
    async with endangered(timeouts=Timeouts(connect=5, call=5, program=0.2, grace=0.05)) as (sim, board):
        sim.faults.program_seconds = 0.4

        with pytest.raises(FabricUnknown, match="download again"):
            await board.download(firmware(seed=1))

        assert await board.loaded() is None
        await eventually(lambda: bool(sim.counters.programmed))
        sim.faults.clear()
        await board.download(firmware(seed=2))
        assert (await board.loaded() or pytest.fail("not loaded")).digest == firmware(seed=2).digest
        await assert_works(sim, board)


async def test_h38_a_long_name_takes_the_board_down_without_defence() -> None:
    async with careless(danger()) as (sim, raw):
        boot_id = sim.boot_id
        await refused(raw.write_file("/sys/class/fpga_manager/fpga0/firmware", b"x" * 255))
        await eventually(lambda: sim.boot_id != boot_id)


async def test_h38_names_on_the_board_are_short_whatever_the_file_is_called() -> None:
    async with endangered() as (sim, board):
        for name in ("x" * 250 + ".bit", "../../etc/passwd", "a b\n\0c", "日本.bit"):
            await board.download(firmware(seed=len(name), name=name))

        names = [event.name for event in sim.counters.programmed]
        assert all(re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name) for name in names)
        assert len(names) == 4
        await assert_works(sim, board)


async def test_h39_nothing_relies_on_what_only_download_does() -> None:
    async with endangered(family="zynqmp") as (sim, board):
        with pytest.raises(WrongFamily):
            await board.download(firmware())

        assert not any(sim.counters.calls[method] for method in NOT_USED)


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
