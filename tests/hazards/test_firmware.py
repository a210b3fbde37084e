"""Firmware on the board: a disk that is never full, uploads that were cut (H35, H36)."""

import asyncio
import random

import pytest

from pynq_async import RemoteDevice
from pynq_async.errors import BoardError, FirmwareRejected
from pynq_async.sim import Link
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually
from .conftest import QUICK, assert_works, careless, endangered, firmware, only_whole, served

FOLDER = "/lib/firmware"


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
    designs = [firmware(60_000, seed) for seed in range(24)]
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

        assert cut_off > 12

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
