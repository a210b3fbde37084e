"""Models of IP on a simulated board: when they are there, where, and what happens elsewhere."""

import asyncio
from typing import Any

import pytest

from pynq_async import Design, RemoteDevice
from pynq_async.errors import BoardError, ConnectionLost, InvalidArgument, ServerError, SimulationError
from pynq_async.sim import Hazards, IpModel, SimBoard, SimDesign, Site

from ..boards import simulated
from ..designs import design, firmware, ip, memory

LEDS = 0x4120_0000
BUTTONS = 0x4121_0000
LINES = 0x4000_0000

SMALL = design(
    {"leds": ip("acme.com:user:leds:1.0", LEDS), "io/btns": ip("acme.com:user:leds:1.0", BUTTONS)},
    memories={"lines": memory(LINES, 0x2000)},
)

PINS = design({"pins": ip("xilinx.com:ip:axi_gpio:2.0", LEDS)})


class Constant(IpModel):
    """Reads as one word."""

    def load(self, offset: int) -> int:
        return 0x1_2345_6789

    def store(self, offset: int, word: int) -> None:
        self.site.later(60, lambda: None)


async def test_the_ip_of_a_design_answers_once_it_is_programmed() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        assert list(sim.ip) == []
        await board.download(firmware())
        assert sorted(sim.ip) == ["io/btns", "leds", "lines"]
        window = board.mmio(LEDS, 4096)
        await window.write(8, 0xF)
        assert await window.read(8) == 0xF
        assert sim.ip["leds"].words == {8: 0xF}
        assert sim.ip["io/btns"].words == {}


async def test_a_memory_is_the_boards_memory() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        window = board.mmio(LINES, 0x2000)
        await window.write(0x1FFC, 7)
        assert sim.memory.load(LINES + 0x1FFC) == 7
        sim.memory.store(LINES, 8)
        assert await window.read(0) == 8


@pytest.mark.parametrize("key", ["leds", "acme.com:user:leds"])
async def test_an_own_model_is_chosen_by_name_or_by_type(key: str) -> None:
    known = SimDesign(SMALL, models={key: Constant})

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware())
        assert await board.mmio(LEDS).read(0) == 0x2345_6789, "a register has 32 bits"
        assert isinstance(sim.ip["io/btns"], Constant) is (":" in key)


async def test_hooks_see_what_a_model_answers_and_change_what_it_is_given() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        sim.on_write(LEDS, lambda _, word: word + 1)
        sim.on_read(LEDS, lambda _, word: word * 10)
        await board.mmio(LEDS).write(0, 1)
        assert sim.ip["leds"].words == {0: 2}
        assert await board.mmio(LEDS).read(0) == 20


async def test_a_name_that_is_not_there_gets_the_names_that_are() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        with pytest.raises(SimulationError, match="no IP 'leds' now; there is none"):
            _ = sim.ip["leds"]

        await board.download(firmware())

        with pytest.raises(SimulationError, match="no IP 'btns' now; there is io/btns, leds, lines"):
            _ = sim.ip["btns"]


async def test_programming_again_makes_the_models_anew_and_ends_what_they_had_begun() -> None:
    async with simulated(designs=[SimDesign(SMALL, models={"leds": Constant})]) as (sim, board):
        await board.download(firmware())
        before = sim.ip["leds"]
        sim.memory.store(LINES, 1)
        ticks: list[None] = []
        _tick(before, ticks)
        await board.download(firmware(1))
        assert sim.ip["leds"] is not before
        assert sim.memory.load(LINES) == 0
        begun = len(ticks)
        before.site.later(0, lambda: ticks.append(None))
        cancel = sim.ip["leds"].site.later(0, lambda: ticks.append(None))
        cancel()
        arrived = asyncio.Event()
        sim.ip["leds"].site.later(0.005, arrived.set)
        await arrived.wait()
        assert len(ticks) == begun > 0


async def test_a_reboot_empties_the_fabric_and_a_restart_of_the_server_does_not() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        leds = sim.ip["leds"]
        await sim.restart()
        assert sim.ip["leds"] is leds
        await sim.reboot()
        assert list(sim.ip) == []


