"""Regions of a design that are reconfigured, through this overlay, another one, or by hand."""

import asyncio

import pytest

from pynq_async import DefaultHierarchy, DefaultIP, Overlay
from pynq_async.errors import (
    DesignReplaced,
    FabricBusy,
    InvalidArgument,
    NotInDesign,
    NotLoaded,
    OutOfRange,
    ProgrammingFailed,
)
from pynq_async.overlay import IpDescription
from tests.boards import begun, simulated

from ..designs import design, firmware, ip, memory

ADDER = 0x43C0_0000
PARTS = design({"filter/fir": ip("acme.com:user:fir:1.0", ADDER), "adder": ip("acme.com:user:adder:1.0", 0x4300_0000)})
IIR = design(
    {"iir": ip("acme.com:user:iir:1.0", ADDER, 0x1000)}, memories={"taps": memory(ADDER + 0x8000, 0x1000)}, partial=True
)


async def test_a_region_is_reconfigured_and_its_ip_bound_again() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS)
        fir, adder = overlay.filter.fir, overlay.adder
        await overlay.pr_download("filter", firmware(2, partial=True), design=IIR)
        assert [event.partial for event in sim.counters.programmed] == [False, True]
        assert list(overlay.filter.members) == ["iir", "taps"]
        assert "filter/iir" in overlay.ip_dict and "filter/fir" not in overlay.ip_dict
        assert "filter/taps" in overlay.mem_dict
        await overlay.filter.iir.write(4, 9)
        assert overlay.adder is adder
        await adder.read(0)

        with pytest.raises(DesignReplaced, match="the region of filter/fir was reconfigured"):
            await fir.read(0)


async def test_a_partial_bitstream_that_does_not_fit_its_region_is_refused() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS)
        calls = sim.counters.calls.total()
        outside = design({"iir": ip("acme.com:user:iir:1.0", ADDER + 0x8000)}, partial=True)

        with pytest.raises(OutOfRange, match=r"iir at 0x43c08000 to 0x43c17fff lies outside the region filter"):
            await overlay.pr_download("filter", firmware(2, partial=True), design=outside)

        with pytest.raises(NotInDesign, match="no region 'fir'; its hierarchies: filter"):
            await overlay.pr_download("fir", firmware(2, partial=True), design=IIR)

        assert sim.counters.calls.total() == calls
        await overlay.filter.fir.read(0)


async def test_a_second_reconfiguration_is_refused_and_changes_nothing_of_the_first() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS)
        fir = overlay.filter.fir
        await fir.read(0)
        sim.faults.program_seconds = 0.2

        async with asyncio.TaskGroup() as group:
            group.create_task(overlay.pr_download("filter", firmware(2, partial=True), design=IIR))

            async with asyncio.timeout(5):
                while not board.generation.reconfigured:
                    await asyncio.sleep(0.001)

            old = group.create_task(_refused(fir))

            with pytest.raises(FabricBusy):
                await overlay.pr_download("filter", firmware(3, partial=True), design=IIR)

        assert "the region of filter/fir was reconfigured" in await old
        assert sim.memory.load(ADDER + 0x10) == 0
        await overlay.filter.iir.read(0)


async def _refused(old: DefaultIP) -> str:
    with pytest.raises(DesignReplaced) as caught:
        await old.write(0x10, 0x11)

    return str(caught.value)


async def test_every_overlay_of_a_board_notices_that_a_region_was_reconfigured() -> None:
    async with simulated() as (_, board):
        first = await Overlay.load(board, firmware(1), design=PARTS)
        second = await Overlay.load(board, firmware(1), design=PARTS, download=False)
        await second.filter.fir.read(0)
        await first.pr_download("filter", firmware(2, partial=True), design=IIR)
        await _refused(second.filter.fir)
        await second.adder.read(0)

        with pytest.raises(NotLoaded, match=r"design2.bit replaced parts of design1.bit"):
            await Overlay.load(board, firmware(1), design=PARTS, download=False)

        third = await Overlay.load(board, firmware(1), design=PARTS)
        await third.filter.fir.read(0)
        await board.download(firmware(2, partial=True), design=IIR, partial=True)
        await _refused(third.filter.fir)


