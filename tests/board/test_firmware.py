"""The bitstreams kept on the board: which are trusted, and how room is made."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from pynq_async import Limits, RemoteDevice, Timeouts
from pynq_async.bitstream import shipped_description
from pynq_async.board.firmware import FOLDER, INDEX
from pynq_async.errors import FabricError, FirmwareRejected
from pynq_async.sim import Link, SimBoard, serve

from ..boards import begun, simulated
from .conftest import Make


async def test_a_marker_of_an_earlier_boot_is_not_trusted(sim: SimBoard, board: RemoteDevice, bitfile: Path) -> None:
    await board.download(bitfile)
    (marker,) = [path for path in sim.files.paths(FOLDER) if path.endswith(".marker")]
    sim.files.write_bytes(marker, sim.files.read_bytes(marker).replace(sim.boot_id[:8].encode(), b"00000000"))
    assert (await board.download(bitfile)).uploaded_bytes == 40_000


async def test_only_the_last_few_bitstreams_are_kept(make: Make) -> None:
    async with simulated(limits=Limits(firmware=2)) as (sim, board):
        for seed in range(4):
            await board.download(make(seed))

        sizes = {path: len(sim.files.read_bytes(path)) for path in sim.files.paths(f"{FOLDER}/pa_")}
        assert sorted(sizes.values()) == [
            0,
            0,
            0,
            0,
            *sorted([40_000, 40_000] + [s for s in sizes.values() if 0 < s < 999]),
        ]
        assert len(sim.files.read_bytes(INDEX).splitlines()) == 2
        assert (await board.download(make(3))).uploaded_bytes == 0
        assert (await board.download(make(0))).uploaded_bytes == 40_000


async def test_a_foreign_index_empties_no_other_file(sim: SimBoard, board: RemoteDevice, make: Make) -> None:
    sim.files.write_bytes("/lib/firmware/wifi.bin", b"precious")
    sim.files.write_bytes(INDEX, b"wifi.bin\n../../etc/shadow\n\xff\xfe\n" * 10)
    await board.download(make())
    assert sim.files.read_bytes("/lib/firmware/wifi.bin") == b"precious"


async def test_a_full_disk_makes_room_by_emptying_our_older_bitstreams(make: Make) -> None:
    async with simulated(firmware_bytes=128 * 1024) as (sim, board):
        await board.download(make(1))
        await board.download(make(2))
        loaded = await board.download(make(3, size=100_000))
        assert sim.counters.programmed[-1].digest == loaded.digest


async def test_a_disk_that_is_too_small_is_an_error_and_nothing_is_programmed(make: Make) -> None:
    async with simulated(firmware_bytes=64 * 1024) as (sim, board):
        with pytest.raises(FirmwareRejected, match="no room for the 100000 bytes"):
            await board.download(make(size=100_000))

        assert sim.counters.programmed == []
        assert sim.counters.dropped_stores > 0
        await board.download(make(size=20_000))


async def test_reading_back_finds_what_the_marker_cannot(sim: SimBoard, board: RemoteDevice, bitfile: Path) -> None:
    def flip() -> None:
        sim.faults.flip_bit(f"{FOLDER}/pa_")

    def cut() -> None:
        sim.faults.cut_file(f"{FOLDER}/pa_", 39_000)

    for damage in (flip, cut):
        await board.download(bitfile)
        programmed = len(sim.counters.programmed)
        (marker,) = [path for path in sim.files.paths(FOLDER) if path.endswith(".marker")]
        sim.files.remove(marker)
        damage()

        with pytest.raises(FirmwareRejected, match="is not small.bit"):
            await board.download(bitfile, verify="full")

        assert len(sim.counters.programmed) == programmed
        sim.faults.clear()
        assert (await board.download(bitfile, verify="full")).uploaded_bytes == 40_000


async def test_cancelling_anywhere_leaves_no_firmware_that_a_later_download_trusts(make: Make) -> None:
    """The download is cancelled after 0, 1, 2, ... calls have reached the board."""
    async with simulated(timeouts=Timeouts(grace=0.001)) as (sim, board):
        calls = 0

        while True:
            bitfile = make(calls, size=200_000)
            task = asyncio.ensure_future(board.download(bitfile))
            start = sum(sim.counters.calls.values())

            while not task.done() and sum(sim.counters.calls.values()) - start < calls:
                await asyncio.sleep(0)

            ended = task.done()
            task.cancel()
            await asyncio.wait({task})

            if ended:
                break

            loaded = await board.download(bitfile)
            assert sim.counters.programmed[-1].digest == loaded.digest
            calls += 1

        assert calls > 10
        whole = {200_000}
        assert {event.length for event in sim.counters.programmed} == whole


async def test_a_connection_cut_at_any_byte_leaves_no_firmware_that_a_later_download_trusts(make: Make) -> None:
    sim = SimBoard()

    async with serve(sim) as address:
        link = Link(address)

        async with link as link_address, RemoteDevice(link_address) as board:
            for seed, position in enumerate(range(2_000, 420_000, 38_000)):
                bitfile = make(seed, size=400_000)
                link.cut_after = position

                with contextlib.suppress(ConnectionError, FabricError):
                    await board.download(bitfile)

                link.cut_after = None
                loaded = await board.download(bitfile)
                assert sim.counters.programmed[-1].digest == loaded.digest

    assert {event.length for event in sim.counters.programmed} == {400_000}
    assert all(event.ok for event in sim.counters.programmed)


async def test_a_firmware_that_another_host_emptied_meanwhile_is_not_programmed(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    (bitfile.with_suffix(".hwh")).write_bytes(shipped_description("resizer"))
    sim.faults.delay("mmio.get_mmio", 0.1)  # the clocks are set between the upload and the programming
    download = asyncio.ensure_future(board.download(bitfile))
    await begun(sim, "mmio.get_mmio")
    (marker,) = [path for path in sim.files.paths(FOLDER) if path.endswith(".marker")]
    sim.files.write_bytes(marker, b"")

    with pytest.raises(FirmwareRejected, match="another host emptied"):
        await download

    assert sim.counters.programmed == []