async def test_switching_a_board_off_ends_what_its_models_had_begun() -> None:
    ticks: list[None] = []

    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        _tick(sim.ip["leds"], ticks)

    begun = len(ticks)
    await asyncio.sleep(0.005)
    assert len(ticks) == begun
    assert "leds" in sim.ip


async def test_the_fabric_is_empty_while_it_is_programmed_over() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        sim.faults.program_seconds = 0.05

        async with asyncio.TaskGroup() as group:
            download = group.create_task(board.download(firmware(1)))

            while sim.fpga.state != "write":
                await asyncio.sleep(0.001)

            assert list(sim.ip) == []
            await download

        assert "leds" in sim.ip


async def test_what_is_refused_by_the_fpga_manager_leaves_the_models() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        leds = sim.ip["leds"]
        sim.faults.program_state = "write init error"

        with pytest.raises(BoardError):
            await board.download(firmware(1))

        assert sim.ip["leds"] is leds


async def test_designs_are_told_apart_by_their_bitstreams_digest() -> None:
    other = design({"other": ip("acme.com:user:leds:1.0", LEDS)})
    known = [SimDesign(SMALL, digest=firmware(1).digest), SimDesign(other, digest=firmware(2).digest)]

    async with simulated(designs=known, digests=False) as (sim, board):
        for seed, names in ((1, ["io/btns", "leds", "lines"]), (2, ["other"]), (3, [])):
            await board.download(firmware(seed))
            assert sorted(sim.ip) == names


async def test_a_partial_design_replaces_what_it_overlaps_and_nothing_else() -> None:
    part = design(
        {"fir": ip("acme.com:user:fir:1.0", BUTTONS - 0x1000, 0x2000)},
        memories={"taps": memory(0x4200_0000, 0x2000)},
        partial=True,
    )

    async with simulated(designs=[SMALL, part]) as (sim, board):
        await board.download(firmware())
        leds = sim.ip["leds"]
        await board.download(firmware(1, partial=True), partial=True)
        assert sorted(sim.ip) == ["fir", "lines", "taps"], "the LEDs end where the filter begins"
        await board.download(firmware())
        assert sorted(sim.ip) == ["io/btns", "leds", "lines"]
        assert sim.ip["leds"] is not leds


@pytest.mark.parametrize("address", [LEDS, 0x4300_0000, 0xBFFF_FFFC])
async def test_touching_what_is_not_there_ends_the_server(address: int) -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        said: list[str] = []
        sim.on_crash = said.append

        if address != LEDS:
            await board.download(firmware())

        base = address // 4096 * 4096
        window = board.mmio(base, 4096)

        with pytest.raises(ConnectionLost):
            await window.read(address - base)

        why = "nothing is programmed" if address == LEDS else "nothing is there in the design that is programmed"
        assert sim.counters.crashes == [f"bus error at {address:#x}: {why}"]
        assert said == [f"bus error at {address:#x}: {why}; the server died and comes back"]
        assert sim.counters.bus_errors == 1
        await _back(sim)


async def test_touching_what_is_not_there_may_be_an_error_of_the_call_only() -> None:
    async with simulated(designs=[SMALL], hazards=Hazards(fatal_bus_errors=False)) as (sim, board):
        window = board.mmio(LEDS, 4096)

        for touch in (window.read(0), window.write(0, 1)):
            with pytest.raises(ServerError, match="bus error at 0x41200000"):
                await touch

        assert (sim.counters.bus_errors, sim.counters.crashes) == (2, [])
        await board.download(firmware())
        assert await window.read(0) == 0


async def test_a_board_without_designs_has_plain_memory() -> None:
    async with simulated() as (sim, board):
        await board.download(firmware())
        await board.mmio(LEDS).write(0, 5)
        assert sim.memory.load(LEDS) == 5


async def test_registers_of_the_processing_system_stay_memory() -> None:
    async with simulated(designs=[SMALL]) as (_, board):
        await board.mmio(0xF800_0000).write(0, 5)
        assert await board.mmio(0xF800_0000).read(0) == 5


