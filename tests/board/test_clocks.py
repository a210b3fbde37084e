"""The CPU clock and the clocks for the programmable logic."""

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from pynq_async import Design, RemoteDevice, load_design
from pynq_async.bitstream import shipped_description, synthetic_bitstream
from pynq_async.errors import Misaligned, Misuse, NotSupported, OutOfRange
from pynq_async.hardware.clocks import CLOCK_TREES
from pynq_async.sim import SimBoard

from ..boards import simulated, under_faults

SLCR = 0xF800_0000
CRL_APB = 0xFF5E_0000
CRF_APB = 0xFD1A_0000
CRP = 0xF126_0000

PL_CLOCKS = {
    "zynq7000": (SLCR + 0x170, 0x10, "PCW_FPGA{}_PERIPHERAL_FREQMHZ"),
    "zynqmp": (CRL_APB + 0xC0, 4, "PSU__CRL_APB__PL{}_REF_CTRL__FREQMHZ"),
    "versal": (CRP + 0x5C0, 4, "PMC_CRP_PL{}_REF_CTRL_FREQMHZ"),
}


def _store(sim: SimBoard, address: int, word: int) -> None:
    sim.memory.write(address, struct.pack("<I", word))


def _word(sim: SimBoard, address: int) -> int:
    return int(struct.unpack("<I", sim.memory.read(address, 4))[0])


def _design(family: str, mhz: Mapping[int, float]) -> Design:
    """A design that uses PL clocks of these frequencies."""
    names = ("mem", "clock", "gpio", "hierarchy", "ip")
    values: dict[str, Any] = {f"{name}_dict": {} for name in names}
    values |= {"interrupt_controllers": {}, "interrupt_pins": {}, "digest": "0", "ps_name": "ps", "partial": False}
    values["clock_dict"] = {index: {"enable": 1, "divisor0": 4, "divisor1": 2} for index in mhz}
    parameters = {PL_CLOCKS[family][2].format(index): str(frequency) for index, frequency in mhz.items()}
    values["ip_dict"] = {"ps": {"type": "ps", "parameters": parameters, "registers": {}}}
    return Design(**(values | {"family": family}))


@contextmanager
def _round_trips(sim: SimBoard) -> Iterator[list[int]]:
    """The register accesses of the block; one more entry for each that began when no other was under way."""
    begun: list[int] = []
    original = sim.faults.seconds

    def seconds(method: str) -> float:
        if sim.counters.unary_now <= 1:
            begun.append(1)

        return original(method)

    sim.faults.seconds = seconds  # type: ignore[method-assign]

    try:
        sim.faults.latency = 0.02
        yield begun
    finally:
        sim.faults.latency = 0.0
        sim.faults.seconds = original  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("family", "cpu", "pl"),
    [
        ("zynq7000", 650.0, [100.0, 1000 / 7, 200.0, 100.0]),
        ("zynqmp", 1200.0, [100.0, 300.0, 150.0, 250.0]),
        ("versal", 1350.0, [100.0] * 4),
    ],
)
async def test_a_board_that_has_just_booted_has_the_clocks_of_a_real_one(
    family: str, cpu: float, pl: list[float]
) -> None:
    async with simulated(family=family) as (sim, board):
        for _ in range(2):
            assert await board.clocks.cpu_mhz() == pytest.approx(cpu, rel=1e-4)
            assert [await board.clocks.get_pl_clk(index) for index in range(4)] == pytest.approx(pl, rel=1e-4)
            _store(sim, PL_CLOCKS[family][0], 0)
            await sim.reboot()


async def test_the_cpu_clock_follows_its_source_and_divisor() -> None:
    async with simulated(family="zynq7000") as (sim, board):
        for source, mhz in ((0, 1300.0), (1, 1300.0), (2, 1050.0), (3, 1000.0)):
            _store(sim, SLCR + 0x120, 4 << 8 | source << 4)
            assert await board.clocks.cpu_mhz() == pytest.approx(mhz / 4)

    async with simulated(family="zynqmp") as (sim, board):
        for source, factor in ((0, 36), (2, 32), (3, 45)):
            _store(sim, CRF_APB + 0x60, 1 << 24 | 2 << 8 | source)
            assert await board.clocks.cpu_mhz() == pytest.approx(33.333 * factor / 2)

    async with simulated(family="versal") as (sim, board):
        _store(sim, CRP + 0x100, 3 << 8)  # PPLL_TO_XPD_CTRL

        for source, mhz in ((0, 1200 / 3), (1, 600), (2, 1350), (3, 1000)):
            _store(sim, 0xFD1A_010C, 1 << 25 | 2 << 8 | source)
            assert await board.clocks.cpu_mhz() == pytest.approx(mhz / 2, rel=1e-5)


