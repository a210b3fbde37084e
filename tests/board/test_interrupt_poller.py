"""Interrupt pins by polling the simulated interrupt controller."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from pynq_async import concurrency
from pynq_async.errors import (
    DeadlineExceeded,
    NotSupported,
    OutOfRange,
    ServerError,
)
from pynq_async.hardware import axi_intc as intc
from pynq_async.sim import Hazards, Hook, SimBoard
from pynq_async.sim.bus import BusError

from ..boards import begun, simulated
from ..sim.designs import bitstream, design, ip
from .interrupt_bench import INNER, OUTER, Bench, bench, outcome


def writes_of(sim: SimBoard, register: int) -> list[int]:
    """What is written to a register of the outer controller from now on."""
    return _noted(sim.on_write, OUTER + register)


def reads_of(sim: SimBoard, register: int, controller: int = OUTER) -> list[int]:
    """What is read from a register from now on; the server reads twice."""
    return _noted(sim.on_read, controller + register)


def _noted(attach: Callable[[int, Hook], object], address: int) -> list[int]:
    seen: list[int] = []

    def note(_: int, word: int) -> int:
        seen.append(word)
        return word

    attach(address, note)
    return seen


@pytest.fixture
async def polled() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


async def test_a_level_that_ended_before_the_wait_is_not_reported(polled: Bench) -> None:
    await polled.board.mmio(OUTER, intc.SIZE).write(intc.MER, intc.HARDWARE_ENABLE)
    polled.pulse("level/done")
    assert polled.sim.ip["outer"].status & 1, "it is latched"

    with pytest.raises(DeadlineExceeded):
        await polled.pins["level/done"].wait(timeout=0.02)


async def test_an_edge_that_came_before_the_wait_counts_once(polled: Bench) -> None:
    await polled.pins["edge/done"].listen()
    polled.pulse("edge/done")
    polled.pulse("edge/done")
    await polled.pins["edge/done"].wait()

    with pytest.raises(DeadlineExceeded):
        await polled.pins["edge/done"].wait(timeout=0.02)


async def test_a_pulse_is_not_lost_to_one_who_begins_to_wait_after_it(polled: Bench) -> None:
    """Who joins must not clear what the others have not seen yet."""
    polled.sim.faults.latency = 0.02

    async with asyncio.TaskGroup() as group:
        first = group.create_task(polled.pins["level/done"].wait(5))
        await polled.waited(4)
        polled.pulse("level/done")
        group.create_task(outcome(polled.pins["level/done"].wait(0.2)))
        await first


async def test_an_edge_that_follows_from_an_event_is_not_wiped_out(polled: Bench) -> None:
    """The acknowledgement must have been carried out when the waiter goes on."""
    pin = polled.pins["edge/done"]
    polled.sim.faults.delay("mmio.write", 0.01)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(pin.wait())
        await polled.waited(4)
        polled.pulse("edge/done")
        await waiting
        polled.pulse("edge/done")
        await pin.wait(1)


@pytest.mark.parametrize("after", [False, True])
async def test_an_edge_is_kept_when_its_acknowledgement_is_cut_off(polled: Bench, after: bool) -> None:
    pin = polled.pins["edge/done"]

    await pin.listen()
    polled.pulse("edge/done")
    polled.sim.faults.drop("mmio.write", after=after)
    await pin.wait()

    with pytest.raises(DeadlineExceeded):
        await pin.wait(timeout=0.02)


async def test_an_edge_is_kept_when_its_only_waiter_is_cancelled_during_the_acknowledgement(polled: Bench) -> None:
    pin = polled.pins["edge/done"]

    await pin.listen()
    polled.pulse("edge/done")
    polled.sim.faults.delay("mmio.write", 0.05)
    writes = polled.count("mmio.write")
    task = asyncio.ensure_future(pin.wait())
    await begun(polled.sim, "mmio.write", writes + 1)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    polled.sim.faults.clear()
    assert not polled.sim.ip["outer"].status, "it was acknowledged all the same"
    await pin.wait(1)


async def test_one_look_a_controller_serves_all_pins(polled: Bench) -> None:
    outer, inner = reads_of(polled.sim, intc.ISR, OUTER), reads_of(polled.sim, intc.ISR, INNER)
    pins = [pin for name, pin in polled.pins.items() if name != "direct/done"] * 5

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pin.wait()) for pin in pins]
        await polled.waited(20)

        for task in tasks:
            task.cancel()

    assert len(outer) > 10
    assert abs(len(outer) - len(inner)) <= 2


async def test_polls_are_fast_at_first_and_slower_later(polled: Bench) -> None:
    polls = reads_of(polled.sim, intc.ISR)

    with pytest.raises(DeadlineExceeded):
        await polled.pins["level/done"].wait(0.3)

    assert len(polls) / 2 < 1 + 6 + 0.3 / 0.05


async def test_a_new_waiter_is_looked_after_at_once(polled: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "_LONGEST_PAUSE", 60)
    monkeypatch.setattr(concurrency, "_FIRST_PAUSE", 60)

    async with asyncio.TaskGroup() as group:
        patient = group.create_task(polled.pins["level/done"].wait(None))
        await polled.waited()
        polled.drive("other/done", True)
        await polled.pins["other/done"].wait()
        polled.drive("deep/done", True)
        await polled.pins["deep/done"].wait()
        patient.cancel()


async def test_the_controller_is_set_up_once_and_no_interrupt_is_enabled(polled: Bench) -> None:
    enables, master = writes_of(polled.sim, intc.IER), writes_of(polled.sim, intc.MER)
    single, reads = writes_of(polled.sim, intc.SIE), reads_of(polled.sim, intc.MER)
    polled.drive("level/done", True)

    for _ in range(3):
        await polled.pins["level/done"].wait()

    assert master == [intc.MASTER_ENABLE | intc.HARDWARE_ENABLE]
    assert len(reads) == 2, "the server reads twice"
    assert not enables
    assert not single
    await polled.sim.restart()
    await polled.pins["level/done"].wait()
    assert len(master) == 1, "it is set up already"
    await polled.board.download(bitstream())
    polled.drive("level/done", True)
    await polled.pins["level/done"].wait()
    assert len(master) == 2, "programming resets it"


async def test_two_controllers_are_looked_at_together(polled: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(polled.pins["level/done"].wait())
        group.create_task(polled.pins["deep/done"].wait())
        await polled.waited(6)
        polled.sim.faults.latency = 0.01
        polled.sim.counters.unary_peak = 0
        await polled.waited(4)
        polled.pulse("level/done")
        polled.pulse("deep/done")

    assert polled.sim.counters.unary_peak == 2


async def test_an_error_ends_every_wait_for_its_controller_and_no_other() -> None:
    async with bench(hazards=Hazards(fatal_bus_errors=False)) as polled, asyncio.TaskGroup() as group:
        inner = [group.create_task(outcome(polled.pins["deep/done"].wait())) for _ in range(3)]
        outer = [group.create_task(polled.pins["level/done"].wait()) for _ in range(3)]
        await polled.waited(6)

        def fault(address: int, _: int) -> int:
            raise BusError(address, "nothing is there")

        stop = polled.sim.on_read(INNER + intc.ISR, fault)

        for task in inner:
            assert isinstance(await task, ServerError)

        stop()
        await polled.waited()
        polled.pulse("level/done")

    assert all(task.result() is None for task in outer)


async def test_pins_wired_straight_to_the_processing_system_are_not_supported(polled: Bench) -> None:
    before = polled.calls

    for attempt in (polled.pins["direct/done"].wait(), polled.pins["direct/done"].listen()):
        with pytest.raises(NotSupported, match="direct/done: it is wired straight to the processing system"):
            await attempt

    assert polled.calls == before


async def test_a_pin_without_a_place_is_not_supported() -> None:
    odd = design(
        {"outer": ip("axi_intc", OUTER)},
        interrupt_pins={
            "a/x": {"controller": "elsewhere", "index": 0, "fullpath": "a/x"},
            "a/y": {"controller": "outer", "index": 127, "fullpath": "a/y"},
        },
    )

    async with simulated() as (_, board):
        for pin in board.interrupts.of(odd).values():
            with pytest.raises(NotSupported, match="does not say where on its controller"):
                await pin.wait()

        for index in (-1, 32):
            with pytest.raises(OutOfRange):
                board.interrupts.pin("a", OUTER, index)