async def test_where_memory_answers_a_master() -> None:
    async with simulated(designs=[SMALL]) as (sim, board):
        await board.download(firmware())
        site = sim.ip["leds"].site

        async with await board.allocate(5000, "u1") as buffer:
            assert site.physical(buffer.device_address, 5000)
            assert site.physical(LINES + 0x1000, 0x1000)
            assert sim.counters.strays == 0
            assert site.physical(buffer.device_address, 9000), "it is memory, only not the buffer's"
            assert sim.counters.strays == 1

        for address, length in ((LEDS, 4), (LINES, 0x2004), (0x3FFF_FFFC, 8), (0xF800_0000, 4), (0x2000_0000, 0)):
            assert not site.physical(address, length)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: SimDesign(SMALL, models={"led": IpModel}), "no IP 'led'; it has io/btns, leds, lines"),
        (lambda: SimDesign(SMALL, kernels={"fir": print}), "no IP 'fir'"),
        (lambda: SimDesign(SMALL, kernels={"leds": 3}), "leds: a kernel is a function, not 3"),  # type: ignore[dict-item]
        (lambda: SimDesign(SMALL, models={"leds": 3}), "leds: a model is a function, not 3"),  # type: ignore[dict-item]
        (lambda: SimDesign(SMALL, kernels={"lines": print}), "lines is no HLS kernel that runs a function, but BRAM"),
        (lambda: SimDesign(PINS, kernels={"pins": print}), "pins is no HLS kernel .* but xilinx.com:ip:axi_gpio:2.0"),
        (lambda: SimDesign("a.hwh"), "'a.hwh' is no design; pass what load_design"),  # type: ignore[arg-type]
        (lambda: SimBoard(designs=["a.hwh"]), "'a.hwh' is no design"),  # type: ignore[list-item]
        (lambda: SimBoard(designs="a.hwh"), "'a.hwh' is no design"),  # type: ignore[arg-type]
        (lambda: SimBoard(designs=None), "None is no design"),  # type: ignore[arg-type]
        (lambda: SimBoard(designs=[SMALL], family="zynqmp"), "a zynqmp cannot hold a design for zynq7000"),
    ],
)
def test_what_cannot_be_right_is_refused(make: Any, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        make()


@pytest.mark.parametrize("one", [SMALL, SimDesign(SMALL)])
async def test_one_design_needs_no_list(one: Design | SimDesign) -> None:
    async with simulated(designs=one) as (sim, board):
        await board.download(firmware())
        assert "leds" in sim.ip


def test_a_kernel_may_go_to_a_model_of_ones_own() -> None:
    SimDesign(PINS, models={"pins": IpModel}, kernels={"pins": print})
    SimDesign(SMALL, kernels={"leds": print})


def test_the_family_is_that_of_the_designs() -> None:
    assert SimBoard(designs=[design(family="versal")]).family.name == "versal"
    assert SimBoard().family.name == "zynq7000"


async def test_a_model_is_given_its_place_in_the_design() -> None:
    given: list[Site] = []

    def make(site: Site) -> IpModel:
        given.append(site)
        return IpModel(site)

    made = design(
        {"top/fir/s_axi": ip("acme.com:user:fir:1.0", LEDS, parameters={"C_WIDTH": 8}, registers={"CTRL": 4})}
    )
    made.ip_dict["top/fir/s_axi"]["fullpath"] = "top/fir"  # as of an IP with several address ranges
    known = SimDesign(made, models={"top/fir/s_axi": make}, kernels={"top/fir/s_axi": max})

    async with simulated(designs=[known]) as (sim, board):
        await board.download(firmware())
        (site,) = given
        assert (site.name, site.path, site.type) == ("top/fir/s_axi", "top/fir", "acme.com:user:fir:1.0")
        assert (site.base, site.size, site.parameters) == (LEDS, 0x1_0000, {"C_WIDTH": "8"})
        assert site.registers["CTRL"]["address_offset"] == 4
        assert (site.kernel, site.memory) == (max, sim.memory)


def _tick(model: IpModel, ticks: list[None]) -> None:
    """Let a model do something every millisecond."""
    ticks.append(None)
    model.site.later(0.001, lambda: _tick(model, ticks))


async def _back(sim: SimBoard) -> None:
    async with asyncio.timeout(5):
        while sim.counters.starts < 2:
            await asyncio.sleep(0.001)

        async with RemoteDevice(sim.address):
            return
