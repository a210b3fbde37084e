"""`pynq-async selftest`."""

from pathlib import Path

import grpc

from pynq_async.sim import Hazards, SimBoard, serve

from .command import Ended, pynq_async
from .conftest import Here

STAGES = ["network", "server", "files", "buffers", "registers", "FPGA manager", "firmware", "download"]


def results(ended: Ended) -> dict[str, bool | None]:
    return {stage["stage"]: stage["passed"] for stage in ended.values["stages"]}


def detail(ended: Ended, name: str) -> str:
    (found,) = [str(stage["detail"]) for stage in ended.values["stages"] if stage["stage"] == name]
    return found


async def test_a_good_board_passes_every_stage(lone: SimBoard, bitfile: Path) -> None:
    ended = await pynq_async("selftest", lone.address, "--bitstream", bitfile)

    assert ended.code == 0
    assert not ended.err
    assert [line.split("  ")[0].strip("✓ ") for line in ended.out.splitlines()] == STAGES
    assert "Pynq-Z2, zynq7000, armv7l" in ended.out
    assert "small.bit is loaded" in ended.out
    assert lone.files.read_bytes("/tmp/pynq_async.selftest") == b""
    assert lone.files.read_bytes("/lib/firmware/pynq_async.selftest") == b""


def test_without_a_bitstream_the_fabric_is_left_alone(here: Here, other_process: str) -> None:
    ended = here("selftest", "--json", other_process)

    assert ended.code == 0
    assert ended.values["passed"]
    assert results(ended) == dict.fromkeys(STAGES[:-1], True) | {"download": None}


async def test_each_fault_fails_its_stage_with_its_cause(lone: SimBoard, bitfile: Path) -> None:
    lone.faults.cut_file("/lib/firmware/", 100)
    lone.faults.fail("buffer.allocate", grpc.StatusCode.UNKNOWN, "XRT is out of order")
    lone.fpga.state = "write init error"
    ended = await pynq_async("selftest", "--json", lone.address, "--bitstream", bitfile)

    assert ended.code == 1
    assert not ended.values["passed"]
    assert ended.values["error"].endswith("3 of 8 stages failed: buffers, FPGA manager, firmware")
    assert results(ended) == dict.fromkeys(STAGES, True) | {
        "buffers": False,
        "FPGA manager": False,
        "firmware": False,
        "download": None,
    }
    assert "XRT is out of order" in detail(ended, "buffers")
    assert "write init error" in detail(ended, "FPGA manager")
    assert "only 100 of 65536 bytes" in detail(ended, "firmware")
    assert detail(ended, "download") == "needs FPGA manager and firmware"


async def test_a_server_without_file_descriptors_fails_the_registers() -> None:
    async with serve(SimBoard(hazards=Hazards(descriptor_limit=11))) as address:
        ended = await pynq_async("selftest", "--json", address)

    assert ended.code == 1
    assert results(ended)["registers"] is False


def test_an_unreachable_board_fails_the_first_stage_and_skips_the_rest(here: Here, closed_address: str) -> None:
    ended = here("selftest", closed_address)

    assert ended.code == 1
    assert ended.only_error == f"{closed_address}: 1 of 8 stages failed: network"
    assert "is closed; is pynq-remote running on the board?" in ended.out
    assert "skipped: needs network" in ended.out


def test_a_name_that_is_none_is_said(here: Here) -> None:
    ended = here("selftest", "--json", "no-such-board.invalid", "--timeout", "2")

    assert ended.code == 1
    assert "no-such-board.invalid" in detail(ended, "network")


async def test_something_else_at_the_port_fails_the_server_stage() -> None:
    async with serve(SimBoard(services={"mmio"})) as address:
        ended = await pynq_async("selftest", "--json", address, "--timeout", "1")

    assert ended.code == 1
    assert results(ended)["server"] is False
    assert "no PYNQ.remote server" in detail(ended, "server")