async def test_a_clock_that_is_not_set_up_has_no_frequency(sim: SimBoard, board: RemoteDevice) -> None:
    for offset in (0x108, 0x120):
        _store(sim, SLCR + offset, 0)

    assert await board.clocks.cpu_mhz() == 0.0
    assert await board.clocks.get_pl_clk(0) == 0.0

    with pytest.raises(NotSupported, match=f"^{board.name}: the PLL that feeds PL clock 0 is not set up"):
        await board.clocks.set_pl_clk(0, 100)


async def test_clocks_are_set_to_the_frequencies_of_the_design(tmp_path: Path) -> None:
    bitfile = tmp_path / "resizer.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000))
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with simulated() as (sim, board):
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


@pytest.mark.parametrize("family", list(PL_CLOCKS))
async def test_any_number_of_clocks_takes_few_round_trips(family: str) -> None:
    async with simulated(family=family) as (sim, board):
        clocks = board.clocks
        await clocks.apply(_design(family, dict.fromkeys(range(4), 100.0)))  # the window is mapped by now

        for mhz, trips, calls in (([50.0, 25.0, 20.0, 10.0], 3, 9), ([50.0, 25.0, 20.0, 10.0], 2, 5)):
            before = sim.counters.calls["mmio.read"] + sim.counters.calls["mmio.write"]

            with _round_trips(sim) as begun:
                await clocks.apply(_design(family, dict(enumerate(mhz))))

            assert len(begun) == trips
            assert sim.counters.calls["mmio.read"] + sim.counters.calls["mmio.write"] - before == calls
            assert [await clocks.get_pl_clk(index) for index in range(4)] == pytest.approx(mhz, rel=0.01)


@pytest.mark.parametrize("family", list(PL_CLOCKS))
async def test_only_the_clock_that_differs_is_written(family: str) -> None:
    async with simulated(family=family) as (sim, board):
        await board.clocks.apply(_design(family, {0: 100.0, 2: 50.0}))
        writes = sim.counters.calls["mmio.write"]
        await board.clocks.apply(_design(family, {0: 100.0, 2: 25.0}))
        assert sim.counters.calls["mmio.write"] == writes + 1
        assert await board.clocks.get_pl_clk(2) == pytest.approx(25, rel=0.01)


async def test_divisors_that_give_the_frequency_already_are_kept(sim: SimBoard, board: RemoteDevice) -> None:
    for word in (0x0020_0500, 0x0050_0200, 0x00A0_0100):
        _store(sim, SLCR + 0x170, word)
        assert await board.clocks.set_pl_clk(0, 100) == 100
        assert _word(sim, SLCR + 0x170) == word


async def test_the_crystal_is_the_boards_and_not_the_designs(sim: SimBoard, board: RemoteDevice) -> None:
    design = await load_design(shipped_description("resizer"))
    assert design.pl_clocks()[0].reference_mhz == pytest.approx(33.333, rel=1e-4)
    await board.clocks.apply(design)
    assert board.clocks.reference_mhz == 50.0
    assert _word(sim, SLCR + 0x170) == 0x0020_0500, "100 MHz as they are"


@pytest.mark.parametrize("family", list(PL_CLOCKS))
async def test_the_crystals_older_name_in_the_device_tree_is_known(family: str) -> None:
    new, old = CLOCK_TREES[family].reference_files

    async with simulated(family=family) as (sim, board):
        sim.files.remove(new)
        sim.files.write_bytes(old, (40_000_000).to_bytes(4, "big"))
        await board.clocks.cpu_mhz()
        assert board.clocks.reference_mhz == 40.0


@pytest.mark.parametrize("content", [None, b"", b"50 MHz"])
async def test_without_the_device_tree_the_crystal_is_the_designs(content: bytes | None) -> None:
    design = await load_design(shipped_description("resizer"))

    async with simulated() as (sim, board):
        path = CLOCK_TREES["zynq7000"].reference_files[0]
        sim.files.remove(path)

        if content is not None:
            sim.files.write_bytes(path, content)

        assert await board.clocks.cpu_mhz() == 650.0
        assert board.clocks.reference_mhz == 50.0
        _store(sim, SLCR + 0x108, 30 << 12)
        await board.clocks.apply(design)
        assert board.clocks.reference_mhz == pytest.approx(33.333, rel=1e-4)
        assert await board.clocks.get_pl_clk(0) == pytest.approx(100, rel=0.01)


async def test_without_a_known_source_the_designs_divisors_are_used(sim: SimBoard, board: RemoteDevice) -> None:
    design = await load_design(shipped_description("resizer"))
    _store(sim, SLCR + 0x108, 0)
    await board.clocks.apply(design)
    clock = design.pl_clocks()[0]
    word = _word(sim, SLCR + 0x170)
    assert (word >> 8 & 0x3F, word >> 20 & 0x3F) == (clock.divisor0, clock.divisor1)


