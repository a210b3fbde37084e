"""`pynq-async info`."""

from pathlib import Path

from pynq_async.bitstream import read_bitstream
from pynq_async.sim import SimBoard

from .command import pynq_async
from .conftest import Here


async def test_info_says_what_the_board_is(lone: SimBoard) -> None:
    ended = await pynq_async("info", lone.address)

    assert ended.code == 0
    assert not ended.err

    for fact in (lone.address, "Pynq-Z2", "zynq7000 (armv7l)", "5.15.19-xilinx-v2022.1", lone.boot_id, "mmio.Mmio"):
        assert fact in ended.out

    assert "134.2 MB of 134.2 MB free" in ended.out
    assert "nothing by this package" in ended.out


def test_info_for_machines_names_what_is_loaded(here: Here, other_process: str, bitfile: Path) -> None:
    assert here("download", bitfile, other_process).code == 0
    values = here("info", "--json", other_process).values

    assert values["loaded"] == {"name": "small.bit", "digest": read_bitstream(bitfile).digest}
    assert values["model"] == "Pynq-Z2"
    assert values["cma_free_bytes"] == values["cma_total_bytes"] == 128 * 2**20
    assert "buffer.RemoteBuffer" in values["services"]


def test_an_unreachable_board_is_one_sentence(here: Here, closed_address: str) -> None:
    ended = here("info", closed_address, "--timeout", "0.3")

    assert ended.code == 1
    assert not ended.out
    assert ended.only_error.startswith(f"{closed_address}: no connection: the connection was refused")


def test_an_unreachable_board_for_machines(here: Here, closed_address: str) -> None:
    ended = here("info", "--json", closed_address, "--timeout", "0.3")

    assert ended.code == 1
    assert not ended.err
    assert ended.values["type"] == "ConnectError"
    assert closed_address in ended.values["error"]
