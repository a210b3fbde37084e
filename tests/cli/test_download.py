"""`pynq-async download`."""

from pathlib import Path

import grpc
import pytest

from pynq_async.bitstream import synthetic_bitstream
from pynq_async.sim import SimBoard

from .command import pynq_async
from .conftest import Here


async def test_download_to_two_boards(pair: tuple[SimBoard, SimBoard], bitfile: Path) -> None:
    first, second = pair
    ended = await pynq_async("download", bitfile, first.address, second.address)

    assert ended.code == 0
    assert not ended.err
    assert ended.out.count("small.bit loaded, 40 kB sent") == 2

    for board in pair:
        assert board.fpga.loaded is not None
        assert not board.fpga.loaded.partial

    # The second time, by the environment, one board has it already and one refuses.
    first.faults.program_state = "write error"
    again = await pynq_async(
        "download",
        "--json",
        "--verify",
        "full",
        bitfile,
        PYNQ_REMOTE_DEVICES=f"{first.address},{second.address}",
    )

    assert again.code == 1
    assert again.values["error"] == f"1 of 2 boards failed: {first.address}"
    assert again.values["boards"][second.address] == {"uploaded_bytes": 0}
    assert again.values["boards"][first.address]["type"] == "ProgrammingFailed"


async def test_a_board_that_fails_is_one_sentence(lone: SimBoard, bitfile: Path) -> None:
    lone.faults.fail("remote_device.writefile", grpc.StatusCode.INTERNAL, "no", times=99)
    ended = await pynq_async("download", "--no-clocks", bitfile, lone.address)

    assert ended.code == 1
    assert lone.address in ended.only_error
    assert "could not be written" in ended.out


@pytest.mark.parametrize("name", ["missing.bit", "broken.bit", "notes.txt", "."])
def test_a_bad_file_is_one_sentence_before_any_board_is_asked(
    here: Here, closed_address: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.bit").write_bytes(b"\0\x09broken")
    (tmp_path / "notes.txt").write_text("hello")
    file = tmp_path / name
    ended = here("download", file, closed_address)

    assert ended.code == 1
    assert ended.only_error.startswith(f"{file}: ")


def test_another_familys_bitstream_is_refused(here: Here, other_process: str, tmp_path: Path) -> None:
    file = tmp_path / "big.bit"
    file.write_bytes(synthetic_bitstream("xczu7ev-ffvc1156-2-e"))
    ended = here("download", "--json", file, other_process)

    assert ended.code == 1
    assert ended.values["boards"][other_process]["type"] == "WrongFamily"


def test_without_any_address_a_sentence_says_where_to_put_one(here: Here, bitfile: Path) -> None:
    ended = here("download", bitfile)

    assert ended.code == 1
    assert "PYNQ_REMOTE_DEVICES" in ended.only_error


async def test_nothing_is_sent_unless_all_boards_answer(lone: SimBoard, bitfile: Path, closed_address: str) -> None:
    ended = await pynq_async("download", "--timeout", "0.3", bitfile, lone.address, closed_address)

    assert ended.code == 1
    assert ended.only_error.startswith(f"{closed_address}: no connection")
    assert not lone.counters.calls["remote_device.writefile"]
