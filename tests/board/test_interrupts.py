"""Interrupt pins: what holds by polling and through the board's service alike."""

import asyncio

import grpc
import pytest

from pynq_async.bitstream import load_design
from pynq_async.errors import DeadlineExceeded, ServerError, SimulationError

from ..bitstream.conftest import OVERLAYS
from ..boards import begun, simulated
from ..designs import firmware
from .interrupt_bench import DESIGN, PINS, REGISTER, Bench

pytestmark = pytest.mark.usefixtures("short_slices")


@pytest.mark.parametrize("name", ["level/done", "edge/done", "deep/done", "deep_edge/done"])
async def test_an_interrupt_ends_the_wait(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins[name].wait())
        await here.waited()
        assert not waiting.done()
        here.pulse(name)

    assert repr(here.pins[name]) == f"<InterruptPin {here.board.name} {name}>"


@pytest.mark.parametrize("name", ["level/done", "edge/done", "deep/done", "deep_edge/done"])
async def test_the_simulated_board_raises_an_interrupt_by_its_name(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins[name].wait())
        await here.waited()
        assert here.sim.raise_interrupt(name) == 1

    assert waiting.done()

    with pytest.raises(DeadlineExceeded):
        await here.pins[name].wait(timeout=0.05)


async def test_a_raised_edge_is_kept_for_who_listened(here: Bench) -> None:
    pin = here.pins["edge/done"]
    await pin.listen()
    here.sim.raise_interrupt("edge/done")
    await pin.wait()


async def test_a_level_that_is_up_stays_up_when_it_is_raised(here: Bench) -> None:
    here.drive("level/done", True)
    here.sim.raise_interrupt("level/done")
    await here.pins["level/done"].wait()
    await here.pins["level/done"].wait()


async def test_an_interrupt_that_the_design_does_not_have_cannot_be_raised(here: Bench) -> None:
    with pytest.raises(SimulationError, match="has no interrupt 'edge/dnoe'; it has concat/In1, deep/done"):
        here.sim.raise_interrupt("edge/dnoe")


async def test_a_level_that_is_active_ends_every_wait_until_it_is_cleared(here: Bench) -> None:
    pin = here.pins["level/done"]
    here.drive("level/done", True)
    await pin.wait()
    await pin.wait()
    here.drive("level/done", False)

    with pytest.raises(DeadlineExceeded):
        await pin.wait(timeout=0.01)


async def test_a_pin_that_stays_quiet_is_a_deadline_that_names_board_and_pin(here: Bench) -> None:
    with pytest.raises(DeadlineExceeded, match=rf"^{here.board.name}: level/done: no interrupt in 0.01 s"):
        await here.pins["level/done"].wait(timeout=0.01)

    with pytest.raises(DeadlineExceeded):
        await here.pins["level/done"].wait(timeout=0)

    here.drive("level/done", True)
    await here.pins["level/done"].wait()


async def test_other_pins_do_not_end_the_wait(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(here.pins["level/done"].wait())
        await here.waited()
        here.pulse("other/done")
        here.pulse("deep/done")
        await here.waited()
        assert not waiting.done()
        here.pulse("level/done")


@pytest.mark.parametrize("name", ["level/done", "edge/done"])
async def test_an_event_wakes_all_who_wait_then_and_nobody_later(here: Bench, name: str) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(here.pins[name].wait())

        await here.waited()
        here.pulse(name)

    with pytest.raises(DeadlineExceeded):
        await here.pins[name].wait(timeout=0.01)


async def test_two_names_of_one_input_are_woken_together(here: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(here.pins["edge/done"].wait())
        group.create_task(here.pins["concat/In1"].wait())
        await here.waited(4)
        here.pulse("edge/done")


async def test_events_count_once_the_pin_is_listened_to(here: Bench) -> None:
    pins = [here.pins[name] for name in ("edge/done", "deep_edge/done")]

    async with asyncio.TaskGroup() as group:
        for pin in pins * 3:
            group.create_task(pin.listen())

    before = here.calls

    for pin in pins:
        await pin.listen()

    assert here.calls == before, "it is asked for once"
    assert here.count("mmio.read") + here.count(REGISTER) == 2

    for pin in pins:
        here.pulse(pin.name)
        await pin.wait()

    await here.sim.restart()
    await here.board.exists_file("/proc/version")  # the restart has been noticed
    await pins[0].listen()
    here.pulse(pins[0].name)
    await pins[0].wait()


async def test_listening_ends_in_time_or_with_an_error(here: Bench) -> None:
    for fault in (grpc.StatusCode.UNKNOWN, None):
        for method in ("mmio.read", REGISTER):
            if fault is None:
                here.sim.faults.delay(method, 0.2)
            else:
                here.sim.faults.fail(method, fault)

        with pytest.raises(ServerError if fault else DeadlineExceeded):
            await here.pins["edge/done"].listen(0.05)

    here.sim.faults.clear()
    await here.pins["edge/done"].listen()


async def test_nothing_is_asked_while_nobody_waits(here: Bench) -> None:
    here.drive("level/done", True)
    await here.pins["level/done"].wait()
    before = here.calls
    await asyncio.sleep(0.1)
    assert here.calls == before


async def test_looking_at_pins_does_no_io(here: Bench) -> None:
    before = here.calls
    assert sorted(here.board.interrupts.of(DESIGN)) == sorted([*PINS, "inner/irq"])
    assert here.board.name in repr(here.board.interrupts)
    assert here.calls == before


async def test_a_real_design_has_its_pins() -> None:
    path = OVERLAYS / "pynq-z2-base" / "base.hwh"

    if not path.exists():
        pytest.skip(f"no real overlay at {path.parent}")

    real = await load_design(path)

    async with simulated(designs=[real]) as (sim, board):
        await board.download(firmware())
        pins = board.interrupts.of(real)
        assert pins.keys() == real.interrupt_pins.keys()
        line = sim.ip["btns_gpio"].site.line("ip2intc_irpt")

        async with asyncio.TaskGroup() as group:
            group.create_task(pins["btns_gpio/ip2intc_irpt"].wait())
            group.create_task(pins["concat_interrupts/In5"].wait())
            await begun(sim, "mmio.read", 3)
            line(True)

        line(False)
        line(True)
        await pins["btns_gpio/ip2intc_irpt"].wait()  # an edge counts even if it came before