async def test_what_is_loaded_is_known_after_a_reconfiguration_that_failed() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS)
        sim.faults.program_state = "write error"

        with pytest.raises(ProgrammingFailed):
            await overlay.pr_download("filter", firmware(2, partial=True), design=IIR)

        await _refused(overlay.filter.fir)
        sim.faults.program_state = None
        await overlay.pr_download("filter", firmware(3, partial=True), design=IIR)
        await overlay.filter.iir.read(0)
        assert await overlay.is_loaded()
        loaded = await board.loaded()
        assert loaded is not None and loaded.name == "design1.bit" and loaded.partials[-1] == "design3.bit"


async def test_a_reconfiguration_that_is_cancelled_while_it_is_programmed_leaves_the_old_ip_refused() -> None:
    async with simulated() as (sim, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS)
        await overlay.filter.fir.read(0)
        sim.faults.program_seconds = 0.05
        task = asyncio.ensure_future(overlay.pr_download("filter", firmware(2, partial=True), design=IIR))

        async with asyncio.timeout(5):
            while not board.generation.reconfigured:
                await asyncio.sleep(0.001)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task

        await _refused(overlay.filter.fir)
        await overlay.pr_download("filter", firmware(2, partial=True), design=IIR)
        await overlay.filter.iir.read(0)


async def test_an_empty_fabric_is_not_bound_to() -> None:
    async with simulated() as (sim, board):
        await Overlay.load(board, firmware(1), design=PARTS)
        await sim.reboot()

        with pytest.raises(NotLoaded, match=r"the fabric is empty, says its state 'unknown'"):
            await Overlay.load(board, firmware(1), design=PARTS, download=False)


@pytest.mark.parametrize("seconds", [0, 0.002, 0.01, 0.03])
async def test_a_design_that_is_loaded_while_another_is_looked_at_is_noticed(seconds: float) -> None:
    async with simulated() as (sim, board):
        await Overlay.load(board, firmware(1), design=PARTS)
        seen = sim.counters.calls["remote_device.readfile"]
        sim.faults.delay("remote_device.readfile", seconds)
        task = asyncio.ensure_future(Overlay.load(board, firmware(1), design=PARTS, download=False))
        await begun(sim, "remote_device.readfile", seen + 1)
        await board.download(firmware(2), design=PARTS)

        try:
            overlay = await task
        except NotLoaded as error:
            assert "design2.bit is loaded, not design1.bit" in str(error)
        else:
            await _refused(overlay.adder)  # it was bound in time, and knows that its time is over


async def test_two_drivers_of_one_hierarchy_are_refused_before_anything_is_sent() -> None:
    class One(DefaultHierarchy):
        @staticmethod
        def checkhierarchy(description: object) -> bool:
            return True

    class Two(One):
        pass

    async with simulated() as (sim, board):
        calls = sim.counters.calls.total()

        with pytest.raises(InvalidArgument, match="One and Two both accept the hierarchy filter"):
            await Overlay.load(board, firmware(1), design=PARTS, drivers=[One, Two])

        assert sim.counters.calls.total() == calls


async def test_drivers_that_use_each_other_when_they_are_set_up_do_not_wait_for_each_other() -> None:
    class Left(DefaultIP):
        bindto = ("acme.com:user:fir",)
        other: DefaultIP

        async def _setup(self) -> None:
            await asyncio.sleep(0.01)
            await self.other.read(0)

    class Right(Left):
        bindto = ("acme.com:user:adder",)

    async with simulated() as (_, board), asyncio.timeout(5):
        overlay = await Overlay.load(board, firmware(1), design=PARTS, drivers=[Left, Right])
        left, right = overlay.filter.fir, overlay.adder
        left.other, right.other = right, left

        async with asyncio.TaskGroup() as group:
            group.create_task(left.read(0))
            group.create_task(right.read(0))


async def test_a_driver_that_cannot_be_made_leaves_no_old_ip_behind() -> None:
    class Broken(DefaultIP):
        bindto = ("acme.com:user:iir",)

        def __init__(self, description: IpDescription) -> None:
            super().__init__(description)
            raise RuntimeError("no")

    async with simulated() as (_, board):
        overlay = await Overlay.load(board, firmware(1), design=PARTS, drivers=[Broken])

        with pytest.raises(RuntimeError, match="no"):
            await overlay.pr_download("filter", firmware(2, partial=True), design=IIR)

        with pytest.raises(NotInDesign):
            _ = overlay.filter