async def test_zynqmp_clocks_come_from_their_plls() -> None:
    async with simulated(family="zynqmp") as (sim, board):
        clocks = board.clocks
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
        assert await board.clocks.set_pl_clk(2, 50) == pytest.approx(50, rel=0.001)
        assert _word(sim, CRP + 0x5C8) == 1 << 24 | 24 << 8

        with pytest.raises(Misuse, match="1 divisors"):
            await board.clocks.set_divisors(2, 3, 4)


async def test_divisors_can_be_set_as_they_are(sim: SimBoard, board: RemoteDevice) -> None:
    await board.clocks.set_divisors(3, 10, 3)
    assert _word(sim, SLCR + 0x1A0) == 0x0030_0A00
    assert await board.clocks.get_pl_clk(3) == pytest.approx(1000 / 30)


async def test_a_clock_that_cannot_be_had_is_the_nearest_with_a_warning(sim: SimBoard, board: RemoteDevice) -> None:
    with pytest.warns(RuntimeWarning, match="PL clock 0 is 1000 MHz, the nearest to 1500") as caught:
        assert await board.clocks.set_pl_clk(0, 1500) == 1000

    assert caught[0].filename == __file__

    with pytest.warns(RuntimeWarning, match=r"PL clock 1 is 0\.25195"):
        await board.clocks.apply(_design("zynq7000", {1: 0.01}))


async def test_clocks_that_make_no_sense_are_refused(sim: SimBoard, board: RemoteDevice) -> None:
    clocks = board.clocks

    for call in (
        clocks.get_pl_clk(4),
        clocks.get_pl_clk(-1),
        clocks.set_pl_clk(0, 0),
        clocks.set_pl_clk(0, float("nan")),
        clocks.set_divisors(0, 64, 1),
        clocks.set_divisors(0, 1, 0),
    ):
        with pytest.raises(OutOfRange, match=f"^{board.name}: "):
            await call

    assert sim.counters.calls["mmio.get_mmio"] == 0, "refused before anything is sent"


async def test_a_partial_bitstream_does_not_touch_the_clocks(tmp_path: Path) -> None:
    bitfile = tmp_path / "part.bit"
    bitfile.write_bytes(synthetic_bitstream("7z020clg400", 4_000, partial=True))
    bitfile.with_suffix(".hwh").write_bytes(shipped_description("resizer"))

    async with simulated() as (sim, board):
        await board.download(bitfile, partial=True)
        assert sim.counters.calls["mmio.get_mmio"] == 0


async def test_many_registers_are_written_at_once_or_in_order(sim: SimBoard, board: RemoteDevice) -> None:
    registers = board.mmio(0x4000_0000, 0x100)
    seen: list[int] = []

    def watch(address: int, word: int) -> int:
        seen.append(address & 0xFF)
        return word

    sim.on_write(0x4000_0000, watch, length=0x100)
    await registers.write_many({0x20: 1, 0x0: 2, 0x10: -1})
    assert seen == [0x20, 0x0, 0x10]
    assert [await registers.read(offset) for offset in (0, 0x10, 0x20)] == [2, 0xFFFF_FFFF, 1]
    await registers.write_many({0x20: 3, 0x0: 4}, ordered=False)
    assert [await registers.read(offset) for offset in (0, 0x20)] == [4, 3]
    await registers.write_many({})
    writes = sim.counters.calls["mmio.write"]

    for words, error in (
        ({0: 1, 2: 1}, Misaligned),
        ({0: 1, 0x100: 1}, OutOfRange),
        ({0: 1, 4: 1 << 32}, OutOfRange),
        ({0: b"12345678"}, Misuse),
    ):
        with pytest.raises(error, match=f"^{board.name}: "):
            await registers.write_many(words)  # type: ignore[arg-type]

    assert sim.counters.calls["mmio.write"] == writes


@pytest.mark.parametrize("method", ["mmio.read", "mmio.write"])
async def test_faults_give_a_typed_error_and_leave_the_clocks_usable(method: str) -> None:
    frequencies = cycle([[50, 25, 20, 10], [10, 50, 25, 20]])  # what is right already is not written

    async with simulated() as (sim, board):

        async def apply() -> None:
            wanted = next(frequencies)
            await board.clocks.apply(_design("zynq7000", dict(enumerate(wanted))))
            assert [await board.clocks.get_pl_clk(index) for index in range(4)] == pytest.approx(wanted, rel=0.01)

        await under_faults(sim, method, apply)
