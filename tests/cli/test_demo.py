"""`pynq-async demo` with a bitstream or boards of one's own."""

import asyncio
import signal
import sys
from pathlib import Path

import anyio
import grpc
import numpy as np
import pytest

from pynq_async.bitstream import synthetic_bitstream
from pynq_async.cli.traffic import _fill, _first_difference
from pynq_async.sim import SimBoard

from .command import COMMAND, command_environment, heed_interrupts, pynq_async
from .conftest import Here

RATES = ("upload_mb_s", "to_board_mb_s", "from_board_mb_s", "registers_s")


def test_demo_shows_a_table(here: Here, bitfile: Path) -> None:
    ended = here("demo", "--boards", 2, "--size", 4, "--bitstream", bitfile)

    assert ended.code == 0
    assert ended.err == "Starting 2 simulated boards (Pynq-Z2) ...\n"
    rows = [line for line in ended.out.splitlines() if line.startswith("sim-")]
    assert len(rows) == 2
    assert all("small.bit" in row and "40 kB" in row and "✓" in row for row in rows)
    assert "2 boards together" in ended.out


def test_demo_simulates_boards_that_fit_the_bitstream(here: Here, tmp_path: Path) -> None:
    file = tmp_path / "big.bit"
    file.write_bytes(synthetic_bitstream("xczu7ev-ffvc1156-2-e", 100_000))
    ended = here("demo", "--boards", 2, "--size", 2, "--bitstream", file, "--json")

    assert ended.code == 0
    assert not ended.err
    values = ended.values
    assert values["verified"]
    assert values["simulated"]
    assert values["bitstream"]["name"] == "big.bit"
    assert values["bitstream"]["bytes"] == 100_000
    assert values["buffer_bytes"] == 2 * 2**20
    assert values["seconds"] > 0
    assert values["totals"]["uploaded_bytes"] == 200_000
    assert list(values["boards"]) == ["sim-1", "sim-2"]

    for board in values["boards"].values():
        assert (board["model"], board["family"], board["design"]) == ("ZCU104", "zynqmp", "big.bit")
        assert board["uploaded_bytes"] == 100_000
        assert board["verified"]
        assert all(board[rate] > 0 for rate in RATES)


async def test_demo_on_given_boards_leaves_unknown_registers_alone(
    pair: tuple[SimBoard, SimBoard], bitfile: Path
) -> None:
    addresses = [part for board in pair for part in ("--address", board.address)]
    ended = await pynq_async("demo", *addresses, "--size", 2, "--bitstream", bitfile, "--json")

    assert ended.code == 0
    assert not ended.values["simulated"]

    for board in pair:
        assert board.fpga.loaded is not None
        assert not board.counters.calls["mmio.get_mmio"]
        assert ended.values["boards"][board.address]["registers_s"] is None
        assert ended.values["boards"][board.address]["verified"]


async def test_demo_on_given_boards_programs_nothing_unasked(pair: tuple[SimBoard, SimBoard]) -> None:
    pair[1].faults.fail("buffer.write", grpc.StatusCode.UNKNOWN, "out of order")
    ended = await pynq_async("demo", "--address", pair[0].address, "--address", pair[1].address, "--size", 1)

    assert ended.code == 1
    assert not pair[0].counters.programmed
    assert ended.only_error.startswith(f"{pair[1].address}: to board: ")
    assert "out of order" in ended.only_error
    assert "✓" in ended.out
    assert "✗" in ended.out


def test_demo_with_too_large_a_buffer_is_one_sentence(here: Here, bitfile: Path) -> None:
    ended = here("demo", "--boards", 1, "--size", 2000, "--bitstream", bitfile, "--json")

    assert ended.code == 1
    assert ended.values["type"] == "SimulationError"
    assert "do not fit a zynq7000" in ended.values["error"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize("what", ["images", "bitstream"])
async def test_demo_ends_quietly_when_interrupted(what: str, bitfile: Path, tmp_path: Path) -> None:
    images = ("--images", "999", "--output", str(tmp_path))
    options = images if what == "images" else ("--bitstream", str(bitfile), "--size", "512")
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "demo",
        "--boards",
        "1",
        *options,
        stdout=-1,
        stderr=-1,
        env=command_environment(),
        preexec_fn=heed_interrupts,
    )
    assert process.stderr is not None

    with anyio.fail_after(30):
        assert b"Starting" in await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()

    assert process.returncode == 130
    assert out == b""
    assert err.decode().strip() == "error: interrupted"


def test_a_wrong_word_is_found() -> None:
    array = np.zeros(300_000, np.uint64)
    steps: list[int] = []
    _fill(array, seed=3)

    assert _first_difference(array, 3, steps.append) is None
    assert steps[-1] == len(array)
    assert _first_difference(array, 4, steps.append) == 0

    array[200_001] ^= np.uint64(1)
    assert _first_difference(array, 3, steps.append) == 200_001
