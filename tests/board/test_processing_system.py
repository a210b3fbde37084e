"""What a download sets up around the fabric: shutdown managers and port widths."""

import struct
from pathlib import Path
from typing import Any

import pytest

from pynq_async import Design, RemoteDevice, Timeouts, load_bitstream
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.sim import Hazards, SimBoard

from ..boards import simulated


def _store(sim: SimBoard, address: int, word: int) -> None:
    sim.memory.write(address, struct.pack("<I", word))


def _word(sim: SimBoard, address: int) -> int:
    return int(struct.unpack("<I", sim.memory.read(address, 4))[0])


def _design(**dictionaries: Any) -> Design:
    names = ("mem", "clock", "gpio", "hierarchy", "ip")
    values: dict[str, Any] = {f"{name}_dict": {} for name in names}
    values |= {"interrupt_controllers": {}, "interrupt_pins": {}, "digest": "0", "ps_name": "ps"}
    return Design(**(values | {"family": "zynqmp", "partial": False} | dictionaries))


def _managers(count: int) -> Design:
    ip = {
        f"dfx_{index}": {
            "type": "xilinx.com:ip:dfx_axi_shutdown_manager:1.0",
            "phys_addr": 0xA000_0000 + 0x1_0000 * index,
            "addr_range": 0x1_0000,
            "parameters": {},
            "registers": {},
        }
        for index in range(count)
    }
    return _design(ip_dict=ip)


@pytest.fixture
def zynqmp_file(tmp_path: Path) -> Path:
    path = tmp_path / "mp.bit"
    path.write_bytes(synthetic_bitstream("xczu7ev-ffvc1156", 4_000))
    return path


async def test_the_running_designs_shutdown_managers_are_stopped_before_the_next_one(zynqmp_file: Path) -> None:
    design = _managers(3)

    async with simulated(designs=[design]) as (sim, board):
        await board.download(zynqmp_file, design=design)
        assert sim.counters.calls["mmio.write"] == 0, "nothing was running before"
        await board.download(zynqmp_file)
        assert [sim.ip[f"dfx_{index}"].asked for index in range(3)] == [False] * 3, "reprogrammed since"
        assert sim.counters.calls["mmio.write"] == 3


async def test_another_process_knows_the_shutdown_managers_too(zynqmp_file: Path) -> None:
    design = _managers(1)

    async with simulated(designs=[design]) as (sim, board):
        await board.download(zynqmp_file, design=design)

        async with RemoteDevice(sim.address) as other:
            await other.shutdown()

        assert await board.mmio(0xA000_0000).read() == 0x0F


async def test_a_shutdown_manager_that_does_not_answer_is_a_warning(zynqmp_file: Path) -> None:
    design = _managers(1)
    hazards = Hazards(manager_polls=None)

    async with simulated(designs=[design], hazards=hazards, timeouts=Timeouts(shutdown=0.05)) as (
        sim,
        board,
    ):
        await board.download(zynqmp_file, design=design)

        with pytest.warns(RuntimeWarning, match=rf"^{board.name}: no quiet from shutdown manager dfx_0 at 0xa0000000"):
            await board.download(zynqmp_file, design=design)

        assert len(sim.counters.programmed) == 2


async def test_port_widths_are_those_of_the_design(zynqmp_file: Path) -> None:
    parameters = {"C_MAXIGP0_DATA_WIDTH": "32", "C_MAXIGP2_DATA_WIDTH": "128", "C_SAXIGP6_DATA_WIDTH": "64"}
    design = _design(
        ip_dict={"ps": {"type": "xilinx.com:ip:zynq_ultra_ps_e:3.3", "parameters": parameters, "registers": {}}}
    )

    async with simulated(family="zynqmp") as (sim, board):
        _store(sim, 0xFD61_5000, 0xA00)  # both ports 128 bits
        await board.download(zynqmp_file, design=design)
        assert _word(sim, 0xFD61_5000) == 0x800, "port 1 is left alone"
        assert _word(sim, 0xFF41_9000) == 0x200
        assert (_word(sim, 0xFF9B_0000), _word(sim, 0xFF9B_0014)) == (1, 1)
        writes = sim.counters.calls["mmio.write"]
        await board.download(zynqmp_file, design=design)
        assert sim.counters.calls["mmio.write"] == writes


async def test_a_partial_bitstream_touches_neither_clocks_nor_ports(tmp_path: Path) -> None:
    bitfile = tmp_path / "part.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000, partial=True))
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with simulated() as (sim, board):
        await board.download(await load_bitstream(bitfile), partial=True)
        assert sim.counters.calls["mmio.get_mmio"] == 0
