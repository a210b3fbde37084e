"""A `download` that programs whatever arrived, under any name (H31 to H34, H37 to H39)."""

import asyncio
import random
import re

import pytest

from pynq_async import RemoteDevice, Timeouts
from pynq_async.errors import FabricBusy, FabricUnknown, ProgrammingFailed, RemoteFileError, WrongFamily
from pynq_async.wire import messages as m
from pynq_async.wire import methods

from ..sim.conftest import eventually, refused
from .conftest import QUICK, assert_works, careless, danger, endangered, firmware, neighbour, only_whole

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
    designs = [firmware(2 << 20, seed) for seed in range(16)]

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
