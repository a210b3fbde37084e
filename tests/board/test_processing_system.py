"""What a download sets up around the fabric: shutdown managers, clocks, port widths."""

import struct
from pathlib import Path
from typing import Any

import pytest

from pynq_async import Design, RemoteDevice, Timeouts, load_bitstream, load_design
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.errors import Misuse, NotSupported, OutOfRange
from pynq_async.sim import Hazards, SimBoard

from ..boards import simulated

SLCR = 0xF800_0000
CRL_APB = 0xFF5E_0000
CRF_APB = 0xFD1A_0000
CRP = 0xF126_0000


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


async def test_zynq_clocks_are_set_to_the_frequencies_of_the_design(tmp_path: Path) -> None:
    bitfile = tmp_path / "resizer.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000))
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with simulated() as (sim, board):
        _store(sim, SLCR + 0x108, 30 << 12)  # IO_PLL_CTRL.PLL_FDIV: 1000 MHz from the design's 33.3
        _store(sim, SLCR + 0x170, 0x0010_0400)  # FPGA0_CLK_CTRL: divided by 4 and 1
        _store(sim, SLCR + 0x180, 0x0010_0400)
        loaded = await board.download(bitfile)
        assert loaded.design is not None
        clock = loaded.design.pl_clocks()[0]
        assert clock.mhz is not None
        assert await board.clocks.get_pl_clk(0) == pytest.approx(clock.mhz, rel=0.01)
        assert _word(sim, SLCR + 0x180) == 0x0010_0400, "the design does not use clock 1"

        writes = sim.counters.calls["mmio.write"]
        await board.download(bitfile)
        assert sim.counters.calls["mmio.write"] == writes, "registers that are right already are not written"
        _store(sim, SLCR + 0x170, 0x0010_0400)
        await board.download(bitfile, clocks=False)
        assert _word(sim, SLCR + 0x170) == 0x0010_0400


async def test_without_a_known_source_the_designs_divisors_are_used(sim: SimBoard, board: RemoteDevice) -> None:
    design = await load_design(shipped_description("resizer"))
    await board.clocks.apply(design)  # the simulated PLLs read as 0
    clock = design.pl_clocks()[0]
    word = _word(sim, SLCR + 0x170)
    assert (word >> 8 & 0x3F, word >> 20 & 0x3F) == (clock.divisor0, clock.divisor1)


async def test_zynqmp_clocks_come_from_their_plls() -> None:
    async with simulated(family="zynqmp") as (sim, board):
        clocks = board.clocks
        _store(sim, CRL_APB + 0x20, 90 << 8 | 1 << 16)  # IOPLL: 33.333 * 90 / 2
        _store(sim, CRL_APB + 0x30, 63 << 8)  # RPLL
        _store(sim, CRF_APB + 0x2C, 60 << 8)  # DPLL, divided by 2 on its way to the low-power domain
        _store(sim, CRF_APB + 0x4C, 2 << 8)

        for source, mhz in ((0, 33.333 * 45), (2, 33.333 * 63), (3, 33.333 * 30)):
            _store(sim, CRL_APB + 0xC4, 5 << 8 | 2 << 16 | source)
            assert await clocks.get_pl_clk(1) == pytest.approx(mhz / 10)

        _store(sim, CRL_APB + 0xC4, 5 << 8 | 2 << 16)
        assert await clocks.set_pl_clk(1, 100) == pytest.approx(100, rel=0.01)
        assert await clocks.get_pl_clk(1) == pytest.approx(100, rel=0.01)
        assert _word(sim, CRL_APB + 0xC4) >> 24 == 1, "the clock is enabled"


async def test_versal_clocks_have_one_divisor() -> None:
    async with simulated(family="versal") as (sim, board):
        _store(sim, CRP + 0x40, 72 << 8 | 1 << 16)  # PMCPLL: 33.3333 * 72 / 2
        assert await board.clocks.set_pl_clk(2, 100) == pytest.approx(100, rel=0.001)
        assert _word(sim, CRP + 0x5C8) == 1 << 24 | 12 << 8

        with pytest.raises(Misuse, match="1 divisors"):
            await board.clocks.set_divisors(2, 3, 4)


async def test_a_clock_that_cannot_be_had_is_the_nearest_with_a_warning(sim: SimBoard, board: RemoteDevice) -> None:
    _store(sim, SLCR + 0x108, 20 << 12)

    with pytest.warns(RuntimeWarning, match="PL clock 0 is 1000 MHz, the nearest to 1500"):
        assert await board.clocks.set_pl_clk(0, 1500) == 1000


async def test_clocks_that_make_no_sense_are_refused(board: RemoteDevice) -> None:
    with pytest.raises(OutOfRange):
        await board.clocks.get_pl_clk(4)

    with pytest.raises(OutOfRange):
        await board.clocks.set_pl_clk(0, 0)

    with pytest.raises(OutOfRange):
        await board.clocks.set_divisors(0, 64, 1)

    with pytest.raises(NotSupported, match="not set up"):
        await board.clocks.set_pl_clk(0, 100)

    assert await board.clocks.get_pl_clk(0) == 0.0


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
