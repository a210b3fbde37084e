"""Interrupt pins through the board's service."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pynq_async import Limits, Timeouts
from pynq_async.board import interrupt_service
from pynq_async.errors import DeadlineExceeded, OutcomeUnknown, ServerError
from pynq_async.wire import messages as m

from ..boards import begun
from ..designs import firmware
from .interrupt_bench import INNER, PINS, REGISTER, SOURCES, WAIT, Bench, bench, outcome

pytestmark = pytest.mark.usefixtures("short_slices")


@pytest.fixture
async def served() -> AsyncIterator[Bench]:
    async with bench(service=True) as made:
        yield made


async def test_pins_wired_straight_to_the_processing_system_work_through_the_service(served: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(served.pins["direct/done"].wait())
        await served.waited()
        served.pulse("direct/done")


async def test_a_pin_is_registered_once_and_released_with_the_board(served: Bench) -> None:
    for name in ("level/done", "direct/done"):
        served.drive(name, True)

        for _ in range(3):
            await served.pins[name].wait()

    assert served.count(REGISTER) == 2
    assert {(i.pin_name, i.pin_index, i.raw_irq) for i in served.sim.process.interrupts.values()} == {
        ("level/done", 0, 61),
        ("direct/done", 1, 62),
    }
    await served.sim.restart()
    await served.pins["level/done"].wait()
    assert served.count(REGISTER) == 3
    await served.board.download(firmware())
    served.drive("level/done", True)
    await served.pins["level/done"].wait()
    assert served.count(REGISTER) == 4
    assert len(served.sim.process.interrupts) == 1
    await served.board.aclose()
    assert not served.sim.process.interrupts


async def test_a_pin_of_a_cascade_is_registered_with_its_controller_and_the_processors_number(served: Bench) -> None:
    served.drive("deep/done", True)
    await served.pins["deep/done"].wait()
    (interrupt,) = served.sim.process.interrupts.values()
    assert (interrupt.pin_index, interrupt.raw_irq, interrupt.controller) == (3, 61, INNER)


async def test_a_cancelled_waiters_event_is_kept_for_the_next(served: Bench) -> None:
    pin = served.pins["level/done"]
    task = asyncio.ensure_future(pin.wait())
    await served.waited()
    served.pulse("level/done")
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert not next(iter(served.sim.process.interrupts.values())).pending.is_set()
    await pin.wait(1)


async def test_a_cancelled_registration_is_not_made_again(served: Bench) -> None:
    served.sim.faults.delay(REGISTER, 0.02)
    task = asyncio.ensure_future(served.pins["level/done"].wait())
    await begun(served.sim, REGISTER)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    served.drive("level/done", True)
    await served.pins["level/done"].wait()
    assert served.count(REGISTER) == 1


async def test_the_service_is_asked_for_a_pin_by_one_call_at_a_time() -> None:
    async with bench(service=True, timeouts=Timeouts(grace=0.01)) as here:
        pin = here.pins["level/done"]
        await pin.listen()
        here.sim.faults.delay(WAIT, 0.1)
        task = asyncio.ensure_future(pin.wait())
        await begun(here.sim, WAIT)
        task.cancel()
        await asyncio.wait({task})
        here.sim.counters.unary_peak = 0
        here.drive("level/done", True)
        await pin.wait()
        assert here.sim.counters.unary_peak <= 1


async def test_a_wait_of_which_nothing_was_sent_yet_survives_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt_service, "_SLICE", 5)

    async with bench(service=True, limits=Limits(calls=1)) as here, asyncio.TaskGroup() as group:
        await here.pins["edge/done"].listen()
        first = group.create_task(outcome(here.pins["level/done"].wait()))
        await begun(here.sim, WAIT)
        second = group.create_task(here.pins["edge/done"].wait())
        await here.sim.restart()
        assert isinstance(await first, OutcomeUnknown)
        await begun(here.sim, WAIT, 2)
        here.pulse("edge/done")
        await second


async def test_waits_do_not_hold_up_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt_service, "_SLICE", 0.5)

    async with bench(service=True, limits=Limits(calls=2)) as here:
        window = here.board.mmio(SOURCES, 4)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(here.pins[name].wait()) for name in PINS]
            await here.waited()

            async with asyncio.timeout(0.4):
                for value in range(5):
                    await window.write(0, value)

            assert here.sim.counters.unary_peak == 3, "two waits and a register"

            for name in PINS:
                if not name.startswith("concat"):
                    here.pulse(name)

            await asyncio.wait(tasks)


async def test_what_the_service_says_is_wrong_is_an_error_and_the_pin_is_registered_again(served: Bench) -> None:
    pin = served.pins["level/done"]
    served.sim.faults.answer(WAIT, m.WaitResponse(status=m.WaitResponse.ERROR))

    with pytest.raises(ServerError, match="level/done"):
        await pin.wait()

    served.sim.process.interrupts.clear()
    served.drive("level/done", True)
    await pin.wait()
    served.sim.process.interrupts.clear()

    with pytest.raises(ServerError, match="not found"):
        await pin.wait()

    await pin.wait()


async def test_a_lost_answer_ends_every_wait_for_its_pin_and_no_other(served: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        served.sim.faults.drop(WAIT, after=True)
        tasks = [group.create_task(outcome(served.pins["level/done"].wait())) for _ in range(3)]

        for task in tasks:
            assert isinstance(await task, OutcomeUnknown)

        served.drive("level/done", True)
        await served.pins["level/done"].wait()


async def test_a_frozen_board_does_not_hold_up_a_cancelled_wait_or_closing() -> None:
    async with bench(service=True, timeouts=Timeouts(call=0.2, grace=0.05)) as here:
        task = asyncio.ensure_future(here.pins["level/done"].wait())
        await here.waited()
        await here.sim.freeze()
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        assert task.cancelled()

        with pytest.raises(DeadlineExceeded, match="level/done: no interrupt"):
            await here.pins["level/done"].wait(0.05)

        await here.board.aclose()
        await here.sim.thaw()
