import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from pynq_async import Limits, Progress, RemoteDevice, Timeouts, load_bitstream
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.board.firmware import FOLDER, INDEX
from pynq_async.board.loaded import RECORD
from pynq_async.errors import (
    BitstreamError,
    FabricBusy,
    FabricError,
    FabricUnknown,
    FirmwareRejected,
    Misuse,
    OutcomeUnknown,
    ProgrammingFailed,
    WrongFamily,
)
from pynq_async.sim import Link, SimBoard, serve

from ..boards import begun, simulated

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes bitstreams, each of another content."""

    def make(seed: int = 0, *, part: str = "7z020clg400", size: int = 40_000, partial: bool = False) -> Path:
        path = tmp_path / f"design{seed}.bit"
        path.write_bytes(synthetic_bitstream(part, size, seed, partial=partial))
        return path

    return make


async def test_a_bitstream_is_sent_once_and_programmed_each_time(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    loaded = await board.download(bitfile)
    assert (loaded.name, loaded.uploaded_bytes, loaded.design) == ("small.bit", 40_000, None)
    again = await board.download(bitfile)
    assert again.uploaded_bytes == 0
    bitstream = await load_bitstream(bitfile)
    assert [event.digest for event in sim.counters.programmed] == [bitstream.digest] * 2
    assert loaded.digest == bitstream.digest == hashlib.sha256(bitstream.data).hexdigest()
    assert not any(event.partial for event in sim.counters.programmed)


async def test_what_is_loaded_is_seen_by_another_process(board: RemoteDevice, sim: SimBoard, bitfile: Path) -> None:
    assert await board.loaded() is None
    loaded = await board.download(bitfile)

    async with RemoteDevice(sim.address) as other:
        seen = await other.loaded()
        assert seen is not None
        assert (seen.name, seen.digest) == (loaded.name, loaded.digest)


async def test_a_rebooted_board_has_nothing_loaded_and_is_sent_the_bitstream_again(bitfile: Path) -> None:
    async with simulated() as (sim, board):
        await board.download(bitfile)
        await sim.restart()
        assert await board.loaded() is not None
        assert (await board.download(bitfile)).uploaded_bytes == 0
        await sim.reboot()
        assert await board.loaded() is None
        assert (await board.download(bitfile)).uploaded_bytes == 40_000


async def test_a_marker_of_an_earlier_boot_is_not_trusted(sim: SimBoard, board: RemoteDevice, bitfile: Path) -> None:
    await board.download(bitfile)
    (marker,) = [path for path in sim.files.paths(FOLDER) if path.endswith(".marker")]
    sim.files.write_bytes(marker, sim.files.read_bytes(marker).replace(sim.boot_id[:8].encode(), b"00000000"))
    assert (await board.download(bitfile)).uploaded_bytes == 40_000


async def test_progress_of_a_download(board: RemoteDevice, make: Make) -> None:
    steps: list[Progress] = []
    await board.download(make(size=2_500_000), verify="full", progress=steps.append)
    assert {step.board for step in steps} == {board.name}
    assert list(dict.fromkeys(step.stage for step in steps)) == ["upload", "verify", "program", "done"]
    assert [step.done for step in steps if step.stage == "upload"] == [1 << 20, 2 << 20, 2_500_000]


async def test_a_partial_bitstream_sets_the_flag_and_keeps_the_record(
    sim: SimBoard, board: RemoteDevice, make: Make
) -> None:
    full = await board.download(make(1))
    await board.download(make(2, partial=True), partial=True)
    assert [event.partial for event in sim.counters.programmed] == [False, True]
    loaded = await board.loaded()
    assert loaded is not None and loaded.digest == full.digest
    assert json.loads(sim.files.read_bytes(RECORD).rpartition(b" ")[0])["partials"] == ["design2.bit"]


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


@pytest.mark.parametrize("state", ["write error", "write init error", "firmware request error", "unknown"])
async def test_a_state_that_is_not_operating_is_an_error(
    sim: SimBoard, board: RemoteDevice, bitfile: Path, state: str
) -> None:
    sim.faults.program_state = state

    with pytest.raises(ProgrammingFailed, match=f"ended in '{state}' with small.bit"):
        await board.download(bitfile)

    assert await board.loaded() is None


async def test_flags_that_read_back_wrong_are_an_error_before_programming(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    sim.faults.flags = 1

    with pytest.raises(ProgrammingFailed, match=r"flags are 0x1, not 0x0; nothing was programmed"):
        await board.download(bitfile)

    assert sim.counters.programmed == []


async def test_a_board_without_an_fpga_manager_says_so(sim: SimBoard, board: RemoteDevice, bitfile: Path) -> None:
    sim.files._directories -= {folder for folder in sim.files._directories if folder.startswith("/sys")}

    with pytest.raises(FabricError, match="no FPGA manager"):
        await board.download(bitfile)


async def test_a_bitstream_for_another_family_is_refused_before_anything_is_sent(
    sim: SimBoard, board: RemoteDevice, make: Make
) -> None:
    calls = sum(sim.counters.calls.values())

    with pytest.raises(WrongFamily, match=r"zynqmp \(xczu7ev-ffvc1156\), but this board is a zynq7000"):
        await board.download(make(part="xczu7ev-ffvc1156"))

    assert sum(sim.counters.calls.values()) == calls


async def test_no_bitstream_is_refused_before_anything_is_sent(
    sim: SimBoard, board: RemoteDevice, tmp_path: Path
) -> None:
    calls = sum(sim.counters.calls.values())
    (tmp_path / "text.bit").write_bytes(b"no bitstream")

    for name in ("text.bit", "missing.bit", "text.elf"):
        with pytest.raises(BitstreamError, match=name):
            await board.download(tmp_path / name)

    with pytest.raises(Misuse):
        await board.download(tmp_path / "text.bit", verify="maybe")  # type: ignore[arg-type]

    assert sum(sim.counters.calls.values()) == calls


async def test_a_second_download_is_refused_at_once(sim: SimBoard, board: RemoteDevice, make: Make) -> None:
    sim.faults.program_seconds = 0.2
    first = asyncio.ensure_future(board.download(make(1)))
    await asyncio.sleep(0)

    async with RemoteDevice(sim.address) as other:
        for busy in (board, other):
            with pytest.raises(FabricBusy):
                await busy.download(make(2))

    await first
    await board.download(make(2))


async def test_register_access_waits_while_the_fabric_is_programmed(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    registers = board.mmio(0x4000_0000, 0x1000)
    await registers.read(0)
    sim.faults.program_seconds = 0.3
    reads = sim.counters.calls["mmio.read"]
    download = asyncio.ensure_future(board.download(bitfile))

    async with asyncio.timeout(5):
        while sim.fpga.state != "write":
            await asyncio.sleep(0.001)

    reading = asyncio.ensure_future(registers.read(0))
    await asyncio.sleep(0.05)
    assert sim.counters.calls["mmio.read"] == reads
    await download
    await reading


async def test_cancelling_while_programming_arrives_when_it_is_done(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    sim.faults.program_seconds = 0.2

    for scope in ("asyncio", "anyio"):
        if scope == "asyncio":
            task = asyncio.ensure_future(board.download(bitfile))
            await _programming(sim)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()

            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with anyio.CancelScope() as cancel:
                async with anyio.create_task_group() as group:
                    group.start_soon(board.download, bitfile)
                    await _programming(sim)
                    cancel.cancel()

        loaded = await board.loaded()
        assert loaded is not None and loaded.name == "small.bit"
        assert sim.counters.programmed[-1].ok


async def _programming(sim: SimBoard) -> None:
    async with asyncio.timeout(5):
        while sim.fpga.state != "write":
            await asyncio.sleep(0.001)


async def test_programming_that_is_cut_off_leaves_the_fabric_unknown(bitfile: Path) -> None:
    async with simulated(timeouts=Timeouts(program=0.1, grace=0.01)) as (sim, board):
        sim.faults.program_seconds = 5

        with pytest.raises(FabricUnknown, match="what is loaded is unknown") as caught:
            await board.download(bitfile)

        assert isinstance(caught.value, OutcomeUnknown)
        assert await board.loaded() is None


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


async def test_a_torn_record_of_what_is_loaded_is_not_believed(
    sim: SimBoard, board: RemoteDevice, bitfile: Path
) -> None:
    await board.download(bitfile)
    record = sim.files.read_bytes(RECORD)
    damaged: list[Any] = [
        record[:-3],
        record[:40],
        b"",
        b"{} 00000000\n",
        record.replace(b"small", b"large"),
        b"\xff" * 9,
    ]

    for content in damaged:
        sim.files.write_bytes(RECORD, content)
        assert await board.loaded() is None


async def test_loaded_gives_what_the_download_gave(board: RemoteDevice, bitfile: Path) -> None:
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))
    loaded = await board.download(bitfile)
    assert loaded.design is not None
    assert await board.loaded() is loaded


async def test_a_partial_bitstream_over_an_unknown_design_leaves_it_unknown(board: RemoteDevice, make: Make) -> None:
    await board.download(make(1, partial=True), partial=True)
    assert await board.loaded() is None


@pytest.mark.parametrize("partial", [False, True])
async def test_partial_and_full_are_not_mixed_up(board: RemoteDevice, make: Make, partial: bool) -> None:
    with pytest.raises(Misuse, match="is a partial bitstream; pass" if partial else "is a full bitstream; leave"):
        await board.download(make(1, partial=partial), partial=not partial)


async def test_a_board_that_rebooted_can_be_programmed_again(bitfile: Path) -> None:
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with simulated() as (sim, board):
        await board.download(bitfile)
        await sim.reboot()
        assert await board.clocks.get_pl_clk(0) == 100.0
        await board.download(bitfile)
        assert len(sim.counters.programmed) == 2
