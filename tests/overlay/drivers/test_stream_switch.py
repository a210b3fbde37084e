"""The driver of the AXI4-Stream Switch against its model."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from pynq_async import Overlay, RemoteDevice
from pynq_async.errors import Misuse, NotInDesign, OutcomeUnknown, OutOfRange
from pynq_async.hardware.axis_switch import MI_MUX
from pynq_async.overlay import StreamSwitch
from pynq_async.sim import SimBoard
from tests.boards import simulated

from ...designs import design, firmware, ip

ADDRESS = 0x43C0_0000
DESIGN = design(
    {
        "switch": ip(
            "xilinx.com:ip:axis_switch:1.1",
            ADDRESS,
            parameters={"NUM_MI": 4, "NUM_SI": 3, "ROUTING_MODE": 1, "M03_S01_CONNECTIVITY": 0},
        )
    }
)


@asynccontextmanager
async def loaded() -> AsyncIterator[tuple[SimBoard, RemoteDevice, StreamSwitch]]:
    async with simulated(designs=[DESIGN]) as (sim, board):
        overlay = await Overlay.load(board, firmware(), design=DESIGN)
        assert isinstance(overlay.switch, StreamSwitch)
        yield sim, board, overlay.switch


def routed(sim: SimBoard) -> Mapping[int, int]:
    """What the simulated switch does."""
    routes: Mapping[int, int] = sim.ip["switch"].routes
    return routes


async def test_routes_are_set_at_once_and_read_back() -> None:
    async with loaded() as (sim, _, switch):
        assert (switch.max_slots, switch.inputs) == (4, 3)
        assert await switch.routing() == routed(sim) == {}
        await switch.set_routing({0: 2, 3: 0})
        assert await switch.routing() == routed(sim) == {0: 2, 3: 0}
        await switch.default()
        assert await switch.routing() == routed(sim) == {0: 0, 1: 1, 2: 2}
        await switch.disable()
        assert await switch.routing() == routed(sim) == {}


async def test_one_route_is_changed_and_the_others_stay() -> None:
    async with loaded() as (sim, _, switch):
        await switch.default()
        writes = sim.counters.calls["mmio.write"]
        await switch.disable(0)
        await switch.select(3, 0)
        assert await switch.routing() == routed(sim) == {1: 1, 2: 2, 3: 0}
        assert sim.counters.calls["mmio.write"] == writes + 4


async def test_data_goes_where_the_routes_say() -> None:
    async with loaded() as (sim, _, switch):
        site = sim.ip["switch"].site
        site.stream("S01_AXIS").send(b"first")
        await switch.set_routing({2: 1})
        assert site.stream("M02_AXIS").take() == b"first"
        site.stream("S01_AXIS").send(b"second")
        assert site.stream("M02_AXIS").take() == b"second"


async def test_what_cannot_be_is_refused_before_anything_is_sent() -> None:
    async with loaded() as (sim, _, switch):
        calls = sim.counters.calls.total()

        with pytest.raises(OutOfRange, match=r"switch has outputs 0 to 3, not 4"):
            await switch.set_routing({4: 0})

        with pytest.raises(OutOfRange, match=r"switch has inputs 0 to 2, not 3"):
            await switch.select(0, 3)

        with pytest.raises(OutOfRange, match="outputs 0 to 3, not -1"):
            await switch.disable(-1)

        with pytest.raises(Misuse, match="outputs 0 and 2 cannot both take input 1"):
            await switch.set_routing({2: 1, 0: 1})

        with pytest.raises(NotInDesign, match="the design connects no input 1 to output 3"):
            await switch.select(3, 1)

        with pytest.raises(Misuse, match="'0' is no number of an output"):
            await switch.select("0", 1)  # type: ignore[arg-type]

        assert sim.counters.calls.total() == calls


async def test_an_input_that_another_output_has_is_refused_before_anything_is_written() -> None:
    async with loaded() as (sim, _, switch):
        await switch.default()
        writes = sim.counters.calls["mmio.write"]

        with pytest.raises(Misuse, match="outputs 2 and 3 cannot both take input 2; disable one of them first"):
            await switch.select(3, 2)

        assert sim.counters.calls["mmio.write"] == writes
        await switch.select(2, 2)


async def test_of_two_tasks_that_want_one_input_one_is_refused() -> None:
    async with loaded() as (sim, _, switch):
        results = await asyncio.gather(switch.select(0, 2), switch.select(1, 2), return_exceptions=True)
        assert [type(result) for result in results] == [type(None), Misuse]
        assert routed(sim) == {0: 2}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", [0, 2, 4])
async def test_when_a_call_is_lost_there_is_an_error_and_the_switch_is_usable(write: int, after: bool) -> None:
    async with loaded() as (sim, _, switch):
        await switch.select(3, 2)
        sim.faults.delay("*", 0.002)

        def lose_one(_: int, word: int) -> int:
            sim.faults.drop("mmio.write", after=after)
            return word

        forget = sim.on_write(ADDRESS + MI_MUX + 4 * (write - 1), lose_one) if write else lambda: None

        if not write:
            sim.faults.drop("mmio.write", after=after)

        with pytest.raises(OutcomeUnknown):
            await switch.default()

        committed = write == 4 and after
        assert routed(sim) == ({0: 0, 1: 1, 2: 2} if committed else {3: 2})
        forget()
        await switch.default()
        assert await switch.routing() == routed(sim) == {0: 0, 1: 1, 2: 2}
