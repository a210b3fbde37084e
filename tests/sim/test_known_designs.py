"""Designs of a simulated board from files: in this process, and in processes of their own."""

from pathlib import Path

import pytest

from pynq_async import RemoteDevice
from pynq_async.bitstream import load_bitstream, shipped_description, synthetic_bitstream
from pynq_async.errors import BitstreamError, ConnectionLost, DesignError, InvalidArgument, SimulationError
from pynq_async.sim import spawn
from pynq_async.sim.known_designs import find_function, kernel_option, read_designs

RESIZE = 0x43C0_0000


@pytest.fixture
def resizer(tmp_path: Path) -> Path:
    path = tmp_path / "resizer.bit"
    path.write_bytes(synthetic_bitstream("7z020clg400", 4_000))
    path.with_suffix(".hwh").write_bytes(shipped_description("resizer"))
    return path


async def test_a_bitstream_stands_for_itself_and_a_description_for_any(resizer: Path) -> None:
    kernels = {"resize_accel_0": "operator:add"}
    exact, general = await read_designs([resizer, resizer.with_suffix(".hwh")], kernels)
    assert (exact.digest, general.digest) == ((await load_bitstream(resizer)).digest, None)
    assert exact.design == general.design
    assert exact.kernels["resize_accel_0"](2, 3) == 5


async def test_what_cannot_be_read_says_why(resizer: Path) -> None:
    with pytest.raises(
        InvalidArgument, match=r"'core': no design has this IP for a kernel; there are axi_dma_0, resize"
    ):
        await read_designs([resizer], {"core": "operator:add"})

    with pytest.raises(BitstreamError, match=r"none\.bit"):
        await read_designs([resizer.with_name("none.bit")])

    resizer.with_suffix(".hwh").unlink()

    with pytest.raises(DesignError, match="without a hardware description"):
        await read_designs([resizer])


@pytest.mark.parametrize("where", ["operator", "operator:", ":add", "no.such:add", "operator:nothing", "math:pi"])
def test_what_is_no_function_is_refused(where: str) -> None:
    with pytest.raises(InvalidArgument, match=f"'{where}'"):
        find_function(where)


def test_a_kernel_is_written_as_ip_and_function() -> None:
    assert kernel_option("a/core=package.module:function") == ("a/core", "package.module:function")

    for wrong in ("core", "core=function", "=m:f"):
        with pytest.raises(InvalidArgument, match="write IP=module:function"):
            kernel_option(wrong)


async def test_boards_in_processes_know_the_designs(resizer: Path) -> None:
    known = {"resize_accel_0": "operator:add"}

    async with spawn(1, designs=[resizer], kernels=known) as (address,), RemoteDevice(address) as board:
        await board.download(resizer)
        window = board.mmio(RESIZE, 0x1000)
        await window.write(0x10, 640)
        assert await window.read(0x10) == 640

        with pytest.raises(ConnectionLost):
            await board.mmio(0x4000_0000).read(0)


async def test_a_board_whose_designs_cannot_be_had_does_not_start(resizer: Path) -> None:
    with pytest.raises(DesignError):
        async with spawn(1, designs=[resizer.with_name("none.hwh")]):
            pass

    with pytest.raises(SimulationError, match="no design has this IP"):
        async with spawn(1, designs=[resizer], kernels={"core": "operator:add"}):
            pass
