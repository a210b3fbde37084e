"""A bitstream is sent and programmed, or the error says why not."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from pynq_async import Progress, RemoteDevice, Timeouts, load_bitstream
from pynq_async.bitstream import shipped_description
from pynq_async.board.loaded import RECORD
from pynq_async.errors import (
    BitstreamError,
    FabricBusy,
    FabricError,
    FabricUnknown,
    Misuse,
    OutcomeUnknown,
    ProgrammingFailed,
    WrongFamily,
)
from pynq_async.sim import SimBoard

from ..boards import simulated
from .conftest import Make


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


async def test_progress_of_a_download(board: RemoteDevice, make: Make) -> None:
    steps: list[Progress] = []
    await board.download(make(size=2_500_000), verify="full", progress=steps.append)
    assert {step.board for step in steps} == {board.name}
    assert list(dict.fromkeys(step.stage for step in steps)) == ["upload", "verify", "program", "done"]
    assert [step.done for step in steps if step.stage == "upload"] == [
        65_536,
        196_608,
        458_752,
        983_040,
        2_031_616,
        2_500_000,
    ]


async def test_a_partial_bitstream_sets_the_flag_and_keeps_the_record(
    sim: SimBoard, board: RemoteDevice, make: Make
) -> None:
    full = await board.download(make(1))
    await board.download(make(2, partial=True), partial=True)
    assert [event.partial for event in sim.counters.programmed] == [False, True]
    loaded = await board.loaded()
    assert loaded is not None and loaded.digest == full.digest
    assert json.loads(sim.files.read_bytes(RECORD).rpartition(b" ")[0])["partials"] == ["design2.bit"]


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
        await board.read_file("/proc/version")  # files are read again over a new connection, registers never
        assert await board.clocks.get_pl_clk(0) == 100.0
        await board.download(bitfile)
        assert len(sim.counters.programmed) == 2
